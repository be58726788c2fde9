"""A mask as a problem for the solver, and the answer as a stress map on the mask's grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import GeometryError
from dataeff_al.vessel.tissues import LUMEN, TISSUES
from labelers.fem_stress.blend import blend, sample_moduli
from labelers.fem_stress.drawing import draw_channels, tissue_points
from labelers.fem_stress.masks import MaskGeometry, check_mask
from labelers.fem_stress.points import components_at
from labelers.fem_stress.polar_mesh import layer_counts, node_angles, ring_nodes, spread
from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.stress import CHANNELS

NO_LAW = np.zeros((1, 1, 9), dtype=np.int64)


@dataclass(frozen=True)
class MaskCase:
    """A prepared mask: the problem, the tissue pixels ``(h, w)`` bool, and what their stress depends on.

    ``flat`` ``(n,)``: the tissue pixels' flat indices; ``points`` ``(n, 2)`` mm; ``row`` ``(n,)``: their rows in
    ``moduli`` ``(rows, k)``.
    """

    problem: Problem
    valid: np.ndarray
    flat: np.ndarray
    points: np.ndarray
    centre: np.ndarray
    row: np.ndarray
    moduli: np.ndarray


def prepare_mask(mask: np.ndarray, pixel_size_mm: float, settings: StressSettings) -> MaskCase:
    """Mesh and moduli for a mask ``(h, w)``. Raises GeometryError with the rule that it breaks."""
    outline = check_mask(mask, settings.tissues)
    mask = np.ascontiguousarray(mask, dtype=np.uint8)
    geometry = MaskGeometry(mask, outline, pixel_size_mm, 2 * settings.mesh[1])
    borders, counts = _layers(geometry, settings)
    nodes = ring_nodes(spread(borders, counts), geometry.centre, node_angles(settings.mesh[1]))
    index, table = blend(mask, law_table(settings), outline)
    moduli = sample_moduli(nodes, index, table, pixel_size_mm, geometry.place)
    if settings.outer == "adventitia":
        moduli[:, counts[0] :] = np.array(settings.law("adventitia").moduli)[:, None]
    flat, points = tissue_points(mask, pixel_size_mm)
    return MaskCase(
        problem=Problem(nodes, moduli, settings.lumen_pressure_kpa, settings.foundation, settings.imaged_at_kpa),
        valid=mask > LUMEN,
        flat=flat,
        points=points,
        centre=geometry.centre,
        row=index.reshape(-1)[flat],
        moduli=table,
    )


def _layers(geometry: MaskGeometry, settings: StressSettings) -> tuple[np.ndarray, list[int]]:
    """Borders ``(layers + 1, lines)`` mm and elements across each layer."""
    borders = np.stack([geometry.inner, geometry.outer])
    if settings.outer != "adventitia":
        return borders, [settings.mesh[0]]
    borders = np.vstack([borders, geometry.outer[None] + settings.adventitia_mm])
    return borders, layer_counts(np.diff(borders.mean(axis=1)), settings.mesh[0])


def law_table(settings: StressSettings) -> np.ndarray:
    """Moduli by tissue code ``(7, k)``; the blend never looks at codes without a law."""
    count = len(next(iter(settings.tissues.values())).moduli)
    return np.array([settings.tissues[t].moduli if t in settings.tissues else (0.0,) * count for t in TISSUES])


def stress_map(case: MaskCase, answer: Answer, channels: Sequence[str] = CHANNELS) -> np.ndarray:
    """Channels ``(k, h, w)`` float32 kPa, NaN outside tissue.

    Raises:
        GeometryError: stress that is not finite somewhere in tissue.
    """
    nodes = case.problem.nodes
    base = nodes if answer.unloaded is None else answer.unloaded
    stress = components_at(
        nodes, base, case.centre, answer.u, answer.pressure, case.points, case.row, NO_LAW, case.moduli, True
    )
    image = np.full((len(channels), *case.valid.shape), np.nan, dtype=np.float32)
    rows = np.array([channels.index(name) if name in channels else -1 for name in CHANNELS])
    if not draw_channels(stress, case.points, case.centre, case.flat, rows, image.reshape(len(channels), -1)):
        raise GeometryError("stress must be finite in all tissue, but got NaN.")
    return image
