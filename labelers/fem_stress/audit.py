"""How wrong a label is for its mesh: some samples are solved again on a finer one.

Which samples are audited is drawn from the request's seed and the sample's id, so that a request gets the same answer
however it is batched and whoever asks again. The finer mesh sees the same mask with the same blended tissues: what is
measured is the error of discretisation, not that of the pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from dataeff_al.errors import DataError, GeometryError
from dataeff_al.labeling.types import Request
from dataeff_al.randomness import rng_for
from labelers.fem_stress.from_mask import prepare_mask, stress_map
from labelers.fem_stress.settings import StressSettings
from labelers.fem_stress.unloaded import solve_imaged

MESH_NOTE = "audit_mesh"
ERROR_NOTE = "discretisation_error"
FAILED_NOTE = "audit_failed"


def is_audited(request: Request, share: float) -> bool:
    """Whether the request's label belongs to the random share that is audited."""
    return bool(rng_for(request.seed, "audit", str(request.sample.id)).random() < share)


def finer(settings: StressSettings, refine: int) -> StressSettings:
    """The same settings on a mesh ``refine`` times as fine in both directions.

    Raises:
        GeometryError: a mesh beyond what the solver takes.
    """
    radial, around = settings.mesh
    return replace(settings, mesh=(refine * radial, refine * around))


def audit_notes(
    mask: np.ndarray,
    pixel_size_mm: float,
    settings: StressSettings,
    channels: Sequence[str],
    rows: Sequence[int],
    stress: np.ndarray,
) -> Mapping[str, str]:
    """Notes for a label: the finer mesh of ``settings``, and each channel's relative L2 distance from it.

    ``stress`` ``(k, h, w)`` kPa is the label, whose ``channels`` are ``rows`` of the stress map.
    """
    notes = {MESH_NOTE: "{} x {}".format(*settings.mesh)}
    try:
        case = prepare_mask(mask, pixel_size_mm, settings)
        answer = solve_imaged([case.problem])[0]
    except (GeometryError, DataError) as error:
        return notes | {FAILED_NOTE: str(error)}
    if answer.reason:
        return notes | {FAILED_NOTE: answer.reason}
    fine = stress_map(case, answer)[list(rows)]
    return notes | {
        f"{ERROR_NOTE}_{channel}": f"{_relative(stress[i], fine[i]):.4g}" for i, channel in enumerate(channels)
    }


def _relative(coarse: np.ndarray, fine: np.ndarray) -> float:
    """Relative L2 distance over the pixels at which the finer answer is defined."""
    there = np.isfinite(fine)
    return float(np.linalg.norm((coarse - fine)[there]) / max(float(np.linalg.norm(fine[there])), 1e-300))
