"""The ``fem_stress`` labeler: masks in, stress maps out."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError, GeometryError
from dataeff_al.labeling.types import Label, LabelerContext, LabelerInfo, LabelFailure, Outcome, Request, Times
from dataeff_al.samples.types import Sample, SampleId, TargetSpec
from dataeff_al.vessel.tissues import UNSTRESSED
from labelers.fem_stress.audit import audit_notes, finer, is_audited
from labelers.fem_stress.from_mask import MaskCase, prepare_mask, stress_map
from labelers.fem_stress.problem import Answer
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.spec import FemStressParams
from labelers.fem_stress.spec_settings import settings_of
from labelers.fem_stress.stacks import joined, planes, worst_plane
from labelers.fem_stress.stress import CHANNELS
from labelers.fem_stress.unloaded import solve_imaged

VERSION = "1"
BATCH = 8


class FemStressLabeler:
    """Solves plane-strain equilibrium under lumen pressure on each mask and answers stress on the mask's own grid.

    The answer ``stress`` is ``(k, h, w)`` float32 in kPa, NaN outside tissue. A mask that is no sound section is
    refused with the rule that it breaks; the other samples of the batch are answered all the same. A stack of sections
    ``(d, h, w)`` is answered ``(k, d, h, w)``::

        labeler = FemStressLabeler(FemStressParams(), LabelerContext(pool, base_dir, data_root))
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: FemStressParams, context: LabelerContext) -> None:
        """Raises DataError when the pool has no field ``mask`` of class codes."""
        field = context.pool.spec.fields.get("mask")
        if field is None or field.kind != "codes" or len(field.shape) not in (2, 3):
            raise DataError(
                f"fem_stress must get samples with a mask ([d,] h, w), but got {list(context.pool.spec.fields)!r}."
            )
        self._stacked = len(field.shape) == 3
        self._settings: StressSettings = settings_of(params)
        self._audit = params.audit
        self._rows = [CHANNELS.index(name) for name in params.channels]
        self._pixel_size_mm = field.pixel_size_mm
        target = TargetSpec(
            "stress",
            "field",
            (len(self._rows), *field.shape),
            channels=tuple(params.channels),
            unit="kPa",
            undefined_in=UNSTRESSED,
        )
        self.info = LabelerInfo(
            name="fem_stress",
            version=VERSION,
            target=target,
            effect="pure",
            unit="solve",
            preferred_batch=BATCH,
            fidelities=(self._settings.fidelity,),
            accepts_synthesised=True,
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """A stress map for each sample, or a refusal with the rule; a stack of sections is solved plane by plane."""
        if not self._stacked:
            return self._label_planes(batch)
        return [joined(self._label_planes(planes(request)), self.info.target.shape) for request in batch]

    def _label_planes(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        started, cpu = time.perf_counter(), time.process_time()
        cases = [self._prepared(request.sample) for request in batch]
        good = [case for case in cases if isinstance(case, MaskCase)]
        answers = iter(solve_imaged([case.problem for case in good])) if good else iter(())
        outcomes = [case if isinstance(case, LabelFailure) else self._label(case, next(answers)) for case in cases]
        outcomes = [self._audited(request, outcome) for request, outcome in zip(batch, outcomes, strict=True)]
        share = max(len(good), 1)
        times = Times(work_s=(time.perf_counter() - started) / share, cpu_s=(time.process_time() - cpu) / share)
        return [_timed(outcome, times) for outcome in outcomes]

    def _prepared(self, sample: Sample) -> MaskCase | LabelFailure:
        try:
            return prepare_mask(sample.fields["mask"], self._pixel(sample), self._settings)
        except (GeometryError, DataError) as error:
            return LabelFailure(str(error), "refused")

    def _pixel(self, sample: Sample) -> float:
        given = sample.fields.get("pixel_size_mm")
        size = self._pixel_size_mm if given is None else float(np.asarray(given).reshape(-1)[0])
        if size is None:
            raise DataError("a mask must come with its pixel_size_mm, but got none.")
        if not np.isfinite(size) or not 1e-4 <= size <= 10:
            raise DataError(f"pixel_size_mm must lie within 0.0001 and 10, but got {size!r}.")
        return size

    def _label(self, case: MaskCase, answer: Answer) -> Outcome:
        if answer.reason:
            return LabelFailure(answer.reason, "refused")
        try:
            stress = stress_map(case, answer, self.info.target.channels)
        except GeometryError as error:
            return LabelFailure(str(error), "refused")
        return Label({"stress": stress}, case.valid)

    def _audited(self, request: Request, outcome: Outcome) -> Outcome:
        if not isinstance(outcome, Label) or not is_audited(request, self._audit.share):
            return outcome
        sample, settings = request.sample, finer(self._settings, self._audit.refine)
        notes = audit_notes(
            sample.fields["mask"],
            self._pixel(sample),
            settings,
            self.info.target.channels,
            self._rows,
            outcome.target["stress"],
        )
        return replace(outcome, notes={**outcome.notes, **notes})

    def plot(self, sample: Sample, label: Label, path: Path) -> None:
        """Draw the section, the mesh and the stress of a label as PNG; channels it does not hold are solved again.

        Of a stack, the plane with the highest stress is drawn.
        """
        from labelers.fem_stress.plot_panels import HEADINGS, Scene
        from labelers.fem_stress.plotting import stress_picture

        if self._stacked:
            sample, label = _worst(sample, label)
        mask, size = sample.fields["mask"], self._pixel(sample)
        case = prepare_mask(mask, size, self._settings)
        maps = dict(zip(self.info.target.channels, label.target["stress"], strict=True))
        if set(HEADINGS) - set(maps):
            solved = stress_map(case, solve_imaged([case.problem])[0])
            maps = dict(zip(CHANNELS, solved, strict=True)) | maps
        scene = Scene(str(sample.id), mask, size, case.problem.nodes, maps, self._settings, label.notes)
        path.write_bytes(stress_picture(scene))

    def plot_failure(self, sample: Sample, failure: LabelFailure, path: Path) -> None:
        """Draw the section of a refused sample with the reason as PNG."""
        from labelers.fem_stress.plotting import refusal_picture

        try:
            size = self._pixel(sample)
        except DataError:
            size = None
        mask = np.asarray(sample.fields["mask"])
        mask = mask[len(mask) // 2] if self._stacked else mask
        path.write_bytes(refusal_picture(str(sample.id), mask, size, failure.reason))


def _worst(sample: Sample, label: Label) -> tuple[Sample, Label]:
    place = worst_plane(label.target["stress"])
    fields = {**sample.fields, "mask": np.asarray(sample.fields["mask"])[place]}
    plane = Sample(SampleId(f"{sample.id}/z{place:03d}"), fields, sample.group)
    return plane, replace(label, target={"stress": label.target["stress"][:, place]}, valid=None)


def _timed(outcome: Outcome, times: Times) -> Outcome:
    return replace(outcome, times=times) if isinstance(outcome, Label) else outcome
