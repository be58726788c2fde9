"""A section of contours as a mesh whose rings follow every contour exactly."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.section import VesselSection
from labelers.fem_stress.laws import Law
from labelers.fem_stress.polar_mesh import gauss_points, layer_counts, node_angles, ring_nodes, spread
from labelers.fem_stress.settings import StressSettings


@dataclass(frozen=True)
class SectionMesh:
    """Nodes ``(2 around, 2 radial + 1, 2)`` mm and what fills the elements.

    ``laws``: the laws in use; ``law_of`` ``(around, radial, 9)`` int: the law's index at each Gauss point.
    """

    nodes: np.ndarray
    centre: np.ndarray
    laws: tuple[Law, ...]
    law_of: np.ndarray

    @property
    def moduli(self) -> np.ndarray:
        """Moduli ``(around, radial, k, 9)`` at the Gauss points."""
        return np.moveaxis(np.array([law.moduli for law in self.laws])[self.law_of], -1, 2)


def mesh_section(section: VesselSection, settings: StressSettings) -> SectionMesh:
    """The mapped polar mesh of a section.

    Raises:
        GeometryError: a contour is not star-shaped about the lumen's centroid, fewer elements across than layers, or
            a tissue without a law.
    """
    centre = section.centre
    for i, contour in enumerate(section.contours):
        if not contour.is_star(centre):
            raise GeometryError(
                f"contours must be star-shaped about the lumen's centroid, but got contour {i}, which folds."
            )
    borders = np.stack([c.radius(node_angles(settings.mesh[1]), centre) for c in section.contours])
    names = list(section.layers)
    if settings.outer == "adventitia":
        borders = np.vstack([borders, borders[-1:] + settings.adventitia_mm])
        names.append("adventitia")
    if len(names) > settings.mesh[0]:
        raise GeometryError(f"a mesh must have an element for each of {len(names)} layers, but got {settings.mesh[0]}.")
    counts = layer_counts(np.diff(borders.mean(axis=1)), settings.mesh[0])
    nodes = ring_nodes(spread(borders, counts), centre)
    laws = [settings.law(name) for name in names] + [settings.law(name) for name, _ in section.regions]
    law_of = np.repeat(np.repeat(np.arange(len(names)), counts)[None, :, None], settings.mesh[1], axis=0)
    law_of = np.broadcast_to(law_of, (*law_of.shape[:2], 9)).copy()
    if section.regions:
        found = section.tissue_at(gauss_points(nodes).reshape(-1, 2)).reshape(law_of.shape)
        first = 1 + len(section.contours)
        law_of = np.where(found >= first, found - first + len(names), law_of)
    return SectionMesh(nodes, centre, tuple(laws), law_of)
