"""The section without pressure, found from the section as it was imaged under pressure.

Backward displacement (Sellier, Structural and Multidisciplinary Optimization 2011; Bols et al., Journal of
Computational and Applied Mathematics 2013): unloaded nodes X are wanted whose answer u(X) under the imaging pressure
leads back to the imaged nodes x. The iteration X <- x - u(X) is mixed by Anderson's method, for a soft wall moves far
and the plain one would need dozens of solves. Where it does not settle, the imaging pressure is raised in steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from labelers.fem_stress.problem import Answer, Problem
from labelers.fem_stress.workspace import solve_problems

TOLERANCE = 1e-7
"""Largest distance from the imaged nodes, in half widths of the section."""
MOST_ITERATIONS = 40
MEMORY = 5
PRESSURE_STEPS = (1, 4, 12)
LOST = (
    "the unloaded section must lead back to the imaged one within {count} iterations, but got {reason} at "
    "{pressure:.3g} kPa."
)


def solve_imaged(problems: Sequence[Problem]) -> list[Answer]:
    """Solve problems on one mesh topology; those imaged under pressure are unloaded first.

    An answer for an imaged section carries the nodes of the unloaded one, from which its displacements count.
    """
    if all(problem.imaged_at_kpa <= 0 for problem in problems):
        return solve_problems(problems)
    found = [unloaded(problem) for problem in problems]
    good = [nodes for nodes in found if not isinstance(nodes, str)]
    ready = [
        replace(problem, nodes=nodes)
        for problem, nodes in zip(problems, found, strict=True)
        if isinstance(nodes, np.ndarray)
    ]
    answers = iter(solve_problems(ready)) if good else iter(())
    return [
        _none(problem, nodes) if isinstance(nodes, str) else replace(next(answers), unloaded=nodes)
        for problem, nodes in zip(problems, found, strict=True)
    ]


def unloaded(problem: Problem) -> np.ndarray | str:
    """Unloaded nodes like the problem's imaged ones, mm, or the reason why there are none."""
    reason = ""
    for steps in PRESSURE_STEPS:
        nodes = problem.nodes
        for step in range(1, steps + 1):
            pressure = problem.imaged_at_kpa * step / steps
            found = _backward(problem, nodes, pressure)
            if isinstance(found, str):
                reason = LOST.format(count=MOST_ITERATIONS, reason=found, pressure=pressure)
                break
            nodes = found
        else:
            return nodes
    return reason


@dataclass
class _Mixing:
    """Anderson mixing: the next point is the best guess of the last few, were the residual linear between them."""

    points: list[np.ndarray] = field(default_factory=list)
    residuals: list[np.ndarray] = field(default_factory=list)

    def next(self, point: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """The next point to try, given the residual at this one."""
        self.points = [*self.points, point.ravel()][-MEMORY:]
        self.residuals = [*self.residuals, residual.ravel()][-MEMORY:]
        plain = (point - residual).ravel()
        if len(self.points) > 1:
            slopes = np.diff(self.residuals, axis=0).T
            share = np.linalg.lstsq(slopes, self.residuals[-1], rcond=1e-10)[0]
            plain = plain - (np.diff(self.points, axis=0).T - slopes) @ share
        return np.ascontiguousarray(plain.reshape(point.shape))


def _backward(problem: Problem, start: np.ndarray, pressure: float) -> np.ndarray | str:
    """Nodes that the pressure takes to the imaged ones, or what went wrong."""
    imaged, nodes, mixing = problem.nodes, start, _Mixing()
    width = float(np.ptp(imaged.reshape(-1, 2), axis=0).max()) / 2
    distance = np.inf
    for _ in range(MOST_ITERATIONS):
        answer = solve_problems([replace(problem, nodes=nodes, pressure_kpa=pressure, imaged_at_kpa=0.0)])[0]
        if answer.reason:
            return f"a refusal ({answer.reason.rstrip('.')})"
        residual = nodes + settled(problem, nodes, answer).u - imaged
        distance = float(np.abs(residual).max()) / width
        if distance < TOLERANCE:
            return nodes
        if not distance < 1.0:
            break
        nodes = mixing.next(nodes, residual)
    return f"{distance:.3g} half widths"


def settled(problem: Problem, nodes: np.ndarray, answer: Answer) -> Answer:
    """Take out what carries no meaning without a support: the mean translation and rotation of the nodes.

    In finite strain the loaded nodes are turned back as a whole, for a rotation taken out to first order stretches.
    """
    if problem.foundation > 0:
        return answer
    arm = nodes - nodes.mean(axis=(0, 1))
    loaded = nodes + answer.u
    loaded = loaded - loaded.mean(axis=(0, 1))
    across = float(np.sum(arm[..., 0] * loaded[..., 1] - arm[..., 1] * loaded[..., 0]))
    if problem.linear:
        turn = across / float(np.sum(arm**2))
        return replace(answer, u=loaded - arm - turn * np.stack([-arm[..., 1], arm[..., 0]], axis=-1))
    angle = np.arctan2(across, float(np.sum(arm * loaded)))
    c, s = np.cos(angle), np.sin(angle)
    return replace(answer, u=loaded @ np.array([[c, -s], [s, c]]) - arm)


def _none(problem: Problem, reason: str) -> Answer:
    return Answer(np.full_like(problem.nodes, np.nan), np.full((*problem.moduli.shape[:2], 3), np.nan), reason)
