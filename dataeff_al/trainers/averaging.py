"""An average of a network over its own training: steadier and better than where the last batch left it."""

from __future__ import annotations

from collections.abc import Callable

import torch

from dataeff_al.learners.protocol import Learner


class Average:
    """A teacher that follows a student: ``decay`` of itself and the rest of the student after every step.

    (Tarvainen and Valpola, 2017.) Early on it follows faster, so that it forgets where it began.
    """

    def __init__(self, student: Learner, new_learner: Callable[[int], Learner], decay: float) -> None:
        self.learner = new_learner(0)
        self.learner.load(student.state())
        self.learner.module.requires_grad_(False)
        self._student, self._decay, self._steps = student, decay, 0

    def step(self) -> None:
        """Take over what the student learnt."""
        self._steps += 1
        decay = min(self._decay, self._steps / (self._steps + 10.0))
        own, other = self.learner.module.state_dict(), self._student.module.state_dict()
        with torch.no_grad():
            for name, value in own.items():
                if value.is_floating_point():
                    value.lerp_(other[name], 1.0 - decay)
                else:
                    value.copy_(other[name])
