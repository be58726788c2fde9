"""Between messages and the project's own values: the only place that knows both."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from dataeff_al.campaign.state import Account
from dataeff_al.errors import Problem
from dataeff_al.events import to_json
from dataeff_al.rpc.types import (
    Activity,
    Booking,
    CampaignInfo,
    Form,
    Lease,
    ModelCard,
    Page,
    Receipt,
    Renewed,
    Status,
    UnknownAttempt,
    Verdict,
    WatchedEvent,
)
from dataeff_al.rpc.v1 import campaigns_pb2, labeling_pb2, models_pb2
from dataeff_al.samples.declared import samples_from_json, samples_to_json, target_from_json, target_to_json
from dataeff_al.stores.protocol import StoredEvent

_STATUS: Mapping[Status, Any] = {
    "running": campaigns_pb2.STATUS_RUNNING,
    "paused": campaigns_pb2.STATUS_PAUSED,
    "cancelling": campaigns_pb2.STATUS_CANCELLING,
    "cancelled": campaigns_pb2.STATUS_CANCELLED,
    "finished": campaigns_pb2.STATUS_FINISHED,
}
_ACTIVITY: Mapping[Activity, Any] = {
    "queued": campaigns_pb2.ACTIVITY_QUEUED,
    "driven": campaigns_pb2.ACTIVITY_DRIVEN,
    "idle": campaigns_pb2.ACTIVITY_IDLE,
}
_VERDICT: Mapping[Verdict, Any] = {"lost": campaigns_pb2.VERDICT_LOST, "wasted": campaigns_pb2.VERDICT_WASTED}
_BOOKING: Mapping[Booking, Any] = {"posted": labeling_pb2.BOOKING_POSTED, "extra": labeling_pb2.BOOKING_EXTRA}
_STATUS_BACK: Mapping[int, Status] = {number: name for name, number in _STATUS.items()}
_ACTIVITY_BACK: Mapping[int, Activity] = {number: name for name, number in _ACTIVITY.items()}
_VERDICT_BACK: Mapping[int, Verdict] = {number: name for name, number in _VERDICT.items()}
_BOOKING_BACK: Mapping[int, Booking] = {number: name for name, number in _BOOKING.items()}

_SAME = (
    "id",
    "name",
    "parent",
    "reason",
    "outcome",
    "problem",
    "events",
    "created_at",
    "round",
    "labels",
    "unit",
    "extra",
    "metric",
    "spec_yaml",
)
_OPTIONAL = ("target", "validation", "reached")


def campaign_message(info: CampaignInfo) -> campaigns_pb2.Campaign:
    """A campaign as a message."""
    message = campaigns_pb2.Campaign(
        status=_STATUS[info.status],
        activity=_ACTIVITY[info.activity],
        queries=_account_message(info.queries),
        evaluation=_account_message(info.evaluation),
        members=info.members,
        unknown=[campaigns_pb2.UnknownAttempt(**asdict(each)) for each in info.unknown],
        **{name: getattr(info, name) for name in _SAME},
    )
    for name in _OPTIONAL:
        if getattr(info, name) is not None:
            setattr(message, name, getattr(info, name))
    return message


def campaign(message: campaigns_pb2.Campaign) -> CampaignInfo:
    """The campaign in a message; what a newer service says in words that are not known here counts as running."""
    given = {name: getattr(message, name) for name in _SAME}
    given |= {name: getattr(message, name) if message.HasField(name) else None for name in _OPTIONAL}
    return CampaignInfo(
        status=_STATUS_BACK.get(message.status, "running"),
        activity=_ACTIVITY_BACK.get(message.activity, "driven"),
        queries=_account(message.queries),
        evaluation=_account(message.evaluation),
        members=tuple(message.members),
        unknown=tuple(map(_unknown, message.unknown)),
        **given,
    )


def _unknown(message: campaigns_pb2.UnknownAttempt) -> UnknownAttempt:
    return UnknownAttempt(message.attempt, message.query, message.purpose, message.payload, message.reason)


def _account_message(account: Account) -> campaigns_pb2.Account:
    return campaigns_pb2.Account(
        total=account.total, reserved=account.reserved, spent=account.spent, wasted=account.wasted
    )


def _account(message: campaigns_pb2.Account) -> Account:
    return Account(message.total, message.reserved, message.spent, message.wasted)


def page_message(page: Page) -> campaigns_pb2.ListResponse:
    """A page of campaigns as a message."""
    rows = [campaign_message(info) for info in page.campaigns]
    return campaigns_pb2.ListResponse(campaigns=rows, next_page_token=page.next_token)


def page(message: campaigns_pb2.ListResponse) -> Page:
    """The page of campaigns in a message."""
    return Page(tuple(campaign(each) for each in message.campaigns), message.next_page_token)


def event_message(stored: StoredEvent) -> campaigns_pb2.Event:
    """An event at its place as a message."""
    return campaigns_pb2.Event(
        campaign=stored.campaign, n=stored.n, at=stored.at, kind=stored.event.kind, body=to_json(stored.event)
    )


def event(message: campaigns_pb2.Event) -> WatchedEvent:
    """The event in a message."""
    return WatchedEvent(message.campaign, message.n, message.at, message.kind, message.body)


def problem_message(problem: Problem) -> campaigns_pb2.Problem:
    """A broken rule as a message."""
    return campaigns_pb2.Problem(path=problem.path, line=problem.line, message=problem.message)


def problem(message: campaigns_pb2.Problem) -> Problem:
    """The broken rule in a message."""
    return Problem(message.path, message.line, message.message)


def verdict_number(verdict: Verdict) -> Any:
    """A verdict as it travels."""
    return _VERDICT[verdict]


def verdict(number: int) -> Verdict | None:
    """The verdict that travels as this number, or None."""
    return _VERDICT_BACK.get(number)


def lease_message(lease: Lease) -> labeling_pb2.Lease:
    """A lease as a message."""
    return labeling_pb2.Lease(
        attempt=lease.attempt,
        campaign=lease.campaign,
        query=lease.query,
        deadline=lease.deadline,
        request=lease.packed,
    )


def lease(message: labeling_pb2.Lease) -> Lease:
    """The lease in a message."""
    return Lease(message.attempt, message.campaign, message.query, message.deadline, message.request)


def form_message(form: Form) -> labeling_pb2.DescribeResponse:
    """The form of samples and labels as a message."""
    return labeling_pb2.DescribeResponse(
        samples=json.dumps(samples_to_json(form.samples)),
        target=json.dumps(target_to_json(form.target)),
        instructions=form.instructions,
        cost=form.cost,
    )


def form(message: labeling_pb2.DescribeResponse) -> Form:
    """The form of samples and labels in a message."""
    samples, target = samples_from_json(json.loads(message.samples)), target_from_json(json.loads(message.target))
    return Form(samples, target, message.instructions, message.cost)


def renewed_message(renewed: Renewed) -> labeling_pb2.RenewResponse:
    """Renewed leases as a message."""
    return labeling_pb2.RenewResponse(deadline=renewed.deadline, renewed=renewed.attempts)


def renewed(message: labeling_pb2.RenewResponse) -> Renewed:
    """The renewed leases in a message."""
    return Renewed(message.deadline, tuple(message.renewed))


def receipt_message(receipt: Receipt) -> labeling_pb2.TellResponse:
    """A receipt as a message."""
    return labeling_pb2.TellResponse(booking=_BOOKING[receipt.booking], label=receipt.label, repeated=receipt.repeated)


def receipt(message: labeling_pb2.TellResponse) -> Receipt:
    """The receipt in a message."""
    return Receipt(_BOOKING_BACK.get(message.booking, "posted"), message.label, message.repeated)


def card_message(card: ModelCard) -> models_pb2.ModelCard:
    """A model's card as a message."""
    return models_pb2.ModelCard(digest=card.digest, size=card.size, card=json.dumps(card.card))


def card(message: models_pb2.ModelCard) -> ModelCard:
    """The model's card in a message."""
    return ModelCard(message.digest, message.size, json.loads(message.card))
