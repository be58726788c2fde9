"""What a trainer must offer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from dataeff_al.learners.protocol import Learner
from dataeff_al.view import View


@dataclass(frozen=True)
class FitReport:
    """A fitted learner and how the fit went: steps done, loss at the end, seconds, and notes for the report."""

    learner: Learner
    steps: int
    loss: float
    seconds: float
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainerContext:
    """What a trainer may use when it is built: nothing beyond its parameters yet."""


@runtime_checkable
class Trainer(Protocol):
    """A training policy; deterministic given the view and the seed."""

    def fit(self, view: View, previous: Learner | None, seed: int) -> FitReport:
        """Fit on ``view.labelled``; ``previous`` is the last round's learner, or None.

        Raises :class:`~dataeff_al.errors.TrainingError` when nothing is labelled or the loss is not finite.
        """


@runtime_checkable
class CommitteeTrainer(Trainer, Protocol):
    """A trainer of several models that know nothing of each other, so that they may be trained side by side.

    ``fit`` is ``assemble`` of every ``fit_member``, wherever and in whichever order the members were fitted.
    """

    def fit_member(self, view: View, previous: Learner | None, seed: int, number: int) -> FitReport:
        """Fit the member of that number, from 0; ``previous`` and ``seed`` are those of the whole fit.

        Raises :class:`~dataeff_al.errors.TrainingError` as ``fit`` does.
        """

    def assemble(self, reports: Sequence[FitReport]) -> FitReport:
        """The committee of the members, in the order of their numbers."""
