"""Changes to a batch that leave its labels true."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.distortion import Distortion, check_images
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.priors.protocol import Prior
from dataeff_al.samples.types import TargetSpec, TensorSpec

Augment = Callable[[Tensor, torch.Generator], Tensor]

_SHIFT_PX = 2


def keep(x: Tensor, _: torch.Generator) -> Tensor:
    """The batch as it is."""
    return x


def shift(x: Tensor, generator: torch.Generator) -> Tensor:
    """Each sample moved by up to two pixels along every axis (an eighth of a small axis), its edge repeated."""
    for axis in range(2, x.dim()):
        reach = min(_SHIFT_PX, max(x.shape[axis] // 8, 1))
        offset = torch.randint(0, 2 * reach + 1, (len(x),), generator=generator) - reach
        index = (torch.arange(x.shape[axis])[None] + offset[:, None]).clamp(0, x.shape[axis] - 1)
        shape = [len(x), 1, *[1] * (x.dim() - 2)]
        shape[axis] = x.shape[axis]
        x = x.gather(axis, index.reshape(shape).expand_as(x))
    return x


def symmetric(
    priors: Sequence[Prior], x: Tensor, targets: TargetBatch, generator: torch.Generator
) -> tuple[Tensor, TargetBatch]:
    """The batch with its answers under one symmetry of each prior, drawn anew for every batch."""
    for prior in priors:
        orbit = prior.orbit(x, targets)
        pair = orbit[int(torch.randint(len(orbit), (), generator=generator))]
        x, targets = pair.x, pair.y
    return x, targets


def augmentation(name: str, tensor: TensorSpec, target: TargetSpec) -> Augment:
    """The named augmentation. Raises :class:`CapabilityError` where it would make labels untrue."""
    if name != "none" and not (target.kind == "class" and len(tensor.shape) > 1):
        raise CapabilityError(f"augment {name} must have images with a class, but got target {target.kind!r}.")
    if name in DISTORTIONS:
        check_images(f"augment {name}", tensor)
    return AUGMENTS[name]


DISTORTIONS: Mapping[str, Augment] = {
    "distort": Distortion(),
    "photograph": Distortion(turn_deg=5.0, elastic=0.0, mirror=True, tone=0.3, colour=0.3),
}
AUGMENTS: Mapping[str, Augment] = {"none": keep, "shift": shift, **DISTORTIONS}
"""Augmentations by name."""
