"""Light descriptions of the pools of scans."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from dataeff_al.errors import DataError
from dataeff_al.registry import Params, PoolPlugin
from dataeff_al.volumes.files import CaseFiles, found_cases, scan_folder
from dataeff_al.volumes.patients import check_sides

Text = Annotated[str, Field(min_length=1, max_length=1024)]
Pattern = Annotated[str, Field(min_length=6, max_length=1024, pattern=r"\{case\}")]
Code = Annotated[int, Field(ge=0, le=1_000_000)]
Length = Annotated[float, Field(gt=0, le=100)]
Side = Annotated[int, Field(ge=4, le=1024)]
Count = Annotated[int, Field(ge=1, le=10_000)]
Structures = Annotated[dict[Text, Annotated[list[Code], Field(min_length=1, max_length=1000)]], Field(max_length=254)]
Sets = Annotated[dict[Text, Annotated[list[Text], Field(min_length=1, max_length=254)]], Field(max_length=32)]


class PartialParams(Params):
    """One source of partial annotations: which ``structures`` it knows, out of the pool's own.

    ``labels``: its files, read by the pool's codes, or by ``codes`` where the source numbers structures otherwise;
    None: the pool's labels with every other structure hidden.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    structures: Annotated[list[Text], Field(min_length=1, max_length=254)]
    labels: Pattern | None = None
    codes: Structures | None = None

    @model_validator(mode="after")
    def _codes_need_files(self) -> "PartialParams":
        if self.codes is not None and self.labels is None:
            raise ValueError(f"codes must stand beside labels, but got them alone for {self.name!r}.")
        if self.codes is not None and any("*" in name for name in self.structures):
            raise ValueError(f"structures must be named in full beside codes, but got {self.structures!r}.")
        if self.codes is not None and set(self.codes) != set(self.structures):
            raise ValueError(f"codes must name the structures, but got {sorted(self.codes)!r}.")
        return self


class ScanParams(Params):
    """What all pools of scans share.

    ``unit``: what one label is for, a whole ``volume`` or one ``slice`` across ``plane``; a slice sample holds
    ``context`` neighbours on each side as further channels. ``places``: three channels that say where in the head a
    voxel lies, in standard deviations of the head's own extent, for the atlas and for left and right; ``aligned``: of
    the extent of the first case, onto which every head is laid by its image, so that the same place is the same part of
    the head.
    """

    unit: Literal["volume", "slice"] = "volume"
    plane: Literal["axial", "coronal", "sagittal"] = "axial"
    context: Annotated[int, Field(ge=0, le=8)] = 0
    places: bool | Literal["aligned"] = True

    @model_validator(mode="after")
    def _context_of_slices(self) -> "ScanParams":
        if self.context and self.unit == "volume":
            raise ValueError(f"context must be 0 where whole volumes are labelled, but got {self.context}.")
        return self


class NiftiParams(ScanParams):
    """NIfTI files: one case a match of ``images``, whose ``{case}`` names it; ``*`` stands for any text in a name.

    ``folder`` is relative to the campaign file, or to DATAEFF_DATA where there is none of that name. ``images`` are
    the channels. ``labels``: files of codes, None when nothing is known. Structures are named by ``structures`` (a
    name to its codes) or by ``table``, a csv file of codes and names, of which those are kept that at least
    ``in_cases`` cases hold; what is not named is background. ``spacing_mm``: all cases are resampled to it. ``shape``:
    ``[right, anterior, superior]`` voxels that every head must fit in, None: the largest. ``brain``: files that are
    not 0 in the head, None: where the first image differs from its corner.

    ``patient_before``: the part of a case's name before that text is its patient; ``patients``: cases with their
    patient, where the name does not tell. ``held_out``: cases kept for the test. ``regions``: unions of structures
    and ``groups``: sets of them over which metrics average; ``*`` stands for any text.
    """

    folder: Text
    images: Annotated[list[Pattern], Field(min_length=1, max_length=8)]
    labels: Pattern | None = None
    structures: Structures | None = None
    table: Text | None = None
    in_cases: Count = 1
    spacing_mm: Length = 2.0
    shape: Annotated[list[Side], Field(min_length=3, max_length=3)] | None = None
    brain: Pattern | None = None
    intensity: Literal["percentiles", "zscore"] = "percentiles"
    patient_before: Annotated[str, Field(min_length=1, max_length=16)] | None = None
    patients: Annotated[dict[Text, Text], Field(max_length=10_000)] = Field(default_factory=dict)
    held_out: Annotated[list[Text], Field(max_length=10_000)] = Field(default_factory=list)
    partial: Annotated[list[PartialParams], Field(max_length=8)] = Field(default_factory=list)
    regions: Sets = Field(default_factory=dict)
    groups: Sets = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_table(self) -> "NiftiParams":
        if (self.labels is not None) != ((self.structures is None) != (self.table is None)):
            raise ValueError("labels must stand together with either structures or table, but got something else.")
        if self.labels is None and (self.partial or self.regions or self.groups):
            raise ValueError("partial, regions and groups must stand beside labels, but got them without.")
        if len({source.name for source in self.partial}) < len(self.partial):
            raise ValueError("the names of partial sources must differ, but got one twice.")
        _check_sources(self)
        return self


