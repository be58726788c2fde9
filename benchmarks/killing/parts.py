"""Parts of the smallest campaign that is one: a toy pool, a learner of class means, a labeler that writes invoices.

A plugin file for ``dataeff-al run --plugin``. Its labeler keeps its own books in the working folder, so that what was
paid can be counted without asking the record:

``invoices/KEY.SAMPLE[.N]``  one file for every call that was paid; ``N`` is left out by a labeler that knows its keys
``tries/SAMPLE``             the key of the first call for a sample, which a *rough* labeler fails
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from safetensors.torch import load, save
from torch import Tensor, nn

from dataeff_al.labeling.types import Label, LabelerInfo, LabelFailure, Outcome, Request
from dataeff_al.learners.protocol import LearnerContext, TargetBatch
from dataeff_al.registry import LabelerPlugin, Params, Plugin
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.toys import class_toy
from dataeff_al.trainers.protocol import FitReport
from dataeff_al.view import View

REFUSED, LOST, BAD = 1, 3, 5


class ToyParams(Params):
    """``size`` images of a blob on the left or on the right."""

    size: Annotated[int, Field(ge=2)] = 48


class CentroidsParams(Params):
    """No parameters."""


class AveragesParams(Params):
    """``stumbles``: the first fit of every round is lost, as if its worker had died."""

    stumbles: bool = False


class CountedParams(Params):
    """How the labeler behaves.

    ``rough``: some first calls fail (for nothing, or at a cost), and some samples are refused. ``raises``: the first
    call of all ends in an error after it was paid.
    """

    effect: Literal["pure", "keyed", "queryable", "blind"] = "pure"
    rough: bool = False
    raises: bool = False
    timeout_s: Annotated[float, Field(gt=0)] = 60.0


class Centroids:
    """Predicts the class whose mean is nearest."""

    offers = frozenset({"probabilities"})

    def __init__(self, context: LearnerContext) -> None:
        self.module = nn.Identity()
        self.means = torch.zeros(len(context.target.classes), int(np.prod(context.tensor.shape)))

    def targets(self, labels: Sequence[Label]) -> TargetBatch:
        """Class codes."""
        return TargetBatch(torch.tensor([int(next(iter(label.target.values()))) for label in labels]))

    def calibrate(self, x: Tensor, targets: TargetBatch) -> None:
        """Nothing has a scale."""

    def loss(self, x: Tensor, targets: TargetBatch) -> Tensor:
        """Negative log likelihood."""
        return -self._log_probabilities(x).gather(1, targets.y[:, None])[:, 0]

    def predict(self, x: Tensor) -> Tensor:
        """Probabilities."""
        return self._log_probabilities(x).exp()

    def features(self, x: Tensor) -> Tensor:
        """The input itself."""
        return x.flatten(1)

    def state(self) -> bytes:
        """The means."""
        return save({"means": self.means})

    def load(self, state: bytes) -> None:
        """The means again."""
        self.means = load(state)["means"]

    def _log_probabilities(self, x: Tensor) -> Tensor:
        return (-torch.cdist(x.flatten(1), self.means)).log_softmax(1)


class Averages:
    """Puts every class where its labelled samples are on average."""

    def __init__(self, params: AveragesParams) -> None:
        self._params = params

    def fit(self, view: View, previous: Any, seed: int) -> FitReport:  # noqa: ARG002
        """Fit on everything labelled."""
        if self._params.stumbles and _first_time(f"stumbles/{seed}"):
            raise ConnectionError("the worker was lost")
        learner = view.new_learner(seed)
        x = view.codec.soften([item.sample for item in view.labelled]).flatten(1)
        targets = learner.targets([item.label for item in view.labelled])
        for code in targets.y.unique():
            learner.means[int(code)] = x[targets.y == code].mean(0)  # type: ignore[attr-defined]
        return FitReport(learner, 1, float(learner.loss(x, targets).mean()), 0.0)


class Counted:
    """Answers from the pool, and bills."""

    def __init__(self, params: CountedParams, context: Any) -> None:
        self._params, self._pool = params, context.pool
        self.info = LabelerInfo(
            name="counted",
            version="1",
            target=context.pool.target,
            effect=params.effect,
            timeout_s=params.timeout_s,
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """One answer each."""
        return [self._one(request) for request in batch]

    def lookup(self, key: str) -> Outcome | None:
        """What became of an attempt, from the invoices."""
        found = next(Path("invoices").glob(f"{key}.*"), None)
        return self._answer(key, found.name.split(".")[1]) if found else None

    def _one(self, request: Request) -> Outcome:
        sample = str(request.sample.id)
        if self._params.rough and not (tries := Path("tries") / sample).exists():
            _write(tries, request.key)
        outcome = self._answer(request.key, sample)
        if outcome.cost:
            self._bill(request.key, sample)
        if self._params.raises and _first_time("raised"):
            raise OSError("the line is down")
        return outcome

    def _answer(self, key: str, sample: str) -> Label | LabelFailure:
        number, tries = int(sample.rsplit("-", 1)[1]), Path("tries") / sample
        if self._params.rough and number % 8 == REFUSED:
            return LabelFailure("nothing to be seen", "refused", cost=1)
        if self._params.rough and number % 8 in (LOST, BAD) and tries.read_text() == key:
            return LabelFailure("a bad day", "infra", cost=int(number % 8 == BAD))
        return Label(self._pool.answers([sample])[0])

    def _bill(self, key: str, sample: str) -> None:
        """Who knows its keys bills one of them once; the others bill every call. What is free is not billed."""
        call = "" if self._params.effect == "keyed" else f".{time.time_ns()}"
        if self._params.effect != "pure":
            _write(Path("invoices") / f"{key}.{sample}{call}", "")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text)
    draft.replace(path)


def _first_time(name: str) -> bool:
    path = Path(name)
    if path.exists():
        return False
    _write(path, "") if path.parent.name else path.touch()
    return True


def _toy(params: ToyParams, context: PoolContext) -> Any:
    return class_toy(params.size, context.seed)


POOL = Plugin(
    kind="pools", name="toy", summary="toy", params=ToyParams, build=_toy, offers=lambda _: frozenset({"answers"})
)
LEARNER = Plugin(
    kind="learners",
    name="centroids",
    summary="class means",
    params=CentroidsParams,
    build=lambda _, context: Centroids(context),
    offers=lambda _: Centroids.offers,
)
TRAINER = Plugin(
    kind="trainers",
    name="averages",
    summary="class means",
    params=AveragesParams,
    build=lambda params, _: Averages(params),
)
LABELER = LabelerPlugin(
    kind="labelers",
    name="counted",
    summary="answers and bills",
    params=CountedParams,
    build=Counted,
    needs=lambda _: frozenset({"answers"}),
)
