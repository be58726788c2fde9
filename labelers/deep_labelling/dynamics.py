"""The dynamical system whose limit cycle is a region's boundary (Mo et al., MICCAI 2018, with the signs corrected).

``f(p) = R(pi * sigmoid(phi / s)) grad phi`` with the signed distance phi (+ outside) and the softness s: far outside
the motion points in, far inside it points out, and on the boundary, where the angle is pi / 2, it is tangential. With
the signs as printed, starts inside stick at the medial axis and starts outside leave the image.
"""

import math

import torch
from torch import Tensor


def rotated(vectors: Tensor, angle: Tensor) -> Tensor:
    """``(n, 2)`` vectors turned by ``(n,)`` radians."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.stack([cos * x - sin * y, sin * x + cos * y], dim=-1)


def velocity(phi: Tensor, gradient: Tensor, softness_px: Tensor | float, sense: Tensor | float = 1.0) -> Tensor:
    """The unit velocity ``(n, 2)`` at points of signed distance ``(n,)`` px and gradient ``(n, 2)``.

    ``sense``: 1 or -1, ``(n,)`` or one number, the direction in which the boundary is circulated.
    """
    length = gradient.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    angle = math.pi * torch.sigmoid(phi / softness_px) * sense
    return rotated(gradient / length, angle)
