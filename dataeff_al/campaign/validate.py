"""Checks across the parts of a campaign: needs and offers, money, files. Imports no heavy class, reads no sample."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

from dataeff_al.campaign.capabilities import check_capabilities
from dataeff_al.campaign.draft import Draft
from dataeff_al.campaign.money import check_money, check_pool
from dataeff_al.campaign.placing import check_runtimes
from dataeff_al.errors import DataError
from dataeff_al.parts import PartSpec
from dataeff_al.registry import LabelerPlugin
from dataeff_al.sentences import Finding, Loc, shown


def check(draft: Draft, base_dir: Path, data_root: Path | None) -> list[Finding]:
    """Every broken rule that is not visible inside one section."""
    return [
        *check_capabilities(draft),
        *check_money(draft),
        *check_runtimes(draft),
        *_check_labeler(draft),
        *_check_files(draft, base_dir),
        *_check_twin_names(draft),
        *_check_pool(draft, base_dir, data_root),
    ]


def pool_size(pool: PartSpec, base_dir: Path, data_root: Path | None) -> int | None:
    """Number of samples, or None when only reading the pool would tell. Raises DataError when files are missing."""
    size: Callable[[Any, Path, Path | None], int | None] | None = getattr(pool.plugin, "size", None)
    return None if size is None else size(pool.params, base_dir, data_root)


def _check_pool(draft: Draft, base_dir: Path, data_root: Path | None) -> Iterator[Finding]:
    if draft.pool is None:
        return
    try:
        size = pool_size(draft.pool, base_dir, data_root)
    except (DataError, OSError) as error:
        yield Finding(("pool",), str(error))
        return
    if size is not None:
        yield from check_pool(draft, size)


def _check_labeler(draft: Draft) -> Iterator[Finding]:
    if draft.labeler is not None:
        obstacles = cast(LabelerPlugin, draft.labeler.plugin).obstacles(draft.labeler.params)
        yield from (finding.under(("labeler",)) for finding in obstacles)


def _check_files(draft: Draft, base_dir: Path) -> Iterator[Finding]:
    labels = draft.initial.labels if draft.initial else None
    if labels is not None and not (base_dir / labels).is_file():
        yield Finding(("initial", "labels"), "must name an existing file, relative to the campaign file", shown(labels))


def _check_twin_names(draft: Draft) -> Iterator[Finding]:
    seen: set[str] = set()
    for i, twin in enumerate(draft.compare):
        if twin.name is not None and twin.name in seen:
            place: Loc = ("compare", i, "name")
            yield Finding(place, "the names of twins must differ", shown(twin.name))
        seen.add(twin.own_name)
