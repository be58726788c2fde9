"""How a model of scans is judged on held-out cases: overlaps, and MONAI's 95th percentile of surface distances."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness import Json
from dataeff_al.labeling.types import Label
from dataeff_al.learners.protocol import Learner
from dataeff_al.metrics import evaluate
from dataeff_al.samples.types import SampleId, TargetSpec
from dataeff_al.volumes.pool import AnsweredCasePool


def judged(pool: AnsweredCasePool, learner: Learner, cases: Sequence[str], *, surfaces: bool = False) -> Json:
    """Mean over cases of every metric, and each case's own; ``surfaces``: distances of the target's regions too."""
    each = {name: _one(pool, learner, SampleId(name), surfaces) for name in cases}
    names = list(dict.fromkeys(key for found in each.values() for key in found))
    means = {key: float(np.mean([found[key] for found in each.values() if key in found])) for key in names}
    return {"mean": means, "cases": each}


def _one(pool: AnsweredCasePool, learner: Learner, case: SampleId, surfaces: bool) -> dict[str, float]:
    truth = pool.answers([case])[0][pool.target.name]
    guess = learner.predict(pool.codec().soften(pool.read([case])))
    found = evaluate(pool.target, guess.numpy(), [Label({pool.target.name: truth})])
    if surfaces:
        spacing = pool.spec.input_field.spacing_mm
        found |= hausdorff_mm(pool.target, guess.argmax(1)[0].numpy(), truth, spacing or (1.0, 1.0, 1.0))
    return found


def hausdorff_mm(
    target: TargetSpec, guess: np.ndarray, truth: np.ndarray, spacing_mm: Sequence[float]
) -> dict[str, float]:
    """The 95th percentile of the distance between the surfaces of each region, ``hd95_mm/<region>``, where both have
    one; codes ``(d, h, w)``."""
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    found = {}
    for region, members in target.regions:
        codes = [target.classes.index(name) for name in members]
        found_at, true_at = (_mask(np.isin(array, codes)) for array in (guess, truth))
        if bool(found_at.any()) and bool(true_at.any()):
            distance = compute_hausdorff_distance(
                found_at, true_at, include_background=True, percentile=95, spacing=list(spacing_mm)
            )
            found[f"hd95_mm/{region}"] = float(distance)
    return found


def _mask(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array[None, None].astype(np.uint8))
