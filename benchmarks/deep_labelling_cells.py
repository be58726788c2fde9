"""One cell: an arm trained on k patients with one seed, and its answers to every test slice."""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.deep_labelling_data import Slices, slices, training
from benchmarks.deep_labelling_scores import contour_gap_px, overlap, recall
from benchmarks.deep_labelling_unet import (
    CROP_SHIFT_PX,
    WHOLE_SHIFT_PX,
    Lessons,
    answered,
    crop_frame,
    fitted,
    whole_frame,
)
from benchmarks.harness import Json
from dataeff_al.randomness import rng_for, seed_for
from labelers.deep_labelling import DeepLabeller, DeepLabellingSettings
from labelers.deep_labelling.annotated import annotated_set

SETTINGS: Mapping[str, DeepLabellingSettings] = {
    "ours": DeepLabellingSettings(),
    "direction": DeepLabellingSettings(policy="direction", members=1),
    "radial": DeepLabellingSettings(policy="radial", members=1),
    "published": DeepLabellingSettings(policy="published", members=1),
}
QUICK = {"steps": 4, "detector_steps": 4, "members": 1, "batch": 4}


def measured(arm: str, k: int, seed: int, quick: bool) -> Json:
    """Dice, sensitivity and contour distance of every test slice, its patient, its confidence, and the seconds."""
    known, (_, test) = training(k, seed), slices()
    judged = test.of(np.unique(test.patients)[:2]) if quick else test
    masks, confidence, converged, trained = ARMS[arm](known, judged, k, seed, quick)
    return {
        "arm": arm,
        "k": k,
        "seed": seed,
        "slices": len(known.images),
        "patients": judged.patients.tolist(),
        "dice": overlap(masks, judged.masks).tolist(),
        "sensitivity": recall(masks, judged.masks).tolist(),
        "gap_px": [contour_gap_px(a, b) for a, b in zip(masks, judged.masks, strict=True)],
        "confidence": confidence.tolist(),
        "converged": converged.tolist(),
        "train_cpu_s": trained,
    }


Answer = tuple[np.ndarray, np.ndarray, np.ndarray, float]


def _ours(arm: str) -> Callable[..., Answer]:
    def run(_: Slices, test: Slices, k: int, seed: int, quick: bool) -> Answer:
        model, spent = _trained(arm, k, seed, quick)
        found = model.segment(test.images)
        return found.masks, found.confidence, found.converged, spent

    return run


@lru_cache(maxsize=1)
def _trained(arm: str, k: int, seed: int, quick: bool) -> tuple[DeepLabeller, float]:
    """A labeller and the CPU seconds of its training; kept, because the peers of ours need its detector and time."""
    known = training(k, seed)
    settings = _shortened(SETTINGS[arm]) if quick else _lengthened(SETTINGS[arm], len(known.images))
    rng = rng_for(seed, "deep labelling", "training", arm, k)
    started = time.process_time()
    model = DeepLabeller.train(known.images, known.masks, settings, rng=rng, groups=known.patients)
    return model, time.process_time() - started


def _lengthened(settings: DeepLabellingSettings, images: int) -> DeepLabellingSettings:
    """A single network takes all the steps that the members of the usual ensemble take together."""
    usual = DeepLabellingSettings()
    return settings if settings == usual else replace(settings, steps=usual.members * usual.steps_for(images))


def _shortened(settings: DeepLabellingSettings) -> DeepLabellingSettings:
    return DeepLabellingSettings(policy=settings.policy, **QUICK)


def _peer(crop: bool, made_up: bool = False) -> Callable[..., Answer]:
    def run(known: Slices, test: Slices, k: int, seed: int, quick: bool) -> Answer:
        ours, spent = _trained("ours", k, seed, quick)
        frame = crop_frame() if crop else whole_frame(test.images.shape[1:])
        lessons = Lessons(frame, CROP_SHIFT_PX if crop else WHOLE_SHIFT_PX, crop, made_up)
        usable = annotated_set(known.images, known.masks)
        began = time.process_time()
        network = fitted(usable, lessons, spent, seed_for(seed, "peer", k) % 2**31)
        trained = time.process_time() - began
        masks = answered(network, frame, test.images, ours.detector if crop else None)
        found = np.any(masks, axis=(1, 2)).reshape(-1)
        return masks, found.astype(np.float32), found, trained

    return run


ARMS: Mapping[str, Callable[..., Any]] = {
    "ours": _ours("ours"),
    "direction": _ours("direction"),
    "radial": _ours("radial"),
    "published": _ours("published"),
    "unet": _peer(True),
    "unet_made_up": _peer(True, made_up=True),
    "unet_whole": _peer(False),
}
