"""Fine-grain sampling: thousands of oriented patches an image, each with what it teaches, drawn on the fly."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from dataeff_al.envs.sampling import bilinear, patch_points, standardised
from labelers.deep_labelling import changes
from labelers.deep_labelling.annotated import AnnotatedSet
from labelers.deep_labelling.dynamics import rotated, velocity

SIDE = 32
VIEW_RADII = 4.0
NEAR_PX, FAR_PX = 2.0, 25.0


@dataclass(frozen=True)
class PatchForm:
    """Patches of ``side`` by ``side`` points ``spacing_px`` apart."""

    side: int
    spacing_px: float

    def read(self, stack: Tensor, rows: Tensor, points: Tensor, headings: Tensor) -> Tensor:
        """Standardised patches ``(m, side, side)`` of images ``rows`` at ``points`` along ``headings``."""
        return standardised(bilinear(stack, rows, patch_points(points, headings, self.side, self.spacing_px)))


def form_for(radius_px: float, side: int = SIDE) -> PatchForm:
    """Patches that see about four radii of the typical region."""
    return PatchForm(side, max(0.5, VIEW_RADII * radius_px / side))


@dataclass(frozen=True)
class Places:
    """Where agents may stand: image ``rows`` ``(m,)``, ``points`` and ``headings`` ``(m, 2)``, and the truth there."""

    rows: Tensor
    points: Tensor
    headings: Tensor
    distance: Tensor
    gradient: Tensor


def gradient_at(distances: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Unit gradients ``(m, 2)`` of signed distances by central differences over a pixel."""
    east, south = torch.tensor([0.5, 0.0]), torch.tensor([0.0, 0.5])
    probes = torch.stack([points + east, points - east, points + south, points - south], dim=1)
    value = bilinear(distances, rows, probes)
    gradient = torch.stack([value[:, 0] - value[:, 1], value[:, 2] - value[:, 3]], dim=-1)
    return gradient / gradient.norm(dim=-1, keepdim=True).clamp_min(1e-3)


def drawn_places(
    annotated: AnnotatedSet, count: int, softness_px: float, noise_deg: float, generator: torch.Generator
) -> Places:
    """Places about the boundaries, off them by noise of 2 to 25 px (scaled to the region's size), as agents that have
    drifted would be; headings within ``noise_deg`` of the true velocity.
    """
    rows = torch.randint(len(annotated), (count,), generator=generator)
    scale = (annotated.radii[rows] / 18).clamp_max(1.5)
    spread = changes.uniform((count,), NEAR_PX, FAR_PX, generator) * scale
    points = _on_boundary(annotated, rows, generator) + spread[:, None] * changes.normal((count, 2), generator)
    height, width = annotated.images.shape[1:]
    points = torch.stack([points[:, 0].clamp(0, width - 1), points[:, 1].clamp(0, height - 1)], dim=-1)
    distance = bilinear(annotated.distances, rows, points[:, None])[:, 0]
    gradient = gradient_at(annotated.distances, rows, points)
    offset = changes.uniform((count,), -1, 1, generator) * math.radians(noise_deg)
    headings = rotated(velocity(distance, gradient, softness_px), offset)
    return Places(rows, points, headings, distance, gradient)


def _on_boundary(annotated: AnnotatedSet, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Points ``(m, 2)`` on the boundaries: from within the regions' circles down the signed distance, in two steps."""
    way = changes.uniform((len(rows),), 0, 2 * math.pi, generator)
    points = annotated.centres[rows] + annotated.radii[rows, None] * torch.stack([torch.cos(way), torch.sin(way)], -1)
    for _ in range(2):
        distance = bilinear(annotated.distances, rows, points[:, None])
        points = points - distance * gradient_at(annotated.distances, rows, points)
    return points


def read_patches(
    annotated: AnnotatedSet, places: Places, form: PatchForm, generator: torch.Generator, *, recolour: bool = True
) -> Tensor:
    """The patches ``(m, side, side)`` at places, from images blurred by chance, recoloured."""
    level = torch.randint(len(annotated.blurred) // len(annotated), (len(places.rows),), generator=generator)
    rows = places.rows + level * len(annotated)
    patches = form.read(annotated.blurred, rows, places.points, places.headings)
    return standardised(changes.recoloured(patches, generator)) if recolour else patches


def in_patch(vectors: Tensor, headings: Tensor) -> Tensor:
    """Image vectors ``(m, 2)`` in the patch's frame: along the heading, and along its right-hand normal."""
    normal = torch.stack([-headings[:, 1], headings[:, 0]], dim=-1)
    return torch.stack([(vectors * headings).sum(-1), (vectors * normal).sum(-1)], dim=-1)


def in_image(vectors: Tensor, headings: Tensor) -> Tensor:
    """Vectors in the patch's frame ``(m, 2)`` back in the image."""
    normal = torch.stack([-headings[:, 1], headings[:, 0]], dim=-1)
    return vectors[:, :1] * headings + vectors[:, 1:] * normal


def mirrored(patches: Tensor, vectors: Tensor, which: Tensor) -> tuple[Tensor, Tensor]:
    """Patches and their vectors, those of ``which`` ``(m,)`` bool mirrored across the heading."""
    flipped = torch.where(which[:, None, None], patches.flip(1), patches)
    sign = torch.where(which, -1.0, 1.0)
    return flipped, torch.stack([vectors[:, 0], vectors[:, 1] * sign], dim=-1)
