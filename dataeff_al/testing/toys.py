"""Toy pools with known answers: small enough for a test, rich enough to learn something."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from dataeff_al.samples.arrays import AnsweredArrayPool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

_IMAGE_PX, _MASK_PX, _VOLUME_PX = 8, 16, 8


def class_toy(n: int, seed: int) -> AnsweredArrayPool:
    """Images ``(1, 8, 8)`` of a blob on the left or on the right; the side is the class."""
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 2
    column = np.where(label == 0, rng.uniform(1.0, 3.0, n), rng.uniform(4.0, 6.0, n))
    x = _blobs((_IMAGE_PX, _IMAGE_PX), np.stack([rng.uniform(2.0, 5.0, n), column], 1), rng.uniform(1.0, 2.0, n))
    x = np.clip(x + 0.05 * rng.standard_normal(x.shape), 0.0, 1.0).astype(np.float32)[:, None]
    field = FieldSpec(x.shape[1:], "float32", "intensity", range=(0.0, 1.0))
    target = TargetSpec("label", "class", (), ("left", "right"))
    return _pool({"x": x}, field, target, label.astype(np.int64))


def mask_toy(n: int, seed: int) -> AnsweredArrayPool:
    """Noisy images ``(1, 16, 16)`` of a blob; the mask is where the blob is bright."""
    x, mask = _segmented((_MASK_PX, _MASK_PX), n, seed)
    field = FieldSpec(x.shape[1:], "float32", "intensity", range=(0.0, 1.0))
    return _pool({"x": x}, field, TargetSpec("mask", "mask", mask.shape[1:], ("outside", "blob")), mask)


def volume_toy(n: int, seed: int) -> AnsweredArrayPool:
    """Noisy volumes ``(1, 4, 8, 8)`` of a blob; the mask is where the blob is bright."""
    x, mask = _segmented((_VOLUME_PX // 2, _VOLUME_PX, _VOLUME_PX), n, seed)
    field = FieldSpec(x.shape[1:], "float32", "intensity", range=(0.0, 1.0))
    return _pool({"x": x}, field, TargetSpec("mask", "mask", mask.shape[1:], ("outside", "blob")), mask)


def field_toy(n: int, seed: int) -> AnsweredArrayPool:
    """Masks ``(16, 16)`` of a ring in three classes; the field is stress in it, NaN outside the ring."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:_MASK_PX, :_MASK_PX] - (_MASK_PX - 1) / 2
    radius = np.hypot(rows, columns)[None]
    inner = rng.uniform(1.5, 3.5, n)[:, None, None]
    thickness = rng.uniform(1.5, 3.5, n)[:, None, None]
    mask = (radius >= inner).astype(np.uint8) + (radius >= inner + thickness)
    wall = mask == 1
    stress = np.where(wall, 10.0 * inner / thickness * inner / np.maximum(radius, 1.0), np.nan)
    field = FieldSpec(mask.shape[1:], "uint8", "codes", classes=("lumen", "wall", "outside"))
    target = TargetSpec("stress", "field", (1, *mask.shape[1:]), channels=("principal",), unit="kPa")
    return _pool({"mask": mask.astype(np.uint8)}, field, target, stress[:, None].astype(np.float32), "mask")


def table_toy(n: int, seed: int) -> AnsweredArrayPool:
    """Rows ``(5,)`` on a curved surface; the values are two smooth functions of them."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1.0, 1.0, (2, n))
    x = np.stack([a, b, a * b, a**2, a - b], 1) + 0.01 * rng.standard_normal((n, 5))
    y = np.stack([np.sin(2.0 * a) + b, a * b], 1)
    field = FieldSpec((5,), "float32", "values")
    return _pool({"x": x.astype(np.float32)}, field, TargetSpec("y", "values", (2,)), y.astype(np.float32))


TOYS: Mapping[str, Callable[[int, int], AnsweredArrayPool]] = MappingProxyType(
    {"class": class_toy, "mask": mask_toy, "volume": volume_toy, "field": field_toy, "table": table_toy}
)
"""Toy pools by name, each made as ``toy(n, seed)``."""


def _blobs(shape: tuple[int, ...], centre: np.ndarray, width: np.ndarray) -> np.ndarray:
    """Gaussian blobs ``(n, *shape)`` of height one; ``centre`` ``(n, dims)`` and ``width`` ``(n,)`` in pixels."""
    grid = np.stack(np.meshgrid(*[np.arange(size) for size in shape], indexing="ij"))
    several = (slice(None), slice(None), *[None] * len(shape))
    distance = ((grid[None] - centre[several]) ** 2).sum(1)
    return np.exp(-0.5 * distance / width.reshape(-1, *[1] * len(shape)) ** 2)


def _segmented(shape: tuple[int, ...], n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centre = np.stack([rng.uniform(0.3 * size, 0.7 * size, n) for size in shape], 1)
    blobs = _blobs(shape, centre, rng.uniform(1.0, 2.5, n))
    x = np.clip(blobs + 0.1 * rng.standard_normal(blobs.shape), 0.0, 1.0).astype(np.float32)
    return x[:, None], (blobs > 0.5).astype(np.uint8)


def _pool(
    fields: Mapping[str, np.ndarray], field: FieldSpec, target: TargetSpec, answers: np.ndarray, name: str = "x"
) -> AnsweredArrayPool:
    ids = [f"toy-{row:04d}" for row in range(len(answers))]
    spec = SampleSpec({name: field}, name)
    return AnsweredArrayPool(Columns(spec, ids, ids, fields, target, answers), codec_for)
