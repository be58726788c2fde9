"""Answers from a pool whose true labels are known: the cheapest labeler, for learning curves on public data."""

import time
from collections.abc import Sequence

import numpy as np

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.labeling.types import Label, LabelerContext, LabelerInfo, LabelFailure, Outcome, Request, Times
from dataeff_al.samples.content import content_digest
from dataeff_al.samples.protocol import AnsweredPool
from labelers.dataset.spec import DatasetParams

VERSION = "1"


class DatasetLabeler:
    """Looks a sample up by its id; what the pool does not hold, synthesised samples above all, is refused.

    ::

        labeler = DatasetLabeler(DatasetParams(), LabelerContext(pool, base_dir, data_root))
        labeler.label([Request(key="a", sample=sample)])
    """

    def __init__(self, params: DatasetParams, context: LabelerContext) -> None:
        """Raises CapabilityError when the pool has no answers."""
        pool = context.pool
        if not isinstance(pool, AnsweredPool):
            raise CapabilityError(f"the dataset labeler needs a pool with answers, but got {type(pool).__name__!r}.")
        self._pool, self._delay_s, self._cost = pool, params.delay_s, params.cost
        self.info = LabelerInfo(
            name="dataset",
            version=VERSION,
            target=pool.target,
            effect="pure",
            cost=params.cost,
            max_cost=params.cost,
            preferred_batch=64 if not params.delay_s else 1,
            timeout_s=max(600.0, 64 * 2 * params.delay_s),
        )

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """The true label of each sample, or a refusal."""
        return [self._one(request) for request in batch]

    def _one(self, request: Request) -> Outcome:
        started = time.perf_counter()
        if self._delay_s:
            time.sleep(self._delay_s)
        try:
            known = self._pool.read([request.sample.id])[0]
            answer = self._pool.answers([request.sample.id])[0]
        except DataError as error:
            return LabelFailure(f"the data set holds no answer: {error}")
        # The id alone is no proof: an answer belongs to the content that it was given for.
        if content_digest(known) != content_digest(request.sample):
            return LabelFailure(f"{request.sample.id!r} must be as the data set holds it, but got other content.")
        valid = self._valid(answer[self._pool.target.name])
        return Label(answer, valid, cost=self._cost, times=Times(work_s=time.perf_counter() - started))

    def _valid(self, value: np.ndarray) -> np.ndarray | None:
        return np.isfinite(value).all(axis=0) if self._pool.target.kind == "field" else None
