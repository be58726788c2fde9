"""A mask as a problem for the solver, and the answer as a stress map on the mask's grid."""

from dataclasses import dataclass

import numpy as np

from dataeff_al.vessel.raster import pixel_centres
from dataeff_al.vessel.tissues import ADVENTITIA, LUMEN, TISSUES
from labelers.fem_stress.locate import fields_at, locate
from labelers.fem_stress.masks import MaskGeometry, blended, check_mask, sample_image
from labelers.fem_stress.polar_mesh import gauss_points, layer_counts, ring_nodes, spread
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.stress import channels_of, linear_stress
from labelers.fem_stress.workspace import Answer, Problem


@dataclass(frozen=True)
class MaskCase:
    """A prepared mask: the problem, the tissue pixels ``(h, w)`` bool, their points ``(n, 2)`` mm and shear moduli."""

    problem: Problem
    valid: np.ndarray
    points: np.ndarray
    centre: np.ndarray
    shear: np.ndarray


def prepare_mask(mask: np.ndarray, pixel_size_mm: float, settings: StressSettings) -> MaskCase:
    """Mesh and moduli for a mask ``(h, w)``. Raises GeometryError with the rule that it breaks."""
    check_mask(mask, settings.tissues)
    geometry = MaskGeometry(mask, pixel_size_mm, 2 * settings.mesh[1])
    borders = np.stack([geometry.inner, geometry.outer])
    counts = [settings.mesh[0]]
    if settings.outer == "adventitia":
        borders = np.vstack([borders, geometry.outer[None] + settings.adventitia_mm])
        counts = layer_counts(np.diff(borders.mean(axis=1)), settings.mesh[0])
    nodes = ring_nodes(spread(borders, counts), geometry.centre)
    points = gauss_points(nodes)
    shear, bulk = (_sampled(geometry, mask, _by_code(settings, name), points) for name in ("shear_kpa", "bulk_kpa"))
    if settings.outer == "adventitia":
        for values, name in ((shear, "shear_kpa"), (bulk, "bulk_kpa")):
            values[:, counts[0] :] = _by_code(settings, name)[ADVENTITIA]
    x, y = pixel_centres((mask.shape[0], mask.shape[1]), pixel_size_mm)
    rows, columns = np.nonzero(mask > LUMEN)
    return MaskCase(
        problem=Problem(nodes, shear, bulk, settings.lumen_pressure_kpa, settings.foundation),
        valid=mask > LUMEN,
        points=np.column_stack([x[columns], y[rows]]),
        centre=geometry.centre,
        shear=blended(mask, _by_code(settings, "shear_kpa"))[rows, columns],
    )


def _by_code(settings: StressSettings, name: str) -> np.ndarray:
    return np.array([getattr(settings.tissues[t], name) if t in settings.tissues else 0.0 for t in TISSUES])


def _sampled(geometry: MaskGeometry, mask: np.ndarray, values: np.ndarray, points: np.ndarray) -> np.ndarray:
    image = blended(mask, values)
    flat = points.reshape(-1, 2)
    sampled = sample_image(image, geometry.row, geometry.column, geometry.pixel_size_mm, geometry.centre, flat)
    return np.asarray(sampled).reshape(points.shape[:-1])


def stress_map(case: MaskCase, answer: Answer) -> np.ndarray | None:
    """Channels ``(3, h, w)`` kPa, NaN outside tissue; None when the mesh folds."""
    if not answer.jacobian > 0:
        return None
    found, where = locate(case.problem.nodes, case.centre, case.points, True)
    _, gradient, pressure = fields_at(case.problem.nodes, answer.u, answer.pressure, found, where)
    stress = linear_stress(gradient, pressure, case.shear)
    out = np.full((3, *case.valid.shape), np.nan)
    out[:, case.valid] = channels_of(stress, case.points, case.centre)
    return out
