"""Builds the ``shapes`` pool: generated images of one bright, bumpy region each, with a distractor and noise."""

import numpy as np
from scipy.ndimage import gaussian_filter

from dataeff_al.randomness import rng_for
from dataeff_al.samples.arrays import AnsweredArrayPool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.pools.spec import ShapesParams
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

CLASSES = ("background", "region")


def build(params: ShapesParams, context: PoolContext) -> AnsweredArrayPool:
    """Images ``(1, h, w)`` in [0, 1] with the region's mask; they depend on the seed alone."""
    side = params.pixels
    images, masks = drawn_shapes(params.size, side, rng_for(context.seed, "shapes"), params.noise)
    ids = [f"shape-{row:05d}" for row in range(params.size)]
    form = FieldSpec((1, side, side), "float32", "intensity", channels=("grey",), range=(0.0, 1.0))
    columns = Columns(
        spec=SampleSpec({"x": form}, "x"),
        ids=ids,
        groups=[f"case-{row // params.per_case:04d}" for row in range(params.size)],
        fields={"x": images[:, None]},
        target=TargetSpec("mask", "mask", (side, side), classes=CLASSES),
        answers=masks.astype(np.uint8),
    )
    return AnsweredArrayPool(columns, codec_for)


def drawn_shapes(count: int, side: int, rng: np.random.Generator, noise: float = 0.06) -> tuple[np.ndarray, np.ndarray]:
    """Images ``(count, side, side)`` float32 in [0, 1] and regions ``(count, side, side)`` bool.

    A region is a disc whose radius varies with the angle by three waves, brighter than its rim, in a shaded picture
    with a darker disc beside it.
    """
    drawn = [_shape(side, rng, noise) for _ in range(count)]
    return np.stack([image for image, _ in drawn]), np.stack([mask for _, mask in drawn])


def _shape(side: int, rng: np.random.Generator, noise: float) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:side, :side].astype(np.float64)
    centre = side / 2 + rng.uniform(-0.12, 0.12, 2) * side
    radius = rng.uniform(0.1, 0.22) * side
    edge = _outline(np.arctan2(y - centre[1], x - centre[0]), rng) * radius
    distance = np.hypot(x - centre[0], y - centre[1])
    mask, rim = distance < edge, (distance >= edge) & (distance < 1.25 * edge)
    angle = rng.uniform(0, 2 * np.pi)
    other = np.hypot(x - centre[0] - 2.2 * radius * np.cos(angle), y - centre[1] - 2.2 * radius * np.sin(angle))
    image = 0.35 + 0.2 * (other < 0.6 * radius) - 0.2 * rim
    image = np.where(mask, rng.uniform(0.65, 0.85), image)
    slope = rng.uniform(-0.15, 0.15, 2)
    image = image * (1 + slope[0] * (x / side - 0.5) + slope[1] * (y / side - 0.5))
    image = gaussian_filter(image, 0.7) + noise * rng.standard_normal(image.shape)
    return np.clip(image, 0, 1).astype(np.float32), mask


def _outline(angle: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A radius about 1 that varies with the angle by waves of two to four periods."""
    size = rng.uniform(0, 0.12, 3)
    phase = rng.uniform(0, 2 * np.pi, 3)
    wave = sum(size[k] * np.cos((k + 2) * angle + phase[k]) for k in range(3))
    return np.asarray(1 + wave)
