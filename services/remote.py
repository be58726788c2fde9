"""A campaign at a controller, answered as one in a folder is: lease queries, look at their samples, bring answers."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Protocol

from dataeff_al.campaign.questions import Question, Told, question_of, write_samples
from dataeff_al.campaign.standing import Standing
from dataeff_al.labeling.npz_labels import read_labels
from dataeff_al.labeling.types import Label
from dataeff_al.rpc import Client
from dataeff_al.rpc.limits import MAX_LEASES
from dataeff_al.rpc.types import Form, Lease
from dataeff_al.samples.types import TargetSpec


class Asked(Protocol):
    """A campaign that is answered from outside, wherever it is."""

    @property
    def target(self) -> TargetSpec:
        """The form of the labels."""

    @property
    def instructions(self) -> str:
        """What those who answer should read first."""

    @property
    def status(self) -> Standing:
        """How the campaign stands."""

    def ask(self, n: int = 1) -> Sequence[Question]:
        """Lease up to ``n`` queries."""

    def leased(self) -> Sequence[Question]:
        """Queries that were leased before and have no answer yet."""

    def write_questions(self, path: str | Path, questions: Sequence[Question]) -> None:
        """Write leased queries as an npz file whose ``id`` are the attempts."""

    def tell_file(self, path: str | Path) -> Told:
        """Record the answers of such a file."""


class RemoteCampaign:
    """A campaign of a controller whose labeler is external.

    Args:
        client: talks to the controller.
        campaign: the campaign's id there.
    """

    def __init__(self, client: Client, campaign: str) -> None:
        self._client, self._campaign = client, campaign

    @cached_property
    def _form(self) -> Form:
        return self._client.describe(self._campaign)

    @property
    def target(self) -> TargetSpec:
        """The form of the labels."""
        return self._form.target

    @property
    def instructions(self) -> str:
        """What those who answer should read first."""
        return self._form.instructions

    @property
    def status(self) -> Standing:
        """How the campaign stands, as the controller tells it."""
        info = self._client.get(self._campaign)
        return Standing(
            name=info.name,
            status=info.status,
            reason=info.reason,
            round=info.round,
            labels=info.labels,
            leased=len(self._client.list_leased(self._campaign)),
            spent=info.queries.spent,
            wasted=info.queries.wasted,
            budget=info.queries.total,
            unit=info.unit,
            metric=info.metric,
            value=info.validation,
        )

    def ask(self, n: int = 1) -> list[Question]:
        """Lease up to ``n`` queries. Raises StateError when the labeler is not one that is asked."""
        questions: list[Question] = []
        while len(questions) < n:
            leases = self._client.ask(self._campaign, min(n - len(questions), MAX_LEASES))
            if not leases:
                break
            questions.extend(map(_question, leases))
        return questions

    def leased(self) -> list[Question]:
        """Leased queries without an answer yet, whoever leased them."""
        return [_question(lease) for lease in self._client.list_leased(self._campaign)]

    def write_questions(self, path: str | Path, questions: Sequence[Question]) -> None:
        """Write leased queries as an npz file whose ``id`` are the attempts. Raises DataError when it cannot."""
        write_samples(Path(path), self._form.samples, questions)

    def tell_file(self, path: str | Path) -> Told:
        """Bring the answers of a file; rows without an answer are left out.

        The form of all is checked before the first is sent. Raises DataError, NotFoundError for an attempt that no
        campaign of the family has leased, ConflictError for one that was answered otherwise.
        """
        labels = read_labels(Path(path), self.target)
        new = sum(self._told(str(attempt), label) for attempt, label in labels.items())
        return Told(labels=new, repeated=len(labels) - new)

    def _told(self, attempt: str, label: Label) -> bool:
        """Whether the answer was new."""
        lease = Lease(attempt, self._campaign, "", 0.0, b"")
        return not self._client.tell(lease, replace(label, cost=self._form.cost)).repeated


def _question(lease: Lease) -> Question:
    return question_of(lease.request)
