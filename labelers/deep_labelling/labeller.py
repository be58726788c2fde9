"""The labeller: learns from a few annotated images how a contour is drawn, and draws it on others."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from labelers.deep_labelling.annotated import AnnotatedSet, LeftOut, annotated_set, checked_images
from labelers.deep_labelling.confidence import Calibration, calibrated, rule_of_thumb
from labelers.deep_labelling.consensus import FEATURES, Traced
from labelers.deep_labelling.detector import Detector
from labelers.deep_labelling.fitting import fitted, held_back
from labelers.deep_labelling.keeping import Kept, read_model, write_model
from labelers.deep_labelling.policies import Policy, Starts
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.training import folds, generator_of
from labelers.deep_labelling.walking import CHUNK, walk


@dataclass(frozen=True)
class Segmentation:
    """Answers to ``n`` images.

    ``masks`` ``(n, h, w)`` bool; ``contours``: ``(k, 2)`` px each, x before y, ``(0, 2)`` where no orbit closed;
    ``confidence`` ``(n,)`` float32: the Dice to be expected, 0 where no orbit closed; ``converged`` ``(n,)`` bool;
    ``reasons``: why there is no contour, empty where there is one.
    """

    masks: np.ndarray
    contours: list[np.ndarray]
    confidence: np.ndarray
    converged: np.ndarray
    reasons: list[str]


@dataclass(frozen=True)
class TrainingReport:
    """What training found: images it could not use, losses a step by network, and per usable image (by its place in
    the set) the Dice of the answer by networks that had not seen it; an image with a low one may be wrongly annotated.
    """

    left_out: tuple[LeftOut, ...] = ()
    losses: dict[str, list[float]] = field(default_factory=dict)
    held_back_dice: dict[int, float] = field(default_factory=dict)
    held_back_confidence: dict[int, float] = field(default_factory=dict)


class DeepLabeller:
    """Segments one region an image, after training on a few annotated images.

    ::

        model = DeepLabeller.train(images, masks, DeepLabellingSettings(), rng=np.random.default_rng(0))
        result = model.segment(more_images)
        result.masks[result.confidence > 0.9]
    """

    def __init__(
        self,
        settings: DeepLabellingSettings,
        policy: Policy,
        detector: Detector,
        calibration: Calibration,
        report: TrainingReport | None = None,
    ) -> None:
        self.settings, self.policy, self.detector = settings, policy, detector
        self.calibration, self.report = calibration, report or TrainingReport()

    @classmethod
    def train(
        cls,
        images: np.ndarray,
        masks: np.ndarray,
        settings: DeepLabellingSettings | None = None,
        *,
        rng: np.random.Generator,
        groups: np.ndarray | None = None,
    ) -> "DeepLabeller":
        """Learn from images ``(n, h, w)`` float32 in [0, 1] and their regions ``(n, h, w)`` bool.

        ``groups`` ``(n,)``: the case of each image; images of one case are never held back from networks that saw
        others of it. Images whose region breaks a rule are left out and named in ``report.left_out``.

        Raises DataError when an array has the wrong form, holds NaN, is empty, or no image is usable.
        """
        settings = settings or DeepLabellingSettings()
        if not isinstance(rng, np.random.Generator):
            raise DataError(f"rng must be a numpy random Generator, but got {rng!r}.")
        if groups is not None and len(groups) != len(images):
            raise DataError(f"groups must name the case of each of {len(images)} images, but got {len(groups)}.")
        annotated = annotated_set(images, masks)
        kept = None if groups is None else np.asarray(groups)[annotated.rows]
        return _trained(cls, annotated, settings, kept, rng)

    def segment(self, images: np.ndarray) -> Segmentation:
        """Contours for images ``(n, h, w)`` float32 in [0, 1], of any size of at least 32 px a side.

        The same images get the same answers, in any company. Raises DataError on images of a wrong form or with NaN.
        """
        images = checked_images(images)
        traced = self.traced(images)
        features = np.array([one.features for one in traced]).reshape(-1, len(FEATURES))
        converged = np.array([one.contour is not None for one in traced], bool)
        return Segmentation(
            masks=np.array([one.mask for one in traced], bool).reshape(images.shape),
            contours=[np.zeros((0, 2)) if one.contour is None else one.contour for one in traced],
            confidence=np.where(converged, self.calibration.confidence(features), 0).astype(np.float32),
            converged=converged,
            reasons=[one.reason for one in traced],
        )

    def traced(self, images: np.ndarray, starts: Starts | None = None) -> list[Traced]:
        """All that was walked in images ``(n, h, w)``, from the detector's starts or from given ones."""
        return [
            one
            for first in range(0, len(images), CHUNK)
            for one in walk(
                self.policy, self.detector, images[first : first + CHUNK], self.settings, _some(starts, first)
            )
        ]

    def save(self, path: str | Path) -> None:
        """Write weights, settings and calibration as one safetensors file. Raises DataError when that is impossible."""
        write_model(Path(path), Kept(self.settings, self.policy, self.detector, self.calibration))

    @classmethod
    def load(cls, path: str | Path) -> "DeepLabeller":
        """Read what :meth:`save` wrote. Raises DataError when the file is missing, damaged or of another form."""
        kept = read_model(Path(path))
        return cls(kept.settings, kept.policy, kept.detector, kept.calibration)


def _some(starts: Starts | None, first: int) -> Starts | None:
    part = slice(first, first + CHUNK)
    return None if starts is None else Starts(starts.centres[part], starts.radii[part])


def _trained(
    cls: type[DeepLabeller],
    annotated: AnnotatedSet,
    settings: DeepLabellingSettings,
    groups: np.ndarray | None,
    rng: np.random.Generator,
) -> DeepLabeller:
    generator = generator_of(rng)
    policy, detector, losses = fitted(annotated, settings, generator)
    fold = folds(len(annotated), groups, rng)
    if fold is None:
        report = TrainingReport(annotated.left_out, losses)
        return cls(settings, policy, detector, rule_of_thumb(len(FEATURES)), report)
    features, truth = held_back(annotated, fold, settings, generator)
    calibration = calibrated(features, truth)
    report = TrainingReport(
        annotated.left_out,
        losses,
        dict(zip(annotated.rows.tolist(), truth.tolist(), strict=True)),
        dict(zip(annotated.rows.tolist(), calibration.confidence(features).tolist(), strict=True)),
    )
    return cls(settings, policy, detector, calibration, report)
