"""A pool of scans on one grid: whole volumes, or slices with their neighbours; both belong to a patient."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from dataeff_al.digests import Ref, canonical_json, digest_arrays
from dataeff_al.errors import DataError
from dataeff_al.samples.anatomy import PARTIAL, PLACES
from dataeff_al.samples.codecs import ImageCodec
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.slices import slice_id
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec
from dataeff_al.volumes.tables import HIDDEN


@dataclass(frozen=True)
class Case:
    """One scan on the pool's grid.

    ``images`` ``(c, d, h, w)`` float32 in [0, 1], 0 outside the head; ``mask`` ``(d, h, w)`` uint8 or None;
    ``partial``: the codes of each source that has annotated it; ``places``: where its depth, rows and columns lie, in
    [0, 1].
    """

    id: str
    patient: str
    images: np.ndarray
    places: tuple[np.ndarray, np.ndarray, np.ndarray]
    mask: np.ndarray | None = None
    partial: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Form:
    """What the cases of a pool have in common.

    ``axes``: which of right, front and top are depth, rows and columns. ``sources``: the structures of each source of
    partial annotations. ``target`` None: nothing is known of the cases. ``aligned``: places are those of the first
    case, onto which the others are laid when they are first read.
    """

    channels: tuple[str, ...]
    axes: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    target: TargetSpec | None
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    slices: bool = False
    context: int = 0
    with_places: bool = True
    aligned: bool = False


class CasePool:
    """Scans as samples: volumes ``case``, or slices ``case/z012`` of those that show something of the head.

    ``x`` holds the images, each with its ``context`` neighbouring slices, and then the places; ``partial_<source>``
    the codes that a source of partial annotations has given, with a last class for what it has not looked at.
    """

    def __init__(self, cases: Sequence[Case], form: Form, held_out: Sequence[str] = ()) -> None:
        """Raises DataError when there is no case, or two have one name."""
        if not cases or len({case.id for case in cases}) < len(cases):
            raise DataError("a pool must hold at least one case, each with its own name, but got something else.")
        self.form, self._cases = form, {case.id: case for case in cases}
        self._shape = cases[0].images.shape[1:]
        self._places = {SampleId(name): place for case in cases for name, place in self._samples_of(case)}
        apart = set(held_out)
        self._held_out = tuple(key for key, (case, _) in self._places.items() if case in apart)
        self._laid: dict[str, np.ndarray] = {}
        self._spec = _spec(form, self._shape)
        self._digest = _digest(cases, form, held_out)

    @property
    def spec(self) -> SampleSpec:
        """The declared form of every sample."""
        return self._spec

    @property
    def digest(self) -> Ref:
        """Digest of the form, the cases' names, patients and arrays, and who is held out."""
        return self._digest

    def ids(self) -> Sequence[SampleId]:
        """All samples, case by case."""
        return tuple(self._places)

    def group(self, sample_id: SampleId) -> str:
        """The patient. Raises DataError on an unknown id."""
        return self._cases[self._at(sample_id)[0]].patient

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """The sample itself. Raises DataError on an unknown id."""
        self._at(sample_id)
        return (sample_id,)

    def held_out(self) -> Sequence[SampleId]:
        """Samples of the cases that are kept for the test."""
        return self._held_out

    def codec(self) -> Codec:
        """Intensities and places are in [0, 1] already."""
        return ImageCodec(self.spec)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The samples in the order asked for, as fresh arrays. Raises DataError on an unknown id."""
        return [self._one(sample_id) for sample_id in ids]

    def _one(self, sample_id: SampleId) -> Sample:
        name, depth = self._at(sample_id)
        case = self._cases[name]
        fields = {"x": self._input(case, depth)}
        for source, classes in self.form.sources.items():
            codes = case.partial.get(source)
            hidden = np.full(self._shape, len(classes) + 1, np.uint8) if codes is None else codes
            fields[PARTIAL + source] = hidden[depth].copy()
        return Sample(sample_id, fields, case.patient)

    def _input(self, case: Case, depth: int | slice) -> np.ndarray:
        context = self.form.context
        if isinstance(depth, slice):
            images = case.images
        else:
            near = np.clip(np.arange(depth - context, depth + context + 1), 0, len(case.images[0]) - 1)
            images = case.images[:, near].reshape(-1, *self._shape[1:])
        if not self.form.with_places:
            return images.copy()
        return np.concatenate([images, self._where(case, depth)], dtype=np.float32)

    def _where(self, case: Case, depth: int | slice) -> np.ndarray:
        grids = self._grids(case, depth)
        order = [self.form.axes.index(axis) for axis in range(3)]
        return np.stack([grids[place] for place in order])

    def _grids(self, case: Case, depth: int | slice) -> Sequence[np.ndarray]:
        if self.form.aligned:
            return list(self._aligned(case)[:, depth])
        return np.meshgrid(*case.places, indexing="ij") if isinstance(depth, slice) else self._plane(case, depth)

    def _aligned(self, case: Case) -> np.ndarray:
        """Places ``(3, d, h, w)`` in the first case's head."""
        if case.id not in self._laid:
            first = next(iter(self._cases.values()))
            self._laid[case.id] = _laid(case, first)
        return self._laid[case.id]

    def _plane(self, case: Case, depth: int) -> list[np.ndarray]:
        rows, columns = np.meshgrid(*case.places[1:], indexing="ij")
        return [np.full_like(rows, case.places[0][depth]), rows, columns]

    def _samples_of(self, case: Case) -> list[tuple[str, tuple[str, int | slice]]]:
        if not self.form.slices:
            return [(case.id, (case.id, slice(None)))]
        shown = np.flatnonzero((case.images[0] > 0).any(axis=(1, 2)))
        return [(slice_id(case.id, int(depth)), (case.id, int(depth))) for depth in shown]

    def _at(self, sample_id: SampleId) -> tuple[str, int | slice]:
        if sample_id not in self._places:
            raise DataError(f"a sample must be one of the pool's {len(self._places)}, but got {sample_id!r}.")
        return self._places[sample_id]


