"""A mask as a problem for the solver, and the answer as a stress map on the mask's grid."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.tissues import LUMEN, TISSUES
from labelers.fem_stress.locate import fields_at, locate
from labelers.fem_stress.masks import MaskGeometry, blended, check_mask, sample_image
from labelers.fem_stress.polar_mesh import gauss_points, layer_counts, node_angles, ring_nodes, spread
from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.stress import cauchy_stress, channels_of


@dataclass(frozen=True)
class MaskCase:
    """A prepared mask: the problem, the tissue pixels ``(h, w)`` bool, their points ``(n, 2)`` mm, moduli there."""

    problem: Problem
    valid: np.ndarray
    points: np.ndarray
    centre: np.ndarray
    moduli: np.ndarray


def prepare_mask(mask: np.ndarray, pixel_size_mm: float, settings: StressSettings) -> MaskCase:
    """Mesh and moduli for a mask ``(h, w)``. Raises GeometryError with the rule that it breaks."""
    check_mask(mask, settings.tissues)
    geometry = MaskGeometry(mask, pixel_size_mm, 2 * settings.mesh[1])
    borders = np.stack([geometry.inner, geometry.outer])
    counts = [settings.mesh[0]]
    if settings.outer == "adventitia":
        borders = np.vstack([borders, geometry.outer[None] + settings.adventitia_mm])
        counts = layer_counts(np.diff(borders.mean(axis=1)), settings.mesh[0])
    nodes = ring_nodes(spread(borders, counts), geometry.centre, node_angles(settings.mesh[1]))
    points = gauss_points(nodes)
    images = [blended(mask, values) for values in _by_code(settings)]
    moduli = np.stack([_sampled(geometry, image, points) for image in images], axis=2)
    if settings.outer == "adventitia":
        moduli[:, counts[0] :] = np.array(settings.law("adventitia").moduli)[:, None]
    x, y = pixel_centres((mask.shape[0], mask.shape[1]), pixel_size_mm)
    rows, columns = np.nonzero(mask > LUMEN)
    return MaskCase(
        problem=Problem(nodes, moduli, settings.lumen_pressure_kpa, settings.foundation),
        valid=mask > LUMEN,
        points=np.column_stack([x[columns], y[rows]]),
        centre=geometry.centre,
        moduli=np.stack([image[rows, columns] for image in images]),
    )


def _by_code(settings: StressSettings) -> np.ndarray:
    """Each modulus by tissue code ``(k, 7)``; the blend never looks at codes without a law."""
    count = len(next(iter(settings.tissues.values())).moduli)
    return np.array([settings.tissues[t].moduli if t in settings.tissues else (0.0,) * count for t in TISSUES]).T


def _sampled(geometry: MaskGeometry, image: np.ndarray, points: np.ndarray) -> np.ndarray:
    flat = points.reshape(-1, 2)
    sampled = sample_image(image, geometry.row, geometry.column, geometry.pixel_size_mm, geometry.centre, flat)
    return np.asarray(sampled).reshape(points.shape[:-1])


def stress_map(case: MaskCase, answer: Answer) -> np.ndarray:
    """Channels ``(3, h, w)`` kPa, NaN outside tissue."""
    found, where = locate(case.problem.nodes, case.centre, case.points, True)
    _, gradient, pressure, normal = fields_at(case.problem.nodes, answer.u, answer.pressure, found, where)
    stress = cauchy_stress(gradient, pressure, normal, case.moduli)
    out = np.full((3, *case.valid.shape), np.nan)
    out[:, case.valid] = channels_of(stress, case.points, case.centre)
    return out
