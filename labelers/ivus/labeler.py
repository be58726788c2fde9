"""The ``ivus`` labeler: a pullback in, the masks of its sections out."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dataeff_al.digests import digest_arrays
from dataeff_al.errors import DataError, GeometryError
from dataeff_al.labeling.types import (
    Deferred,
    Label,
    LabelerContext,
    LabelerInfo,
    LabelFailure,
    Outcome,
    Request,
    Times,
)
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, Sample, SampleSpec, TargetSpec
from dataeff_al.vessel.tissues import TISSUES
from labelers.ivus.borders import Borders
from labelers.ivus.finding import segment
from labelers.ivus.masks import LEAST_WALL_PX, section_masks, thickened
from labelers.ivus.pullback import Pullback
from labelers.ivus.reading import read_pullback
from labelers.ivus.spec import IvusParams
from labelers.ivus.visibility import SEEN

VERSION = "4"
NO_VESSEL = "a pullback must show a vessel in some frame, but got borders that noise shows, too ({:.2f})."


class IvusLabeler:
    """Finds the borders of each pullback and answers ``mask`` ``([d,] h, w)`` uint8 of tissue codes on its grid.

    Samples hold frames as ``x`` ``(1, d, h, w)``, or one frame ``(1, h, w)``, whose pixel size the pool states. The
    label's confidence is the mean over frames; a pullback below ``least_confidence`` comes back as a draft::

        labeler = IvusLabeler(IvusParams(), LabelerContext(pool, base_dir, data_root))
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: IvusParams, context: LabelerContext) -> None:
        """Raises DataError when the pool's samples are no grey frames."""
        field = context.pool.spec.fields.get("x")
        if field is None or field.kind != "intensity" or len(field.shape) not in (3, 4) or field.shape[0] != 1:
            raise DataError(f"ivus must get grey frames x (1, [d,] h, w), but got {_forms(context.pool.spec)!r}.")
        self._params = params
        self._pixel_size_mm = field.pixel_size_mm if params.pixel_size_mm is None else params.pixel_size_mm
        self.info = LabelerInfo(
            name="ivus",
            version=VERSION,
            target=TargetSpec("mask", "mask", field.shape[1:], classes=TISSUES),
            effect="pure",
            unit="pullback",
            accepts_synthesised=True,
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """The masks of each pullback, or a refusal with the reason."""
        return [self._label(request.sample) for request in batch]

    def _label(self, sample: Sample) -> Outcome:
        started, cpu = time.perf_counter(), time.process_time()
        try:
            pullback = self._pullback(sample)
            borders = segment(pullback)
            drawn, moved = thickened(borders, pullback.pixel_size_mm)
            masks, reasons = section_masks(drawn, pullback, self._params)
        except (DataError, GeometryError) as error:
            return LabelFailure(str(error), "refused")
        if borders.confidence.max() < SEEN:
            return LabelFailure(NO_VESSEL.format(float(borders.confidence.max())), "refused")
        if len(reasons) == len(masks):
            return LabelFailure(f"a pullback must show a vessel in some frame, but got {reasons[0]}", "refused")
        sure = float(borders.confidence.mean())
        times = Times(work_s=time.perf_counter() - started, cpu_s=time.process_time() - cpu)
        mask = masks.reshape(self.info.target.shape)
        label = Label({"mask": mask}, times=times, confidence=sure, notes=_notes(borders, reasons, moved))
        if sure < self._params.least_confidence:
            return Deferred(label, sure, f"the borders are seen in too few places, but got a mean of {sure:.2f}.")
        return label

    def _pullback(self, sample: Sample) -> Pullback:
        frames = np.asarray(sample.fields["x"])
        frames = frames.reshape(-1, *frames.shape[-2:])
        given = sample.fields.get("pixel_size_mm")
        size = self._pixel_size_mm if given is None else float(np.asarray(given).reshape(-1)[0])
        if size is None:
            raise DataError("frames must come with their pixel_size_mm, but got none.")
        spacing = sample.fields.get("frame_spacing_mm")
        own = self._params.frame_spacing_mm if spacing is None else float(np.asarray(spacing).reshape(-1)[0])
        return Pullback(frames, size, own if own and np.isfinite(own) else None)

    def plot(self, sample: Sample, label: Label, path: Path) -> None:  # noqa: ARG002
        """Draw frames with borders, the longitudinal cut and the measures as PNG; a CSV and a page lie beside it.

        A label holds masks alone, so that the borders are found again: the same frames give the same ones.
        """
        from labelers.ivus.report import write_report

        pullback = self._pullback(sample)
        write_report(path, pullback, segment(pullback), str(sample.id))


def _notes(borders: Borders, reasons: dict[int, str], moved: np.ndarray) -> dict[str, str]:
    unseen = [f"{100 * (1 - seen.mean()):.0f}" for seen in (borders.lumen_seen, borders.eem_seen)]
    notes = {"bridged": f"lumen {unseen[0]} %, EEM {unseen[1]} % of all angles were bridged, not seen"}
    unsure = np.flatnonzero(borders.confidence < SEEN)
    if len(unsure):
        notes["unseen"] = f"{len(unsure)} frame(s) show no vessel beyond noise, first frame {unsure[0]}"
    if moved.any():
        notes["thickened"] = (
            f"walls thinner than {LEAST_WALL_PX:g} pixels were drawn so thick in {np.count_nonzero(moved)} frame(s), "
            f"at up to {100 * moved.max():.0f} % of the angles: their stress is too low there; finer pixels avoid it"
        )
    if reasons:
        first = next(iter(reasons))
        notes["no_section"] = f"{len(reasons)} frame(s) make no section, first frame {first}: {reasons[first]}"
    return notes


def _forms(spec: SampleSpec) -> dict[str, tuple[int, ...]]:
    return {name: field.shape for name, field in spec.fields.items()}


def read_file(params: IvusParams, path: Path) -> ArrayPool:
    """A recording as a pool of one sample, named by its content, never by its file or patient.

    Raises DataError as :func:`labelers.ivus.reading.read_pullback` does.
    """
    pullback = read_pullback(path, pixel_size_mm=params.pixel_size_mm, frame_spacing_mm=params.frame_spacing_mm,
                             every=params.every)  # fmt: skip
    return pool_of([pullback])


def pool_of(pullbacks: Sequence[Pullback]) -> ArrayPool:
    """Recordings of one shape and scale as a pool; grey levels are scaled to [0, 1] over each recording."""
    frames = np.stack([_unit(pullback.frames) for pullback in pullbacks])[:, None]
    first = pullbacks[0]
    names = [f"pullback-{digest_arrays({'frames': p.frames}).rpartition(':')[2][:12]}" for p in pullbacks]
    x = FieldSpec(frames.shape[1:], "float32", "intensity", range=(0.0, 1.0), pixel_size_mm=first.pixel_size_mm)
    fields, specs = {"x": frames}, {"x": x}
    if all(p.frame_spacing_mm is not None for p in pullbacks):
        fields["frame_spacing_mm"] = np.array([p.frame_spacing_mm for p in pullbacks], np.float32)
        specs["frame_spacing_mm"] = FieldSpec((), "float32", "values", unit="mm")
    return array_pool(Columns(SampleSpec(specs, "x"), names, names, fields), codec_for, to_learn=False)


def _unit(frames: np.ndarray) -> np.ndarray:
    low, high = float(frames.min()), float(frames.max())
    return (frames - np.float32(low)) / np.float32(max(high - low, 1e-9))
