"""Builds the ``nifti`` pool: reads, checks and resamples every case, and lays them on one grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import TargetSpec
from dataeff_al.volumes.files import CaseFiles, scan_folder
from dataeff_al.volumes.grid import axes_of, box_of, default_head, fitted, laid_in, normalised, places, resampled
from dataeff_al.volumes.nifti import Scan, check_same_grid, read_image, read_labels
from dataeff_al.volumes.patients import check_sides, patient_of
from dataeff_al.volumes.pool import AnsweredCasePool, Case, CasePool, Form
from dataeff_al.volumes.spec import NiftiParams, cases_of, chosen
from dataeff_al.volumes.tables import LabelTable, check_present, hidden_but, read_table, table_from


@dataclass(frozen=True)
class Raw:
    """One case as its files hold it, resampled, in patient axes: right, anterior, superior."""

    files: CaseFiles
    images: np.ndarray
    head: np.ndarray
    codes: np.ndarray | None
    sources: Mapping[str, np.ndarray]


def build(params: NiftiParams, context: PoolContext) -> CasePool:
    """The pool of a campaign. Raises DataError, naming the file, when a case breaks a rule."""
    found = cases_of(params, context.base_dir, context.data_root)
    check_sides([case.id for case in found], params.patients, params.patient_before, params.held_out)
    raw = [_raw(params, files) for files in found]
    table = _table(params, raw, context)
    target = None if table is None else _target(params, table)
    sources = {} if table is None else {s.name: chosen(s.structures, list(table.names)) for s in params.partial}
    shape = _shape(params, raw)
    cases = [_case(params, each, table, sources, shape) for each in raw]
    if table is not None:
        check_present(table, [case.mask for case in cases if case.mask is not None], "the table")
    _check_sources(sources, cases)
    form = Form(
        channels=tuple(f"image {number + 1}" for number in range(len(params.images))),
        axes=axes_of(params.plane),
        spacing_mm=(params.spacing_mm, params.spacing_mm, params.spacing_mm),
        target=target,
        sources=sources,
        slices=params.unit == "slice",
        context=params.context,
        with_places=bool(params.places),
        aligned=params.places == "aligned",
    )
    return (CasePool if target is None else AnsweredCasePool)(cases, form, params.held_out)


def _raw(params: NiftiParams, files: CaseFiles) -> Raw:
    scans = [read_image(path) for path in files.images]
    labels = {role: read_labels(path) for role, path in files.others.items()}
    for scan in (*scans[1:], *labels.values()):
        check_same_grid(scans[0], scan)
    brain = labels.pop("brain", None)
    head = default_head(scans[0].array) if brain is None else brain.array > 0
    seen = resampled(head.astype(np.uint8), scans[0].spacing_mm, params.spacing_mm, codes=True) > 0
    if not seen.any():
        raise DataError(f"{files.id} must show a head at {params.spacing_mm:g} mm, but got none.")
    images = np.stack([_image(scan, head, params) for scan in scans])
    codes = {
        role: resampled(scan.array, scan.spacing_mm, params.spacing_mm, codes=True) for role, scan in labels.items()
    }
    return Raw(files, images, seen, codes.pop("labels", None), codes)


def _image(scan: Scan, head: np.ndarray, params: NiftiParams) -> np.ndarray:
    image = normalised(scan.array, head, params.intensity)
    return resampled(image, scan.spacing_mm, params.spacing_mm, codes=False)


def _table(params: NiftiParams, raw: Sequence[Raw], context: PoolContext) -> LabelTable | None:
    if params.labels is None:
        return None
    if params.structures is not None:
        return LabelTable({name: tuple(codes) for name, codes in params.structures.items()})
    folder = scan_folder(params.folder, context.base_dir, context.data_root)
    places_of_table = [folder / str(params.table), context.base_dir / str(params.table)]
    path = next((path for path in places_of_table if path.is_file()), places_of_table[0])
    present = [np.unique(each.codes).tolist() for each in raw if each.codes is not None]
    return table_from(read_table(path), present, params.in_cases)


def _target(params: NiftiParams, table: LabelTable) -> TargetSpec:
    names = list(table.names)
    regions = tuple((name, chosen(patterns, names)) for name, patterns in params.regions.items())
    groups = tuple((name, chosen(patterns, names)) for name, patterns in params.groups.items())
    meant: dict[str, tuple[str, ...]] = {name: (name,) for name in names}
    for name, members in (*regions, *groups):
        if meant.setdefault(name, members) != members:
            raise DataError(f"structures, regions and groups must have names of their own, but got {name!r} twice.")
    return TargetSpec("mask", "mask", (), table.classes, regions=regions, groups=groups)


def _shape(params: NiftiParams, raw: Sequence[Raw]) -> np.ndarray:
    """The common grid: as stated, or the smallest in which every head fits, a multiple of eight along each axis."""
    sizes = {each.files.id: box_of(each.head)[1] for each in raw}
    largest = reduce(np.maximum, sizes.values())
    if params.shape is None:
        return -(-largest // 8) * 8
    shape = np.array(params.shape)
    for name, size in sizes.items():
        if (size > shape).any():
            raise DataError(f"shape must hold every head, but got {params.shape} for {size.tolist()} of {name!r}.")
    return shape


def _case(
    params: NiftiParams, raw: Raw, table: LabelTable | None, sources: Mapping[str, tuple[str, ...]], shape: np.ndarray
) -> Case:
    start, size = box_of(raw.head)

    def on_grid(array: np.ndarray) -> np.ndarray:
        return laid_in(params.plane, fitted(array, start, size, shape))

    name = raw.files.id
    mask = None if table is None or raw.codes is None else on_grid(table.recoded(raw.codes, name))
    where = places(fitted(raw.head, start, size, shape))
    axes = axes_of(params.plane)
    along = [where[axis][::-1].copy() if place == 1 else where[axis] for place, axis in enumerate(axes)]
    return Case(
        id=name,
        patient=patient_of(name, params.patients, params.patient_before),
        images=on_grid(raw.images),
        places=(along[0], along[1], along[2]),
        mask=mask,
        partial={s: on_grid(c) for s, c in _partial(params, raw, table, sources).items()},
    )


def _partial(
    params: NiftiParams, raw: Raw, table: LabelTable | None, sources: Mapping[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """What each source says of a case, in the codes of its own structures; nothing where it has no file of it."""
    found: dict[str, np.ndarray] = {}
    for source in params.partial:
        assert table is not None
        kept = sources[source.name]
        if source.labels is None:
            assert raw.codes is not None
            found[source.name] = hidden_but(table.recoded(raw.codes, raw.files.id), table.classes, kept)
        elif source.name in raw.sources:
            own = {name: tuple(source.codes[name]) for name in kept} if source.codes else None
            of_source = LabelTable(own) if own else LabelTable({name: table.codes[name] for name in kept}, table.others)
            found[source.name] = of_source.recoded(raw.sources[source.name], f"{raw.files.id} by {source.name}")
    return found


def _check_sources(sources: Mapping[str, tuple[str, ...]], cases: Sequence[Case]) -> None:
    for name, structures in sources.items():
        masks = [case.partial[name] for case in cases if name in case.partial]
        if not masks:
            raise DataError(f"the source {name!r} must have annotated some case, but got none.")
        check_present(LabelTable({each: (place,) for place, each in enumerate(structures, 1)}), masks, repr(name))
