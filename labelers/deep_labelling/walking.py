"""From images to contours: starts are found, all agents of all images walk, and each image gets one answer."""

import numpy as np
import torch
from torch import Tensor

from labelers.deep_labelling.annotated import view_stack
from labelers.deep_labelling.consensus import Traced, agreed, seen
from labelers.deep_labelling.detector import Detector
from labelers.deep_labelling.policies import Agents, Policy, Starts
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.tracing import Limits, trace

CHUNK = 32
"""Images that walk as one batch."""
SEGMENT_SEED = 20180305


@torch.no_grad()
def prepared(
    policy: Policy, detector: Detector, images: np.ndarray, settings: DeepLabellingSettings, given: Starts | None = None
) -> tuple[Agents, Limits, np.ndarray]:
    """Agents ready to walk in images ``(n, h, w)``, their limits, and how sure each start is ``(n,)``."""
    stack = view_stack(images)
    starts, sure = (given, torch.ones(len(images))) if given is not None else _started(policy, detector, stack)
    agents = policy.agents(stack, starts, torch.Generator().manual_seed(SEGMENT_SEED))
    shape = (images.shape[1], images.shape[2])
    return agents, Limits(shape, settings.max_turns, midpoint=agents.midpoint), sure.numpy()


def _started(policy: Policy, detector: Detector, stack: Tensor) -> tuple[Starts, Tensor]:
    """Of each image's candidates the one that detector and policy together find likeliest, and how likely ``(n,)``."""
    candidates = detector.find(stack)
    found = []
    for which in range(candidates.sure.shape[1]):
        starts = candidates.taken(torch.full((len(stack),), which))
        found.append(policy.plausible(stack, starts, torch.Generator().manual_seed(SEGMENT_SEED)))
    score = likelihood(torch.stack([likely for _, likely in found], dim=1), candidates.sure)
    best, rows = score.argmax(dim=1), torch.arange(len(stack))
    centres = torch.stack([starts.centres for starts, _ in found], dim=1)[rows, best]
    radii = torch.stack([starts.radii for starts, _ in found], dim=1)[rows, best]
    return Starts(centres, radii), score[rows, best]


def likelihood(plausible: Tensor, sure: Tensor) -> Tensor:
    """How likely candidates are the region, by what a look from there shows and how sure the detector is of them."""
    return plausible * sure.clamp_min(1e-3) ** 0.5


@torch.no_grad()
def walk(
    policy: Policy, detector: Detector, images: np.ndarray, settings: DeepLabellingSettings, given: Starts | None = None
) -> list[Traced]:
    """Find starts, let all agents of all images walk as one batch, and agree on a contour an image."""
    if not len(images):
        return []
    agents, limits, sure = prepared(policy, detector, images, settings, given)
    orbits = trace(agents.guide, agents.points, agents.headings, agents.steps_px, limits)
    count = agents.per_image
    answers = [
        agreed(
            orbits[row * count : (row + 1) * count],
            limits.image,
            agents.answering,
            float(agents.sharpness[row]),
            float(sure[row]),
        )
        for row in range(len(images))
    ]
    return [seen(answer, image) for answer, image in zip(answers, images, strict=True)]
