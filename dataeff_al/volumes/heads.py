"""Builds the ``heads`` pool: generated heads in which every voxel's structure is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from dataeff_al.randomness import rng_for
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import TargetSpec
from dataeff_al.volumes.grid import axes_of, laid_in, places
from dataeff_al.volumes.pool import AnsweredCasePool, Case, Form
from dataeff_al.volumes.spec import HeadsParams
from dataeff_al.volumes.tables import hidden_but

# Centre (right, front, top) from the head's centre and half-axes, in half head sizes; brightness. Right side first.
DEEP: Mapping[str, tuple[tuple[float, ...], tuple[float, ...], float]] = MappingProxyType(
    {
        "Thalamus": ((0.20, -0.22, 0.00), (0.17, 0.25, 0.24), 0.62),
        "Caudate": ((0.22, 0.30, 0.22), (0.16, 0.22, 0.22), 0.76),
        "Putamen": ((0.55, 0.06, 0.00), (0.15, 0.28, 0.24), 0.69),
    }
)
OUTER: Mapping[str, tuple[tuple[float, ...], tuple[float, ...], float]] = MappingProxyType(
    {
        "Frontal": ((0.40, 0.70, 0.20), (0.28, 0.22, 0.30), 0.46),
        "Temporal": ((0.66, 0.02, -0.50), (0.20, 0.32, 0.22), 0.46),
        "Occipital": ((0.34, -0.68, 0.04), (0.26, 0.22, 0.28), 0.46),
    }
)
TUMOUR = ("oedema", "core", "enhancing")
HEAD_BRIGHTNESS, JITTER, STRETCH = 0.32, 0.03, 0.12


def build(params: HeadsParams, context: PoolContext) -> AnsweredCasePool:
    """The pool of a campaign; it depends on the seed alone."""
    make = ANATOMIES[params.anatomy]
    cases = [make(number, params, rng_for(context.seed, "heads", number)) for number in range(params.cases)]
    target, sources = _described(params)
    form = Form(
        channels=("t1", "flair") if params.anatomy == "tumour" else ("t1",),
        axes=axes_of(params.plane),
        spacing_mm=(4.0, 4.0, 4.0),
        target=target,
        sources=sources,
        slices=params.unit == "slice",
        context=params.context,
        with_places=bool(params.places),
        aligned=params.places == "aligned",
    )
    return AnsweredCasePool(cases, form)


def paired_names() -> list[str]:
    """Structures of a paired head in the order of their codes."""
    return [f"{side} {name}" for name in (*DEEP, *OUTER) for side in ("Right", "Left")]


def deep_names() -> list[str]:
    """Structures that the partial source of a paired head knows."""
    return [f"{side} {name}" for name in DEEP for side in ("Right", "Left")]


def _described(params: HeadsParams) -> tuple[TargetSpec, Mapping[str, tuple[str, ...]]]:
    if params.anatomy == "tumour":
        regions = (("WT", TUMOUR), ("CT", TUMOUR[1:]), ("ET", TUMOUR[2:]))
        return TargetSpec("mask", "mask", (), ("background", *TUMOUR), regions=regions), {}
    names, deep = paired_names(), deep_names()
    groups = (("deep", tuple(deep)), ("outer", tuple(name for name in names if name not in deep)))
    return TargetSpec("mask", "mask", (), ("background", *names), groups=groups), {"deep": tuple(deep)}


def _grid(shape: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Where each voxel lies from a jittered head's centre, in half head sizes, turned a little: ``(x, y, z, 3)``."""
    axes = [(np.arange(size) + 0.5) / size * 2.0 - 1.0 for size in shape]
    at = np.stack(np.meshgrid(*axes, indexing="ij"), -1) - rng.uniform(-0.06, 0.06, 3)
    angle = rng.uniform(-0.12, 0.12)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    return at @ turn / (0.8 * rng.uniform(1 - STRETCH, 1 + STRETCH, 3))


def _inside(
    at: np.ndarray, centre: Sequence[float], half_axes: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    moved = np.asarray(centre) + rng.uniform(-JITTER, JITTER, 3)
    stretched = np.asarray(half_axes) * rng.uniform(1 - STRETCH, 1 + STRETCH, 3)
    inside: np.ndarray = (((at - moved) / stretched) ** 2).sum(-1) <= 1.0
    return inside


def _paired(number: int, params: HeadsParams, rng: np.random.Generator) -> Case:
    at = _grid(params.shape, rng)
    head = (at**2).sum(-1) <= 1.0
    mask, image = np.zeros(head.shape, np.uint8), np.where(head, HEAD_BRIGHTNESS, 0.0)
    sides = [(name, side, *form) for name, form in {**DEEP, **OUTER}.items() for side in (1.0, -1.0)]
    for code, (_, side, centre, half_axes, brightness) in enumerate(sides, 1):
        here = _inside(at, (side * centre[0], *centre[1:]), half_axes, rng) & head & (mask == 0)
        mask[here], image[here] = code, brightness
    deep = hidden_but(mask, ("background", *paired_names()), deep_names())
    return _case(number, params, [image], head, mask, {"deep": deep}, rng)


def _tumour(number: int, params: HeadsParams, rng: np.random.Generator) -> Case:
    at = _grid(params.shape, rng)
    head = (at**2).sum(-1) <= 1.0
    centre, size = rng.uniform(-0.45, 0.45, 3), rng.uniform(0.32, 0.5)
    mask = np.zeros(head.shape, np.uint8)
    for code, part in enumerate((1.0, 0.65, 0.4), 1):
        mask[_inside(at, tuple(centre), (size * part,) * 3, rng) & head & (mask == code - 1)] = code
    t1 = np.array([HEAD_BRIGHTNESS, 0.28, 0.22, 0.75])[mask]
    flair = np.array([HEAD_BRIGHTNESS, 0.72, 0.58, 0.62])[mask]
    return _case(number, params, [np.where(head, each, 0.0) for each in (t1, flair)], head, mask, {}, rng)


def _case(
    number: int,
    params: HeadsParams,
    images: Sequence[np.ndarray],
    head: np.ndarray,
    mask: np.ndarray,
    partial: Mapping[str, np.ndarray],
    rng: np.random.Generator,
) -> Case:
    noisy = [np.clip(image + params.noise * rng.standard_normal(image.shape), 0.01, 1.0) * head for image in images]
    where, axes = places(head), axes_of(params.plane)
    along = [where[axis][::-1].copy() if place == 1 else where[axis] for place, axis in enumerate(axes)]
    name = f"head-{number:04d}"
    return Case(
        id=name,
        patient=name,
        images=laid_in(params.plane, np.stack(noisy).astype(np.float32)),
        places=(along[0], along[1], along[2]),
        mask=laid_in(params.plane, mask),
        partial={source: laid_in(params.plane, codes) for source, codes in partial.items()},
    )


ANATOMIES = MappingProxyType({"paired": _paired, "tumour": _tumour})
"""How a head is made, by anatomy."""
