"""The sections of a campaign file that are valid on their own, so that checks across them report all they can."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict

from dataeff_al.campaign.sections import (
    Budget,
    Evaluation,
    GeneratorPart,
    Initial,
    LabelerPart,
    LearnerPart,
    Paradigm,
    PoolPart,
    PriorPart,
    RoundRule,
    SamplerPart,
    Stop,
    TrainerPart,
)
from dataeff_al.parts import Strict

PARADIGM = ("generator", "prior", "learner", "trainer", "sampler")


class Draft(Strict):
    """What a check may look at. ``broken``: sections that are not valid, which is not the same as not given."""

    model_config = ConfigDict(extra="ignore")

    pool: PoolPart | None = None
    evaluation: Evaluation | None = None
    initial: Initial | None = None
    generator: GeneratorPart | None = None
    prior: tuple[PriorPart, ...] = ()
    learner: LearnerPart | None = None
    trainer: TrainerPart | None = None
    labeler: LabelerPart | None = None
    sampler: SamplerPart | None = None
    budget: Budget | None = None
    stop: Stop | None = None
    round: RoundRule | None = None
    compare: tuple[Paradigm, ...] = ()
    broken: frozenset[str] = frozenset()

    @classmethod
    def of(cls, spec: Any) -> Draft:
        """The draft of a valid description."""
        return cls.model_construct(**{name: getattr(spec, name) for name in cls.model_fields if name != "broken"})

    def twin(self, i: int) -> Draft:
        """The draft of a twin, which chooses no initial labels: it takes over the campaign's."""
        return self.model_copy(update={**self.compare[i].replaced, "compare": (), "initial": None})

    def whole(self, *names: str) -> bool:
        """Whether none of the sections is broken."""
        return not self.broken.intersection(names)
