"""Light descriptions of the labelers of the core: two that combine others, and one that waits for answers."""

from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, model_validator

from dataeff_al.parts import PartOf, PartSpec, Strict
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.sentences import Finding, FindingsError

Step = Annotated[PartSpec, PartOf("labelers")]
TargetName = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
Word = Annotated[str, Field(min_length=1, max_length=64)]


class PipelineParams(Params):
    """Parameters of ``pipeline``: each of ``steps`` starts from the draft of the one before; the last one answers."""

    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=8)]


class EscalateParams(Params):
    """Parameters of ``escalate``: the first of ``steps`` whose confidence reaches ``accept`` answers.

    A later step gets the draft of the one before as a start; the last one's answer is taken as it is.
    """

    steps: Annotated[tuple[Step, ...], Field(min_length=2, max_length=8)]
    accept: Annotated[float, Field(ge=0, le=1)] = 0.9


class ExternalTarget(Strict):
    """The form of the answers. Shapes follow from the pool: its grid for ``mask`` and ``field``.

    ``classes``: the names behind the codes, for ``class`` and ``mask``. ``channels``: the names of the numbers, for
    ``field`` and ``values``. ``name``: the key of the arrays, by default the kind's own (``label`` for ``class``).
    """

    kind: Literal["class", "mask", "field", "values"]
    name: TargetName | None = None
    classes: Annotated[tuple[Word, ...], Field(max_length=1024)] = ()
    channels: Annotated[tuple[Word, ...], Field(max_length=1024)] = ()
    unit: Annotated[str, Field(max_length=32)] = ""

    @model_validator(mode="after")
    def _named(self) -> "ExternalTarget":
        coded = self.kind in ("class", "mask")
        found = []
        if coded and len(set(self.classes)) < max(2, len(self.classes)):
            found.append(Finding(("classes",), f"must name at least two different classes of a {self.kind} target"))
        if not coded and len(set(self.channels)) < max(1, len(self.channels)):
            found.append(Finding(("channels",), f"must name the different numbers of a {self.kind} target"))
        if coded and self.channels:
            found.append(Finding(("channels",), f"must be left out for a {self.kind} target"))
        if not coded and self.classes:
            found.append(Finding(("classes",), f"must be left out for a {self.kind} target"))
        if found:
            raise FindingsError(found)
        return self

    @property
    def key(self) -> str:
        """The key of the arrays in a label."""
        return self.name or ("label" if self.kind == "class" else self.kind)


class OutsideParams(Params):
    """What a campaign must say of whoever answers from outside it.

    ``target``: the form of the answers. ``cost``: what an answer costs, in the budget's unit, and ``max_cost`` the most
    that it can. ``work_s``: a guess of the work on one, for the forecast alone. ``synthesised``: whether invented
    samples can be answered, too.
    """

    target: ExternalTarget
    cost: Annotated[int, Field(ge=0, le=1_000_000_000)] = 1
    max_cost: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    work_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    synthesised: bool = False

    @model_validator(mode="after")
    def _most_is_most(self) -> Self:
        if self.most < self.cost:
            raise FindingsError([Finding(("max_cost",), f"must be at least cost ({self.cost})", str(self.max_cost))])
        return self

    @property
    def most(self) -> int:
        """The most that one answer can cost."""
        return max(self.cost, 1) if self.max_cost is None else self.max_cost


class ExternalParams(OutsideParams):
    """Parameters of ``external``: people or programs that lease queries (``ask``) and return labels (``tell``).

    ``lease_s``: how long a leased query may take. ``instructions``: what those who answer should read first.
    """

    lease_s: Annotated[float, Field(gt=0, le=31_536_000)] = 86_400.0
    instructions: Annotated[str, Field(max_length=20_000)] = ""


def _steps_max_cost(params: Any) -> int:
    """Every step may have to be paid."""
    return sum(cast(LabelerPlugin, step.plugin).max_cost(step.params) for step in params.steps)


def _steps_offer(params: Any) -> frozenset[str]:
    """What all steps can take on."""
    return frozenset.intersection(*(step.offers for step in params.steps))


def _escalate_offers(params: Any) -> frozenset[str]:
    """Beside what all steps can take on, to have what measures answered by the last one."""
    return _steps_offer(params) | {"measuring"}


def _pipeline_offers(params: Any) -> frozenset[str]:
    """A step that answers what measures otherwise must be told of it, wherever it stands."""
    told = any("measuring" in step.offers for step in params.steps)
    return _steps_offer(params) | ({"measuring"} if told else frozenset())


def _steps_need(params: Any) -> frozenset[str]:
    return frozenset().union(*(step.needs for step in params.steps))


def _steps_obstacles(params: Any) -> list[Finding]:
    """What stands against any step."""
    return [
        finding.under(("steps", number))
        for number, step in enumerate(params.steps)
        for finding in cast(LabelerPlugin, step.plugin).obstacles(step.params)
    ]


def _steps_seconds(params: Any) -> float | None:
    """Of all steps together; None when nobody says how long one of them takes."""
    each = [step.seconds for step in params.steps]
    return None if None in each else sum(seconds for seconds in each if seconds is not None)


PIPELINE = LabelerPlugin(
    kind="labelers",
    name="pipeline",
    summary="Labelers one after the other, each starting from the draft of the one before.",
    params=PipelineParams,
    build="dataeff_al.labeling.combinators:build_pipeline",
    offers=_pipeline_offers,
    needs=_steps_need,
    seconds=_steps_seconds,
    max_cost=_steps_max_cost,
    obstacles=_steps_obstacles,
)

ESCALATE = LabelerPlugin(
    kind="labelers",
    name="escalate",
    summary="Cheap labelers first; what they are unsure of goes on to the next, dearer one.",
    params=EscalateParams,
    build="dataeff_al.labeling.combinators:build_escalate",
    offers=_escalate_offers,
    needs=_steps_need,
    seconds=_steps_seconds,
    max_cost=_steps_max_cost,
    obstacles=_steps_obstacles,
)

EXTERNAL = LabelerPlugin(
    kind="labelers",
    name="external",
    summary="People or programs outside that lease queries and return labels (ask / tell).",
    params=ExternalParams,
    build="dataeff_al.labeling.external:build_external",
    offers=lambda params: frozenset({"synthesised"} if params.synthesised else ()),
    seconds=lambda params: params.work_s,
    max_cost=lambda params: params.most,
)
