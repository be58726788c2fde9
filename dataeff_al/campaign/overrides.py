"""``--set key.path=value``: changes to a campaign file from the command line, made before it is validated."""

import copy
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dataeff_al.campaign.yaml_source import MAX_DEPTH, Source, read
from dataeff_al.errors import Problem, SpecError
from dataeff_al.sentences import Loc, path_text, shown

_PART = re.compile(r"(?:^|\.)([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]{1,6})\]")


def override(source: Source, settings: Sequence[str]) -> Source:
    """The source with every ``key.path=value`` applied in order; values are read as YAML.

    Raises :class:`~dataeff_al.errors.SpecError` that names ``--set`` for every setting that cannot be applied.
    """
    data = copy.deepcopy(source.data)
    changed: set[Loc] = set()
    problems: list[Problem] = []
    for setting in settings:
        try:
            loc, value = parse_setting(setting)
            data = _put(data, loc, value)
            changed.add(loc)
        except SpecError as error:
            problems += [Problem(f"--set {shown(setting)}", 0, problem.message) for problem in error.problems]
    if problems:
        raise SpecError(problems, source.name)
    kept = tuple(f for f in source.findings if not any(f.loc[: len(loc)] == loc for loc in changed))
    return replace(source, data=data, overridden=source.overridden | changed, findings=kept)


def parse_setting(setting: str) -> tuple[Loc, Any]:
    """``"compare[0].sampler.steps=3"`` to its place and its value."""
    path, equals, text = setting.partition("=")
    if not equals:
        raise _refused("must have the form key.path=value.")
    value = read(text)
    if value.findings:
        raise SpecError([value.problem(finding) for finding in value.findings])
    return parse_path(path.strip()), value.data


def parse_path(path: str) -> Loc:
    """``"compare[0].sampler"`` to ``("compare", 0, "sampler")``."""
    loc: list[str | int] = []
    end = 0
    while end < len(path):
        match = _PART.match(path, end)
        if match is None:
            break
        loc.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    if end < len(path) or not loc or isinstance(loc[0], int) or len(loc) > MAX_DEPTH:
        raise _refused(f"the key path must look like compare[0].sampler.kind, but got {shown(path)}.")
    return tuple(loc)


def _put(data: Any, loc: Loc, value: Any) -> Any:
    """``data`` with ``value`` at ``loc``; missing mappings on the way are made."""
    root = data if data is not None else {}
    here = root
    for n, part in enumerate(loc):
        last = n == len(loc) - 1
        _check_step(here, part, loc[:n])
        if last:
            here[part] = value
        elif isinstance(part, str) and here.get(part) is None:
            here[part] = {}
        here = here[part]
    return root


def _check_step(here: Any, part: str | int, at: Loc) -> None:
    place = path_text(at) or "the campaign"
    if isinstance(part, int):
        if not isinstance(here, list):
            raise _refused(f"{place} must be a list to hold [{part}], but got {shown(here)}.")
        if part >= len(here):
            raise _refused(f"{place} must have an item [{part}], but got {len(here)} items.")
    elif not isinstance(here, dict):
        raise _refused(f"{place} must be a mapping to hold the key {part!r}, but got {shown(here)}.")


def _refused(message: str) -> SpecError:
    return SpecError([Problem("", 0, message)])
