"""Finding the files of each case by patterns such as ``*/{case}/flair.nii.gz``."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dataeff_al.errors import DataError

MOST_CASES = 10_000


@dataclass(frozen=True)
class CaseFiles:
    """One case's files: its images in order, and further ones by role (``labels``, ``brain``, a source's name)."""

    id: str
    images: tuple[Path, ...]
    others: Mapping[str, Path]


def scan_folder(folder: str, base_dir: Path, data_root: Path | None) -> Path:
    """The folder beside the campaign file, or else in the shared data folder. Raises DataError when there is none."""
    places = [base_dir / folder, *([data_root / folder] if data_root is not None else [])]
    for place in places:
        if place.is_dir():
            return place
    hint = "" if data_root is not None else " (DATAEFF_DATA is not set)"
    raise DataError(f"a pool's folder must exist, but got {folder!r}{hint}.")


def found_cases(
    folder: Path, images: Sequence[str], others: Mapping[str, str], sources: Mapping[str, str]
) -> list[CaseFiles]:
    """Every case of the first image's pattern with all its files, by name; not every case need be in ``sources``.

    Raises DataError when there is none, another file of one is missing, or a pattern matches several of one case.
    """
    found = [matches(folder, pattern) for pattern in images]
    beside = {role: matches(folder, pattern) for role, pattern in others.items()}
    names = sorted(found[0])
    if not 0 < len(names) <= MOST_CASES:
        raise DataError(f"{images[0]!r} must match 1 to {MOST_CASES} files, but got {len(names)}.")
    for pattern, files in [*zip(images, found, strict=True), *((others[role], beside[role]) for role in others)]:
        if missing := [name for name in names if name not in files]:
            raise DataError(f"every case must have a file {pattern!r}, but got none for {missing[0]!r}.")
    beside |= {role: matches(folder, pattern) for role, pattern in sources.items()}
    return [
        CaseFiles(
            name,
            tuple(files[name] for files in found),
            {role: files[name] for role, files in beside.items() if name in files},
        )
        for name in names
    ]


def matches(folder: Path, pattern: str) -> dict[str, Path]:
    """Files that match, by what ``{case}`` stands for; it must stand for the same wherever it is repeated.

    Raises DataError for a pattern that is not relative to the folder, or matches several files of one case.
    """
    if Path(pattern).is_absolute():
        raise DataError(f"a pattern must be relative to the pool's folder, but got {pattern!r}.")
    text = re.escape(pattern).replace(r"\*", "[^/]*")
    text = text.replace(r"\{case\}", "(?P<case>[^/]+)", 1).replace(r"\{case\}", "(?P=case)")
    shape, found = re.compile(text), dict[str, Path]()
    for path in sorted(folder.glob(pattern.replace("{case}", "*"))):
        hit = shape.fullmatch(path.relative_to(folder).as_posix())
        if hit is None:
            continue
        if hit["case"] in found:
            raise DataError(f"{pattern!r} must match one file a case, but got several for {hit['case']!r}.")
        found[hit["case"]] = path
    return found
