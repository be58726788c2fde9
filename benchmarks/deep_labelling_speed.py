"""Speed on one core: pairs generated against pairs consumed at 64 x 64, and contours traced at 256 x 256."""

import time
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.deep_labelling_data import slices, training
from benchmarks.harness import Json
from dataeff_al.randomness import rng_for
from labelers.deep_labelling import DeepLabeller, DeepLabellingSettings
from labelers.deep_labelling.annotated import annotated_set
from labelers.deep_labelling.networks import PatchNetwork
from labelers.deep_labelling.pairs import drawn_places, form_for, in_patch, read_patches

SIDE, BATCH = 64, 64


def speed(quick: bool) -> Json:
    """Rates by this process's CPU time."""
    known = annotated_set(*(_first(2)))
    form = form_for(float(known.radii.median()), SIDE)
    key = torch.Generator().manual_seed(0)

    def generate() -> tuple[torch.Tensor, torch.Tensor]:
        places = drawn_places(known, BATCH, 5.0, 180.0, key)
        return read_patches(known, places, form, key), in_patch(places.gradient, places.headings)

    network = PatchNetwork(SIDE, 2, (32, 64, 128, 128))
    optimiser = torch.optim.Adam(network.parameters())
    patches, lesson = generate()

    def consume() -> None:
        optimiser.zero_grad()
        ((network(patches) - lesson) ** 2).mean().backward()
        optimiser.step()

    repeats = 3 if quick else 60
    made, eaten = BATCH / cpu_s(generate, repeats), BATCH / cpu_s(consume, repeats)
    settings = DeepLabellingSettings(steps=30, detector_steps=60)
    images = slices()[1].images[: 8 if quick else 128]
    model = DeepLabeller.train(*_first(4), settings, rng=rng_for(0, "speed"))
    model.segment(images[:8])
    answered = cpu_s(lambda: model.segment(images), 1)
    return {
        "pairs_per_s": made,
        "pairs_consumed_per_s": eaten,
        "pairs_to_training_ratio": made / eaten,
        "contours_per_s": len(images) / answered,
    }


def _first(k: int) -> tuple[np.ndarray, np.ndarray]:
    known = training(k, 0)
    return known.images, known.masks


def cpu_s(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of one call, after a warm-up."""
    work()
    started = time.process_time()
    for _ in range(repeats):
        work()
    return (time.process_time() - started) / repeats
