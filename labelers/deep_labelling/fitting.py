"""From annotated images to what answers, a detector and the networks of a policy, and how good it is likely to be."""

from dataclasses import replace

import numpy as np
import torch

from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.consensus import FEATURES, dice
from labelers.deep_labelling.detector import Detector, spacing_for
from labelers.deep_labelling.policies import Policy, make_policy, typical_radius
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.training import fit, initialised
from labelers.deep_labelling.walking import CHUNK, walk


def fitted(
    annotated: AnnotatedSet, settings: DeepLabellingSettings, generator: torch.Generator, share: float = 1.0
) -> tuple[Policy, Detector, dict[str, list[float]]]:
    """Networks fitted to all of a set in this ``share`` of the usual steps, and the loss of every step of each."""
    facts = {"radius_px": typical_radius(annotated)}
    detector = initialised(lambda: Detector(spacing_for(annotated.images.shape[1:])), generator)
    policy = initialised(lambda: make_policy(settings, facts), generator)
    wanted = settings.steps_for(len(annotated)), settings.detector_steps_for(len(annotated))
    steps, detector_steps = (max(int(share * each), 1) for each in wanted)
    losses = {"detector": _fit_detector(detector, annotated, settings, detector_steps, generator)}
    for member in range(settings.members):
        losses[f"member {member}"] = _fit_member(policy, member, annotated, settings, steps, generator)
    return policy, detector, losses


def _fit_detector(
    detector: Detector, annotated: AnnotatedSet, settings: DeepLabellingSettings, steps: int, generator: torch.Generator
) -> list[float]:
    detector.learn_places(annotated)
    return fit(
        detector.network,
        lambda key: detector.loss(annotated, max(settings.batch // 2, 2), key),
        steps,
        settings.learning_rate,
        generator,
    )


def _fit_member(
    policy: Policy,
    member: int,
    annotated: AnnotatedSet,
    settings: DeepLabellingSettings,
    steps: int,
    generator: torch.Generator,
) -> list[float]:
    return fit(
        policy.networks[member],
        lambda key: policy.loss(member, annotated, settings.batch, key),
        steps,
        settings.learning_rate,
        generator,
    )


def held_back(
    annotated: AnnotatedSet, fold: np.ndarray, settings: DeepLabellingSettings, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Features ``(n, f)`` and Dice ``(n,)`` of each annotated image, by a detector and a network that did not see it.

    They are for this alone, and take half the steps: whoever answers must have seen all that is annotated, of which
    little can be spared where cases are few.
    """
    alone = replace(settings, members=1)
    features, truth = np.zeros((len(annotated), len(FEATURES))), np.zeros(len(annotated))
    for left_out in range(int(fold.max()) + 1):
        policy, detector, _ = fitted(annotated.part(np.flatnonzero(fold != left_out)), alone, generator, share=0.5)
        places = np.flatnonzero(fold == left_out)
        for first in range(0, len(places), CHUNK):
            part = places[first : first + CHUNK]
            answers = walk(policy, detector, annotated.images[part], alone)
            for place, one in zip(part, answers, strict=True):
                features[place], truth[place] = one.features, dice(one.mask, annotated.masks[place])
    return features, truth
