"""Builds the ``phantoms`` pool: tiny volumes of ellipsoid organs, in which every voxel's organ is known."""

import numpy as np

from dataeff_al.randomness import rng_for
from dataeff_al.samples.arrays import AnsweredArrayPool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.pools.spec import PhantomsParams
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.slices import VolumePool, slice_columns
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

ORGANS = ("liver", "kidney")
BRIGHTNESS = np.array([0.2, 0.45, 0.7])
CENTRES = np.array([[0.5, 0.45, 0.32], [0.5, 0.55, 0.72]])
HALF_AXES = np.array([[0.30, 0.26, 0.20], [0.22, 0.18, 0.14]])
JITTER, STRETCH = 0.06, 0.2


def build(params: PhantomsParams, context: PoolContext) -> AnsweredArrayPool:
    """Volumes ``(1, d, h, w)`` or slices ``(1, h, w)`` in [0, 1] with masks; they depend on the seed alone."""
    shape = (params.shape[0], params.shape[1], params.shape[2])
    cases = [phantom(shape, params, rng_for(context.seed, "phantoms", case)) for case in range(params.cases)]
    classes = ("background", *ORGANS[: params.organs])
    ids = [f"case-{case:04d}" for case in range(params.cases)]
    form = FieldSpec((1, *shape), "float32", "intensity", channels=("grey",), range=(0.0, 1.0))
    columns = Columns(
        spec=SampleSpec({"x": form}, "x"),
        ids=ids,
        groups=ids,
        fields={"x": np.stack([image for image, _ in cases])},
        target=TargetSpec("mask", "mask", shape, classes=classes),
        answers=np.stack([mask for _, mask in cases]),
    )
    if params.unit == "slice":
        return AnsweredArrayPool(slice_columns(columns), codec_for)
    return VolumePool(columns, codec_for)


def phantom(
    shape: tuple[int, int, int], params: PhantomsParams, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One case: intensities ``(1, d, h, w)`` float32 in [0, 1], and organ codes ``(d, h, w)`` uint8."""
    axes = [(np.arange(length) + 0.5) / length for length in shape]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    mask = np.zeros(shape, np.uint8)
    for organ in range(params.organs):
        centre = CENTRES[organ] + rng.uniform(-JITTER, JITTER, 3)
        half_axes = HALF_AXES[organ] * rng.uniform(1 - STRETCH, 1 + STRETCH, 3)
        mask[ellipsoid(grid, centre, half_axes, rng.uniform(0, np.pi))] = organ + 1
    slope = rng.uniform(-1, 1, 3)
    bias = 1 + params.bias * ((grid - 0.5) @ slope)
    noisy = BRIGHTNESS[mask] * bias + params.noise * rng.standard_normal(shape)
    return np.clip(noisy, 0, 1).astype(np.float32)[None], mask


def ellipsoid(grid: np.ndarray, centre: np.ndarray, half_axes: np.ndarray, angle: float) -> np.ndarray:
    """Where ``sum(((p - centre) R / half_axes)^2) <= 1``, turned by ``angle`` about depth; ``(d, h, w)`` bool."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    inside: np.ndarray = ((((grid - centre) @ turn) / half_axes) ** 2).sum(axis=-1) <= 1
    return inside
