"""How campaigns begin: the first events of a campaign, and those of a twin that starts from its parent's labels."""

from collections.abc import Sequence

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import QueryState, State
from dataeff_al.errors import BudgetError
from dataeff_al.events import (
    Created,
    Event,
    GeneratorFitted,
    Inherited,
    InheritedLabel,
    LabelRecord,
    Purpose,
    QueryRecord,
)
from dataeff_al.labeling.types import LabelerInfo
from dataeff_al.metrics import check_fits
from dataeff_al.samples.declared import target_to_json

SHARED: tuple[Purpose, ...] = ("validation", "test", "initial")


def created(spec: CampaignSpec, info: LabelerInfo, parent: str | None = None) -> Created:
    """The event that begins a campaign.

    Raises CapabilityError when the metric does not fit the labels, BudgetError when the first labels may cost more
    than there is.
    """
    check_fits(spec.stop.metric, info.target)
    most = max(info.max_cost, info.cost, 1)
    if spec.initial.count * most > spec.budget.total:
        raise BudgetError(
            f"the budget must pay for {spec.initial.count} initial labels at up to {most} each, but got "
            f"{spec.budget.total}."
        )
    return Created(
        name=spec.name,
        spec=spec.canonical(),
        spec_digest=spec.identity,
        parent=parent,
        max_cost=most,
        lease_s=(spec.labeler.runtime.timeout_s if spec.labeler.runtime else None) or info.timeout_s,
        target=target_to_json(info.target),
    )


def first_event(spec: CampaignSpec, info: LabelerInfo, number: int = 0) -> Created:
    """The event that begins the ``number``-th repeat of a campaign.

    Raises CapabilityError when the metric does not fit the labels.
    """
    event = created(repeat(spec, number), info)
    return event if number else event.model_copy(update={"repeats": spec.repeats})


def repeat(spec: CampaignSpec, number: int) -> CampaignSpec:
    """The campaign under the seed of its ``number``-th repeat."""
    return spec.model_copy(update={"seed": spec.seed + number, "repeats": 1})


def spec_of(event: Created) -> CampaignSpec:
    """The description that :func:`first_event` began with, repeats included. Raises SpecError."""
    return CampaignSpec.from_canonical({**event.spec, "repeats": event.repeats})


def twin_id(parent: str, name: str) -> str:
    """The id of a twin: its parent's, and its own name."""
    return f"{parent}.{name}"


def twin_events(parent: State, spec: CampaignSpec, info: LabelerInfo) -> Sequence[Event]:
    """The first events of a twin: the same pool, the same first labels, and the same manifold when it is the same part.

    Its slots and query ids of the shared labels are its parent's, so that one label keeps one name in the record.
    """
    assert parent.created is not None
    assert parent.pool is not None
    events: list[Event] = [created(spec, info, parent.id), parent.pool.model_copy(update={"seconds": 0.0})]
    if parent.generator is not None and parent.created.spec.get("generator") == spec.canonical()["generator"]:
        events.append(_shared(parent.generator))
    labels = [_inherited(query) for purpose in SHARED for query in parent.labelled(purpose)]
    slots = {purpose: parent.proposed[purpose, 0] for purpose in SHARED if (purpose, 0) in parent.proposed}
    return [*events, Inherited(labels=tuple(labels), slots=slots)]


def _shared(generator: GeneratorFitted) -> GeneratorFitted:
    return generator.model_copy(update={"seconds": 0.0})


def _inherited(query: QueryState) -> InheritedLabel:
    assert query.label is not None
    record = QueryRecord(
        id=query.id,
        slot=query.slot,
        payload=query.payload,
        request=query.request,
        content=query.content,
        synthesised=query.synthesised,
        provenance=query.provenance,
    )
    label = LabelRecord(label=query.label, cost=query.cost, work_s=query.work_s, cpu_s=query.cpu_s)
    return InheritedLabel(query=record, purpose=query.purpose, label=label)
