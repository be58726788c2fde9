"""What the compiled solvers are asked, and what they answer."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Problem:
    """A solve: nodes ``(2 around, 2 radial + 1, 2)`` mm, moduli ``(around, radial, k, 9)`` at the Gauss points.

    ``k`` = 2 for linear elasticity (shear, bulk; kPa), 4 for finite strain (c1, d1 in kPa, d2, bulk in kPa).
    ``imaged_at_kpa``: the lumen pressure under which the nodes are where they are; 0: they are unloaded.
    """

    nodes: np.ndarray
    moduli: np.ndarray
    pressure_kpa: float
    foundation: float = 0.0
    imaged_at_kpa: float = 0.0

    @property
    def linear(self) -> bool:
        """Whether this is a small-strain problem."""
        return self.moduli.shape[2] == 2


@dataclass(frozen=True)
class Answer:
    """Displacements like the nodes, pressure coefficients ``(around, radial, 3)``; ``reason`` why there is none.

    ``unloaded``: the nodes from which the displacements count, where these are not the problem's own.
    """

    u: np.ndarray
    pressure: np.ndarray
    reason: str | None = None
    unloaded: np.ndarray | None = None
