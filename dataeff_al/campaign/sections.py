"""The sections of a campaign file that are not plugins."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from dataeff_al.errors import UnknownNameError
from dataeff_al.metrics import METRICS, find
from dataeff_al.parts import PartOf, PartSpec, Strict
from dataeff_al.sentences import Finding, FindingsError, name_hint, shown

_NAME = re.compile(r"[a-z0-9]+([_+-][a-z0-9]+)*")
MOST = 100_000_000


def _fit_for_a_folder(name: str) -> str:
    if len(name) > 64 or not _NAME.fullmatch(name):
        must = "must be at most 64 small letters and digits, with single -, _ or + between them"
        raise FindingsError([Finding((), must, shown(name))])
    return name


Name = Annotated[str, AfterValidator(_fit_for_a_folder), Field(json_schema_extra={"pattern": f"^{_NAME.pattern}$"})]
"""A name fit for a folder: small letters, digits, and single ``-``, ``_`` or ``+`` between them."""

Count = Annotated[int, Field(ge=1, le=MOST)]
CountOrNone = Annotated[int, Field(ge=0, le=MOST)]

PoolPart = Annotated[PartSpec, PartOf("pools")]
GeneratorPart = Annotated[PartSpec, PartOf("generators", runtime=True)]
PriorPart = Annotated[PartSpec, PartOf("priors")]
LearnerPart = Annotated[PartSpec, PartOf("learners", runtime=True)]
TrainerPart = Annotated[PartSpec, PartOf("trainers")]
LabelerPart = Annotated[PartSpec, PartOf("labelers", runtime=True)]
SamplerPart = Annotated[PartSpec, PartOf("samplers")]
StartSampler = Annotated[PartSpec, PartOf("samplers", bare=True)]


class Evaluation(Strict):
    """Labels that only measure. ``reference``: labels for the line that a model of (nearly) the whole pool reaches."""

    validation: CountOrNone
    test: Count
    reference: Literal["full"] | CountOrNone = 0


class Initial(Strict):
    """The first labelled samples: ``random: n``, or ``sampler`` with ``n``, or ``labels``, a file of owned ones."""

    random: Count | None = None
    sampler: StartSampler | None = None
    n: Count | None = None
    labels: Annotated[str, Field(min_length=1, max_length=1024)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Initial":
        given = [name for name in ("random", "sampler", "labels") if getattr(self, name) is not None]
        if len(given) != 1:
            got = " and ".join(given) or "none of them"
            raise FindingsError([Finding((), "must hold exactly one of random, sampler and labels", got)])
        if (self.n is None) == (self.sampler is not None):
            must = "must be given together with sampler" if self.n is None else "must stand beside sampler only"
            raise FindingsError([Finding(("n",), must)])
        return self

    @property
    def count(self) -> int:
        """Labels that have to be bought to start with."""
        return self.random or self.n or 0

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_none(handler(self))


class Budget(Strict):
    """What may be spent on initial and acquired labels, in whole units; ``per_round``: labels of one round.

    ``growth``: a round asks for at least this part of what is labelled by then, so that a long campaign trains as often
    as the logarithm of its labels grows.
    """

    unit: Annotated[str, Field(min_length=1, max_length=32, pattern=r"^[A-Za-z][A-Za-z0-9 _-]*$")] = "label"
    total: Count
    per_round: Count
    growth: Annotated[float, Field(gt=0, le=10)] | None = None

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_none(handler(self))


def _known_metric(name: str) -> str:
    try:
        find(name)
    except UnknownNameError:
        must = f"metric must be one of {', '.join(METRICS)}"
        raise FindingsError([Finding((), must, shown(name), name_hint(name, METRICS))]) from None
    return name


class Stop(Strict):
    """When to stop before the budget is spent, decided on the validation split.

    ``plateau``: rounds in a row without a better value of ``metric``. ``least_gain``: how much better one unit of the
    budget must be predicted to make it, from the rounds so far (see :func:`~dataeff_al.efficiency.predicted_gain`).
    """

    metric: Annotated[str, Field(max_length=128), AfterValidator(_known_metric)]
    target: float | None = None
    plateau: Count | None = None
    least_gain: Annotated[float, Field(gt=0)] | None = None

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_none(handler(self))


class RoundRule(Strict):
    """When a round ends: with ``all`` answers, with a ``quorum`` of them, or ``deadline_s`` after it began."""

    close: Literal["all", "quorum", "deadline"] = "all"
    quorum: Count | None = None
    deadline_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None

    @model_validator(mode="after")
    def _settled(self) -> "RoundRule":
        wanted = {"quorum": "quorum", "deadline": "deadline_s"}
        wrong = [name for close, name in wanted.items() if (close == self.close) != (getattr(self, name) is not None)]
        if wrong:
            must = "must be given when and only when the round closes on it"
            raise FindingsError([Finding((name,), must, f"close: {self.close}") for name in wrong])
        return self

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return without_none(handler(self))


class Paradigm(Strict):
    """A twin: the parts that it has instead of the campaign's. A part is replaced whole; ``null`` takes it away."""

    name: Name | None = None
    generator: GeneratorPart | None = None
    prior: tuple[PriorPart, ...] | None = None
    learner: LearnerPart | None = None
    trainer: TrainerPart | None = None
    sampler: SamplerPart | None = None

    @model_validator(mode="after")
    def _overrides(self) -> "Paradigm":
        if not self.replaced:
            must = "must hold at least one of generator, prior, learner, trainer and sampler"
            raise FindingsError([Finding((), must)])
        empty = [name for name in ("prior", "learner", "trainer", "sampler") if self.takes_away(name)]
        if empty:
            raise FindingsError([Finding((name,), "must be given, only a generator may be null") for name in empty])
        return self

    @property
    def replaced(self) -> dict[str, Any]:
        """The given parts by name."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self._parts_given}

    @property
    def _parts_given(self) -> set[str]:
        return self.model_fields_set - {"name"}

    def takes_away(self, name: str) -> bool:
        """Whether the part is given as null."""
        return name in self.model_fields_set and getattr(self, name) is None

    @property
    def own_name(self) -> str:
        """The given name, or one made of the kinds that differ: ``random`` or ``random+mlp``."""
        return self.name or "+".join(_kinds(name, part) for name, part in self.replaced.items())

    @model_serializer(mode="wrap")
    def _given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name in self.model_fields_set}


def _kinds(name: str, part: PartSpec | tuple[PartSpec, ...] | None) -> str:
    if isinstance(part, PartSpec):
        return part.kind
    return "+".join(prior.kind for prior in part) if part else f"no_{name}"


def without_none(data: Mapping[str, Any]) -> dict[str, Any]:
    """The keys whose value is given."""
    return {name: value for name, value in data.items() if value is not None}
