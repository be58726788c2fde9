"""From images to contours: starts are found, all agents of all images walk, and each image gets one answer."""

from dataclasses import replace

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
def ready(policy: Policy, images: np.ndarray, starts: Starts, settings: DeepLabellingSettings) -> tuple[Agents, Limits]:
    """Agents ready to walk in images ``(n, h, w)`` from one start each, and their limits."""
    agents = policy.agents(view_stack(images), starts, torch.Generator().manual_seed(SEGMENT_SEED))
    return agents, Limits((images.shape[1], images.shape[2]), settings.max_turns, midpoint=agents.midpoint)


def ranked(policy: Policy, detector: Detector, stack: Tensor) -> list[tuple[Starts, Tensor]]:
    """Each image's candidates, the one that detector and policy together find likeliest first, and how likely they are
    ``(n,)``.
    """
    candidates = detector.find(stack)
    found = []
    for which in range(candidates.sure.shape[1]):
        starts = candidates.taken(torch.full((len(stack),), which))
        found.append(policy.plausible(stack, starts, torch.Generator().manual_seed(SEGMENT_SEED)))
    score = likelihood(torch.stack([likely for _, likely in found], dim=1), candidates.sure)
    centres = torch.stack([starts.centres for starts, _ in found], dim=1)
    radii = torch.stack([starts.radii for starts, _ in found], dim=1)
    rows = torch.arange(len(stack))
    order = score.argsort(dim=1, descending=True, stable=True)
    return [(Starts(centres[rows, best], radii[rows, best]), score[rows, best]) for best in order.T]


def likelihood(plausible: Tensor, sure: Tensor) -> Tensor:
    """How likely candidates are the region, by what a look from there shows and how sure the detector is of them.

    The detector's word counts twice: a network that has learnt longer is more decided, about a wrong place, too.
    """
    return plausible * sure.clamp_min(1e-3) ** 2


@torch.no_grad()
def walk(
    policy: Policy, detector: Detector, images: np.ndarray, settings: DeepLabellingSettings, given: Starts | None = None
) -> list[Traced]:
    """Find starts, let all agents of all images walk as one batch, and agree on a contour an image.

    Where no orbit closes the agents start again from the next likeliest place; when all have been tried, the answer is
    why the likeliest one failed.
    """
    if not len(images):
        return []
    choices = [(given, torch.ones(len(images)))] if given is not None else ranked(policy, detector, view_stack(images))
    answers = _walked(policy, images, *choices[0], settings)
    for starts, sure in choices[1:]:
        rows = [row for row, answer in enumerate(answers) if answer.contour is None]
        if not rows:
            break
        again = _walked(policy, images[rows], Starts(starts.centres[rows], starts.radii[rows]), sure[rows], settings)
        for row, answer in zip(rows, again, strict=True):
            answers[row] = answers[row] if answer.contour is None else answer
    return answers


def _walked(
    policy: Policy, images: np.ndarray, starts: Starts, sure: Tensor, settings: DeepLabellingSettings
) -> list[Traced]:
    """One answer an image, from one start each."""
    agents, limits = ready(policy, images, starts, settings)
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
    begun = torch.cat([starts.centres, starts.radii[:, None]], dim=1).tolist()
    return [
        seen(replace(answer, start=tuple(start)), image)
        for answer, start, image in zip(answers, begun, images, strict=True)
    ]
