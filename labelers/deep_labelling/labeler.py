"""The ``deep_labelling`` labeler: images in, masks out, each with the Dice that is to be expected of it."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.types import Label, LabelerContext, LabelerInfo, LabelFailure, Outcome, Request, Times
from dataeff_al.samples.types import Sample, TargetSpec
from labelers.deep_labelling.labeller import DeepLabeller, Segmentation
from labelers.deep_labelling.learnt import (
    Annotations,
    annotations_of,
    check_pictures,
    check_usable,
    regions_of,
    trained,
    unit_images,
)
from labelers.deep_labelling.spec import DeepLabellingParams

VERSION = "5"
BATCH = 32
TIMEOUT_S = 4 * 3600.0


class DeepLabellingLabeler:
    """Learns from its annotated images when it is first asked, then traces contours.

    An answer ``mask`` ``(h, w)`` uint8 holds the code of each region, and its confidence is the least of its regions'.
    An image in which an orbit does not close is refused with the reason, and so passed on by ``escalate``::

        labeler = DeepLabellingLabeler(DeepLabellingParams(annotated="train.npz"), context)
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: DeepLabellingParams, context: LabelerContext) -> None:
        """Raises DataError when samples are no images, when the annotated ones are missing, no masks or all unusable,
        and when there is no folder to save in.
        """
        self._form = check_pictures(context.pool.spec.fields.get("x"))
        self._params, self._base_dir = params, context.base_dir
        self._known: Annotations | None = None if params.model else annotations_of(params, context)
        classes = self._known.classes if self._known else _painted(params)
        self._regions = regions_of(params, classes)
        self._refused: DataError | None = None
        if self._known is not None:
            check_usable(self._known, self._regions)
        if params.save is not None and not (context.base_dir / params.save).parent.is_dir():
            raise DataError(f"the folder to save a model in must be there, but got {params.save!r}.")
        top = max([len(classes) - 1, *(region.paint for region in self._regions)])
        names = {region.paint: region.name for region in self._regions}
        shown = tuple(
            classes[code] if code < len(classes) else names.get(code, f"code_{code}") for code in range(top + 1)
        )
        self.info = LabelerInfo(
            name="deep_labelling",
            version=VERSION,
            target=TargetSpec("mask", "mask", self._form.shape[1:], classes=shown),
            effect="pure",
            cost=params.cost,
            max_cost=params.cost,
            preferred_batch=BATCH,
            timeout_s=TIMEOUT_S,
            accepts_synthesised=True,
        )

    @property
    def models(self) -> list[DeepLabeller]:
        """A labeller for each region, trained or read when first asked for. Raises DataError when that fails."""
        # Training that failed fails again: it is not paid for with every image that is asked about.
        if self._refused is not None:
            raise self._refused
        try:
            return self._made
        except DataError as error:
            self._refused = error
            raise

    @cached_property
    def _made(self) -> list[DeepLabeller]:
        if self._params.model is not None:
            return [DeepLabeller.load(self._base_dir / self._params.model)]
        if self._known is None:
            raise DataError("there must be annotated images, but got none.")
        models = trained(self._params, self._known, self._regions)
        if self._params.save is not None:
            self._save(models, self._base_dir / self._params.save)
        return models

    def _save(self, models: Sequence[DeepLabeller], path: Path) -> None:
        for region, model in zip(self._regions, models, strict=True):
            model.save(path if len(models) == 1 else path.with_name(f"{path.stem}-{region.name}{path.suffix}"))

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """A mask for each image with its confidence, or a refusal with the reason."""
        if not batch:
            return []
        models = self.models
        started, cpu = time.perf_counter(), time.process_time()
        images = [unit_images(request.sample.fields["x"][None], self._form)[0] for request in batch]
        good = [row for row, image in enumerate(images) if _problem(image) is None]
        found = [model.segment(np.stack([images[row] for row in good])) for model in models] if good else []
        place = {row: number for number, row in enumerate(good)}
        outcomes = [
            self._outcome(found, place[row]) if row in place else LabelFailure(_problem(image) or "")
            for row, image in enumerate(images)
        ]
        share = len(batch)
        times = Times(work_s=(time.perf_counter() - started) / share, cpu_s=(time.process_time() - cpu) / share)
        return [replace(outcome, times=times) if isinstance(outcome, Label) else outcome for outcome in outcomes]

    def _outcome(self, found: Sequence[Segmentation], row: int) -> Outcome:
        mask = np.zeros(self.info.target.shape, np.uint8)
        for region, answers in zip(self._regions, found, strict=True):
            if not answers.converged[row]:
                return LabelFailure(f"{region.name} must have a closed contour, but {answers.reasons[row]}.")
            mask[answers.masks[row]] = region.paint
        sure = float(min(answers.confidence[row] for answers in found))
        return Label({"mask": mask}, cost=self.info.cost, confidence=sure, notes={"expected_dice": f"{sure:.3f}"})

    def plot(self, sample: Sample, label: Label, path: Path) -> None:
        """Draw field, walks, patches and contour of an image as PNG."""
        self._draw(sample, path, label.confidence, "")

    def plot_failure(self, sample: Sample, failure: LabelFailure, path: Path) -> None:
        """Draw the walks of a refused image with the reason as PNG."""
        self._draw(sample, path, None, failure.reason)

    def _draw(self, sample: Sample, path: Path, confidence: float | None, reason: str) -> None:
        from labelers.deep_labelling.plotting import walk_picture

        image = unit_images(sample.fields["x"][None], self._form)[0]
        named = {region.name: model for region, model in zip(self._regions, self.models, strict=True)}
        path.write_bytes(walk_picture(str(sample.id), image, named, confidence, reason))


def _painted(params: DeepLabellingParams) -> tuple[str, ...]:
    if not params.regions:
        return ("background", "region_1")
    top = max(region.paint for region in params.regions)
    names: dict[int, str] = {region.paint: region.name for region in params.regions}
    return ("background", *(names.get(code, f"code_{code}") for code in range(1, top + 1)))


def _problem(image: np.ndarray) -> str | None:
    """Why an image cannot be looked at, or None."""
    if not np.isfinite(image).all():
        return "an image must be finite, but got NaN or infinity."
    if min(image.shape) < 32:
        return f"an image must have at least 32 pixels a side, but got {image.shape}."
    if image.min() < 0 or image.max() > 1:
        return f"an image must lie within its declared range, but got {image.min():.4g} to {image.max():.4g} of it."
    return None
