"""The annotated images that a labeller learns from, checked, with all that training reads prepared once."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from scipy.ndimage import binary_fill_holes, gaussian_filter, label
from torch import Tensor

from dataeff_al.envs.signed_distance import signed_distance
from dataeff_al.errors import DataError
from labelers.deep_labelling.settings import MIN_SIDE

MIN_AREA_PX = 4
BLURS_PX = (0.0, 0.8, 1.6)
VIEW_BLUR_PX = 0.8
MOST_HOLLOW = 0.1
"""Part of a filled region that may be missing within it: specks of an annotation, but not a ring."""


def checked_images(images: np.ndarray) -> np.ndarray:
    """The images ``(n, h, w)`` float32. Raises DataError unless they are finite, float, and at least 32 px a side."""
    images = np.asarray(images)
    if images.ndim != 3 or images.dtype.kind != "f":
        raise DataError(f"images must be (n, h, w) float32, but got {images.shape} {images.dtype}.")
    if min(images.shape[1:]) < MIN_SIDE:
        raise DataError(f"images must have at least {MIN_SIDE} pixels a side, but got {images.shape[1:]}.")
    bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))
    if len(bad):
        raise DataError(f"images must be finite, but got NaN or infinity in image {bad[0]}.")
    if images.size and not (images.min() >= 0 and images.max() <= 1):
        raise DataError(f"images must lie within 0 and 1, but got {images.min():.4g} to {images.max():.4g}.")
    return images.astype(np.float32, copy=False)


def region_problem(mask: np.ndarray) -> str | None:
    """The rule that a region ``(h, w)`` bool breaks, in words, or None."""
    if not mask.any():
        return "a mask must hold a region, but got none."
    parts = int(label(mask)[1])
    if parts > 1:
        return f"a mask must hold one region, but got {parts} that do not touch."
    if mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any():
        return "a region must not touch the image's border, but got one that does."
    if mask.sum() < MIN_AREA_PX:
        return f"a region must have at least {MIN_AREA_PX} pixels, but got {int(mask.sum())}."
    hollow = 1 - mask.sum() / binary_fill_holes(mask).sum()
    if hollow > MOST_HOLLOW:
        return f"a region must be filled, but got a ring; what it surrounds ({hollow:.0%} of it) belongs to the region."
    return None


def _checked_masks(images: np.ndarray, masks: np.ndarray) -> np.ndarray:
    masks = np.asarray(masks)
    if masks.dtype != np.bool_:
        raise DataError(f"masks must be bool, but got {masks.dtype}.")
    if masks.shape != images.shape:
        raise DataError(f"masks must have the images' shape {images.shape}, but got {masks.shape}.")
    if not len(images):
        raise DataError("at least one annotated image must be given, but got 0.")
    return masks


@dataclass(frozen=True)
class LeftOut:
    """An annotated image that could not be learnt from, by its place in the set, and the rule that it broke."""

    row: int
    reason: str


@dataclass(frozen=True)
class AnnotatedSet:
    """Images ``(n, h, w)`` with one region each. ``rows``: their places in the set as it was given."""

    images: np.ndarray
    masks: np.ndarray
    rows: np.ndarray
    left_out: tuple[LeftOut, ...] = ()

    def __len__(self) -> int:
        return len(self.images)

    def part(self, places: np.ndarray) -> "AnnotatedSet":
        """The annotated images at some places."""
        return AnnotatedSet(self.images[places], self.masks[places], self.rows[places])

    @cached_property
    def blurred(self) -> Tensor:
        """``(3 n, h, w)`` float32: all images, then all of them blurred a little, then more."""
        stacks = [np.stack([_blurred(image, sigma) for image in self.images]) for sigma in BLURS_PX]
        return torch.from_numpy(np.concatenate(stacks))

    @cached_property
    def distances(self) -> Tensor:
        """Signed distances ``(n, h, w)`` float32 px."""
        return torch.from_numpy(np.stack([signed_distance(mask) for mask in self.masks]))

    @cached_property
    def centres(self) -> Tensor:
        """Centres of gravity ``(n, 2)`` px, x before y."""
        found = [np.argwhere(mask).mean(axis=0)[::-1] for mask in self.masks]
        return torch.from_numpy(np.array(found, np.float32))

    @cached_property
    def radii(self) -> Tensor:
        """Radii ``(n,)`` px of circles of the same area."""
        return torch.from_numpy(np.sqrt(self.masks.sum(axis=(1, 2)) / np.pi).astype(np.float32))


def _blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_filter(image, sigma).astype(np.float32) if sigma else image.astype(np.float32)


def view_stack(images: np.ndarray) -> Tensor:
    """The images as views read them at inference: a little blurred, ``(n, h, w)`` float32."""
    return torch.from_numpy(np.stack([_blurred(image, VIEW_BLUR_PX) for image in images]))


def annotated_set(images: np.ndarray, masks: np.ndarray) -> AnnotatedSet:
    """The usable part of an annotated set; images whose mask breaks a rule are left out and named.

    Raises DataError when arrays have the wrong form or hold NaN, when the set is empty, and when nothing is usable.
    """
    images = checked_images(images)
    masks = _checked_masks(images, masks)
    problems = {row: problem for row, mask in enumerate(masks) if (problem := region_problem(mask))}
    kept = np.array([row for row in range(len(masks)) if row not in problems], int)
    if not len(kept):
        raise DataError(f"at least one annotated image must be usable, but got none: image 0: {problems[0]}")
    left_out = tuple(LeftOut(row, reason) for row, reason in problems.items())
    return AnnotatedSet(images[kept], masks[kept], kept, left_out)