class HeadsParams(ScanParams):
    """Generated heads: paired structures left and right, or a tumour of ``oedema``, ``core`` and ``enhancing``.

    Stand-ins for real scans, in seconds and without any file: every voxel's structure is known. ``cases`` heads of
    ``shape`` ``[right, anterior, superior]`` voxels. Of ``anatomy: paired`` a source ``deep`` of partial annotations
    knows the structures in the middle.
    """

    anatomy: Literal["paired", "tumour"] = "paired"
    cases: Annotated[int, Field(ge=2, le=1000)] = 12
    shape: Annotated[list[Annotated[int, Field(ge=16, le=128)]], Field(min_length=3, max_length=3)] = Field(
        default_factory=lambda: [32, 32, 24]
    )
    noise: Annotated[float, Field(ge=0, le=1)] = 0.06


def chosen(patterns: list[str], names: list[str]) -> tuple[str, ...]:
    """The names that one of the patterns means, in the order of ``names``.

    Raises :class:`DataError` for a pattern that means none.
    """
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise DataError(f"a structure must be one of the table's {len(names)}, but got {pattern!r}.")
    return tuple(name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns))


def _check_sources(params: NiftiParams) -> None:
    """A stated table shows at once what it does not hold; one in a file is read later."""
    if params.structures is None:
        return
    names = list(params.structures)
    sets = [*((f"partial {s.name}", s.structures) for s in params.partial)]
    sets += [*(("regions", each) for each in params.regions.values()), *(("groups", e) for e in params.groups.values())]
    for where, patterns in sets:
        try:
            chosen(patterns, names)
        except DataError as error:
            raise ValueError(f"{where}: {error}") from None


def nifti_offers(params: Any) -> frozenset[str]:
    """Answers where labels are known, places where they are asked for, and partial annotations."""
    found = {"answers"} if params.labels is not None else set()
    return frozenset(found | ({"partial"} if params.partial else set())) | _places(params)


def heads_offers(params: Any) -> frozenset[str]:
    """Answers; partial annotations of paired structures."""
    return frozenset({"answers"} | ({"partial"} if params.anatomy == "paired" else set())) | _places(params)


def _places(params: Any) -> frozenset[str]:
    return frozenset({"places"}) if params.places else frozenset()


def cases_of(params: NiftiParams, base_dir: Path, data_root: Path | None) -> list[CaseFiles]:
    """The cases with their files. Raises :class:`DataError` when some are missing."""
    others = {"labels": params.labels, "brain": params.brain}
    sources = {each.name: each.labels for each in params.partial}
    return found_cases(
        scan_folder(params.folder, base_dir, data_root),
        params.images,
        {role: pattern for role, pattern in others.items() if pattern is not None},
        {name: pattern for name, pattern in sources.items() if pattern is not None},
    )


def nifti_size(params: NiftiParams, base_dir: Path, data_root: Path | None) -> int | None:
    """Cases, or None for slices, whose number only the scans tell.

    Raises :class:`DataError` when files are missing, or a patient's cases lie on both sides of the held-out border.
    """
    cases = cases_of(params, base_dir, data_root)
    check_sides([case.id for case in cases], params.patients, params.patient_before, params.held_out)
    return len(cases) if params.unit == "volume" else None


def heads_size(params: HeadsParams, base_dir: Path, data_root: Path | None) -> int | None:
    """Generated cases; None for slices, of which empty ones are left out."""
    del base_dir, data_root
    return params.cases if params.unit == "volume" else None


NIFTI = PoolPlugin(
    kind="pools",
    name="nifti",
    summary="Scans in NIfTI files: resampled, grouped by patient, with a table of structures and partial annotations.",
    params=NiftiParams,
    build="dataeff_al.volumes.nifti_pool:build",
    offers=nifti_offers,
    size=nifti_size,
)

HEADS = PoolPlugin(
    kind="pools",
    name="heads",
    summary="Generated heads with paired structures or a tumour: volumes or slices in which every voxel is known.",
    params=HeadsParams,
    build="dataeff_al.volumes.heads:build",
    offers=heads_offers,
    size=heads_size,
)
