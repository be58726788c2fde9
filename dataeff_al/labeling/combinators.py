"""Labelers made of labelers: a pipeline of tools, and cheap ones that pass on what they are unsure of."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from dataeff_al.errors import CapabilityError, LabelingError
from dataeff_al.labeling.answered_samples import AnsweredSamples
from dataeff_al.labeling.asking import Raised, acknowledge, tried
from dataeff_al.labeling.picturing import drawn, draws, stacked
from dataeff_al.labeling.spec import EscalateParams, PipelineParams
from dataeff_al.labeling.types import (
    Deferred,
    Effect,
    Label,
    Labeler,
    LabelerContext,
    LabelerInfo,
    LabelFailure,
    Outcome,
    Request,
)
from dataeff_al.parts import PartSpec
from dataeff_al.samples.types import Sample

_WEAKEST_FIRST: tuple[Effect, ...] = ("blind", "queryable", "keyed", "pure")


def build_pipeline(params: PipelineParams, context: LabelerContext) -> "Pipeline":
    """The ``pipeline`` labeler. Raises CapabilityError when a step cannot be called."""
    return Pipeline(_chained(params.steps, context))


def build_escalate(params: EscalateParams, context: LabelerContext) -> "Escalate":
    """The ``escalate`` labeler. Raises CapabilityError when a step before the last cannot be called."""
    last = _labeler(params.steps[-1], context)
    called = [_callable(step, context) for step in params.steps[:-1]]
    if last.info.delivery == "pull":
        return Escalate(called, params.accept, last)
    return Escalate([*called, last], params.accept)


def _labeler(step: PartSpec, context: LabelerContext) -> Labeler:
    labeler: Labeler = step.plugin.factory()(step.params, context)
    return labeler


def _chained(steps: Sequence[PartSpec], context: LabelerContext) -> list[Labeler]:
    """Each step is built for samples that hold the answers of the steps before it."""
    built: list[Labeler] = []
    for step in steps:
        built.append(_callable(step, context))
        context = replace(context, pool=AnsweredSamples(context.pool, built[-1].info.target))
    return built


def _callable(step: PartSpec, context: LabelerContext) -> Labeler:
    labeler = _labeler(step, context)
    if labeler.info.delivery == "pull" or labeler.info.outside is not None:
        raise CapabilityError(
            f"a step must be a labeler that can be called, unless it is the last of escalate, but got "
            f"{labeler.info.name!r}."
        )
    return labeler


def _combined(name: str, steps: Sequence[Labeler]) -> LabelerInfo:
    """The declaration of several labelers together: dearest, slowest, and only as repeatable as the weakest step.

    Steps that can each be asked about an attempt cannot be asked about it together, so that queryable counts as blind.
    """
    infos = [step.info for step in steps]
    effect = min((info.effect for info in infos), key=_WEAKEST_FIRST.index)
    return replace(
        infos[-1],
        name=name,
        version="+".join(f"{info.name}-{info.version}" for info in infos),
        effect="blind" if effect == "queryable" else effect,
        deterministic=all(info.deterministic for info in infos),
        cost=sum(info.cost for info in infos),
        max_cost=sum(info.max_cost for info in infos),
        preferred_batch=min(info.preferred_batch for info in infos),
        timeout_s=sum(info.timeout_s for info in infos),
        accepts_synthesised=all(info.accepts_synthesised for info in infos),
    )


def _step_key(key: str, number: int) -> str:
    return f"{key}-{number}"


def _step_request(request: Request, number: int, draft: Label | None) -> Request:
    """The same question to another step, under a key of its own."""
    return replace(request, key=_step_key(request.key, number), draft=draft or request.draft)


def _acknowledge(steps: Sequence[Labeler], keys: Sequence[str]) -> None:
    for number, step in enumerate(steps):
        acknowledge(step, [_step_key(key, number) for key in keys])


def _with_arrays(request: Request, draft: Label | None) -> Request:
    """The request with the draft's arrays among the sample's."""
    if draft is None:
        return request
    sample = request.sample
    return replace(request, sample=Sample(sample.id, {**sample.fields, **draft.target}, sample.group))


def _asked(step: Labeler, requests: Sequence[Request]) -> list[Outcome]:
    """The step's outcomes. What a call that raised has cost is nothing for a pure step; of any other only its host can
    judge, so that the whole attempt raises."""
    found = tried(step, requests) if requests else []
    raised = next((item for item in found if isinstance(item, Raised)), None)
    if raised is not None and step.info.effect != "pure":
        raise LabelingError(raised.reason)
    return [LabelFailure(item.reason, "infra") if isinstance(item, Raised) else item for item in found]


class Pipeline:
    """Labelers one after the other: each gets the arrays of the answer before, the last one's answer is the label.

    A step that fails ends the request; what the steps before it cost is booked with the failure. A draft that a step
    deferred is used like an answer: only the last step may defer for the whole.
    """

    def __init__(self, steps: Sequence[Labeler]) -> None:
        self._steps = steps
        self.info = _combined("pipeline", steps)

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """One outcome for each request."""
        outcomes: list[Outcome | None] = [None] * len(batch)
        drafts: dict[int, Label | None] = dict.fromkeys(range(len(batch)))
        paid = [0] * len(batch)
        for number, step in enumerate(self._steps):
            places = list(drafts)
            asked = [
                _with_arrays(_step_request(batch[place], number, drafts[place]), drafts[place]) for place in places
            ]
            for place, outcome in zip(places, _asked(step, asked), strict=True):
                outcomes[place] = _with_cost(outcome, paid[place])
                drafts.pop(place)
                if not isinstance(outcome, LabelFailure):
                    drafts[place] = outcome.draft if isinstance(outcome, Deferred) else outcome
                    paid[place] += drafts[place].cost  # type: ignore[union-attr]
        return [outcome for outcome in outcomes if outcome is not None]

    def ack(self, keys: Sequence[str]) -> None:
        """Tell the steps."""
        _acknowledge(self._steps, keys)

    def illustrate(self, request: Request, outcome: Outcome, path: Path) -> bool:
        """Draw what each step made of it, one below the other.

        The steps before the last are asked again, which only pure ones may be: nothing is shown beyond one that is not.
        """
        draft: Label | None = None
        with TemporaryDirectory(prefix="dataeff-") as folder:
            parts = list[Path]()
            for number, step in enumerate(self._steps):
                last = number == len(self._steps) - 1
                if not last and step.info.effect != "pure":
                    break
                asked = _with_arrays(_step_request(request, number, draft), draft)
                made = outcome if last else _asked(step, [asked])[0]
                part = Path(folder) / f"{number}.png"
                if draws(step, made) and drawn(step, asked, made, part):
                    parts.append(part)
                if isinstance(made, LabelFailure):
                    break
                draft = made.draft if isinstance(made, Deferred) else made
            return stacked(parts, path)


class Escalate:
    """The first labeler that is sure enough answers; the last one's answer is taken as it is.

    A label without a stated confidence counts as sure. A refused request goes on like an unsure one; an
    infrastructure failure does not, for it says nothing about the sample. What measures goes to the last step at once:
    the errors of the others must not count as truth.

    Args:
        steps: the labelers that can be called.
        accept: the confidence from which an answer is taken.
        outside: whoever answers what no step is sure of, in the place of a last step: a draft goes with it.
    """

    def __init__(self, steps: Sequence[Labeler], accept: float, outside: Labeler | None = None) -> None:
        self._steps, self._accept, self._outside = steps, accept, outside
        everybody = steps if outside is None else [*steps, outside]
        self.instructions = getattr(outside, "instructions", "")
        self.info = replace(_combined("escalate", steps), cost=steps[0].info.cost)
        if outside is not None:
            self.info = _with_outside(self.info, _combined("escalate", everybody), outside.info)

    def label(self, batch: Sequence[Request]) -> Sequence[Outcome]:
        """One outcome for each request."""
        outcomes: dict[int, Outcome] = {}
        waiting: dict[int, Label | None] = dict.fromkeys(range(len(batch)))
        paid = [0] * len(batch)
        for number, step in enumerate(self._steps):
            last = number == len(self._steps) - 1 and self._outside is None
            places = [place for place in waiting if last or not batch[place].measures]
            asked = [_step_request(batch[place], number, waiting[place]) for place in places]
            for place, outcome in zip(places, _asked(step, asked), strict=True):
                settled = _settled(outcome, self._accept, last)
                draft = waiting.pop(place)
                if settled is not None:
                    outcomes[place] = _with_note(_with_cost(settled, paid[place]), step.info.name)
                    continue
                paid[place] += outcome.cost
                waiting[place] = outcome.draft if isinstance(outcome, Deferred) else _unsure(outcome) or draft
        return [outcomes.get(place) or _passed_on(waiting[place], paid[place]) for place in range(len(batch))]

    def ack(self, keys: Sequence[str]) -> None:
        """Tell the steps."""
        _acknowledge(self._steps, keys)

    def illustrate(self, request: Request, outcome: Outcome, path: Path) -> bool:
        """Draw what the first step that draws made of it, whether it answered or passed it on.

        A step that passed it on is asked again, which only a pure one may be.
        """
        answered_by = outcome.notes.get("answered_by") if isinstance(outcome, Label) else None
        last = max((n for n, step in enumerate(self._steps) if step.info.name == answered_by), default=None)
        for number, step in enumerate(self._steps):
            if number == last:
                return drawn(step, _step_request(request, number, None), outcome, path)
            if step.info.effect == "pure" and draws(step, outcome):
                asked = _step_request(request, number, None)
                return drawn(step, asked, _asked(step, [asked])[0], path)
        return False


def _with_outside(called: LabelerInfo, everybody: LabelerInfo, outside: LabelerInfo) -> LabelerInfo:
    """How the steps that are called behave, what all of them may cost, and who is outside."""
    return replace(
        called,
        target=everybody.target,
        version=everybody.version,
        deterministic=False,
        max_cost=everybody.max_cost,
        accepts_synthesised=everybody.accepts_synthesised,
        outside=outside,
    )


def _passed_on(draft: Label | None, paid: int) -> Outcome:
    """What nobody who can be called is sure of, with the best draft that there is."""
    if draft is None:
        return LabelFailure("no step had an answer", "passed_on", paid)
    return Deferred(replace(draft, cost=paid), draft.confidence or 0.0, "no step was sure enough")


def _settled(outcome: Outcome, accept: float, last: bool) -> Outcome | None:
    if isinstance(outcome, Deferred):
        sure = replace(outcome.draft, confidence=outcome.confidence)
        return sure if outcome.confidence >= accept else (outcome if last else None)
    if isinstance(outcome, LabelFailure):
        return outcome if last or outcome.kind in ("infra", "timeout") else None
    return outcome if last or outcome.confidence is None or outcome.confidence >= accept else None


def _unsure(outcome: Outcome) -> Label | None:
    return outcome if isinstance(outcome, Label) else None


def _with_cost(outcome: Outcome, paid: int) -> Outcome:
    """The outcome with what earlier steps cost added to its own cost."""
    if isinstance(outcome, Deferred):
        return replace(outcome, draft=replace(outcome.draft, cost=outcome.draft.cost + paid))
    return replace(outcome, cost=outcome.cost + paid)


def _with_note(outcome: Outcome, answered_by: str) -> Outcome:
    if isinstance(outcome, Label):
        return replace(outcome, notes={**outcome.notes, "answered_by": answered_by})
    return outcome