class AnsweredCasePool(CasePool):
    """A :class:`CasePool` whose full annotations are known."""

    def __init__(self, cases: Sequence[Case], form: Form, held_out: Sequence[str] = ()) -> None:
        """Raises DataError as a :class:`CasePool`, and when a case has no full annotation."""
        super().__init__(cases, form, held_out)
        if form.target is None or any(case.mask is None for case in cases):
            raise DataError("an answered pool must hold a full annotation of every case, but got one without.")
        self._target = replace(form.target, shape=self._shape[1:] if form.slices else self._shape)

    @property
    def target(self) -> TargetSpec:
        """The form of the answers."""
        return self._target

    def answers(self, ids: Sequence[SampleId]) -> Sequence[Mapping[str, np.ndarray]]:
        """The masks in the order asked for, as fresh arrays. Raises DataError on an unknown id."""
        return [{self._target.name: self._mask(*self._at(sample_id))} for sample_id in ids]

    def _mask(self, name: str, depth: int | slice) -> np.ndarray:
        mask = self._cases[name].mask
        assert mask is not None
        return mask[depth].copy()


def _laid(case: Case, first: Case) -> np.ndarray:
    if case.id == first.id:
        return np.stack(np.meshgrid(*first.places, indexing="ij"))
    from dataeff_al.volumes.alignment import aligned_places  # torch is wanted only where samples are read

    return aligned_places(case.images[0], case.places, first.images[0], first.places)


def _spec(form: Form, shape: tuple[int, ...]) -> SampleSpec:
    grid, spacing = (shape[1:], form.spacing_mm[1:]) if form.slices else (shape, form.spacing_mm)
    channels = _channels(form)
    fields = {
        "x": FieldSpec(
            (len(channels), *grid),
            "float32",
            "intensity",
            channels=channels,
            range=(0.0, 1.0),
            pixel_size_mm=form.spacing_mm[-1],
            spacing_mm=spacing,
        )
    }
    for source, structures in form.sources.items():
        classes = ("background", *structures, HIDDEN)
        fields[PARTIAL + source] = FieldSpec(grid, "uint8", "codes", classes=classes, spacing_mm=spacing)
    return SampleSpec(fields, "x")


def _channels(form: Form) -> tuple[str, ...]:
    near = range(-form.context, form.context + 1)
    images = [f"{name} {step:+d}" if step else name for name in form.channels for step in near]
    return (*images, *(PLACES if form.with_places else ()))


def _digest(cases: Sequence[Case], form: Form, held_out: Sequence[str]) -> Ref:
    arrays: dict[str, np.ndarray] = {}
    for case in cases:
        arrays[f"images:{case.id}"] = case.images
        arrays |= {f"partial:{name}:{case.id}": codes for name, codes in case.partial.items()}
        arrays |= {f"at:{axis}:{case.id}": where for axis, where in enumerate(case.places)}
        if case.mask is not None:
            arrays[f"mask:{case.id}"] = case.mask
    target = None if form.target is None else [form.target.name, list(form.target.classes)]
    about = {
        "cases": [[case.id, case.patient] for case in cases],
        "held_out": sorted(held_out),
        "channels": list(_channels(form)),
        "axes": list(form.axes),
        "spacing_mm": [float(each) for each in form.spacing_mm],
        "sources": {name: list(classes) for name, classes in form.sources.items()},
        "slices": form.slices,
        "target": target,
    }
    # A pool that aligns nothing keeps the digest that it had.
    about |= {"aligned": True} if form.aligned else {}
    arrays["form"] = np.frombuffer(canonical_json(about), np.uint8)
    return digest_arrays(arrays)
