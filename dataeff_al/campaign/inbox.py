"""News for whoever drives a campaign: steps that ended, attempts with an outcome, and what is asked from outside."""

import queue
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign import plan as do
from dataeff_al.campaign.hosts import StepResult
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.errors import DataeffError
from dataeff_al.events import Event
from dataeff_al.stores.protocol import RequestKey


@dataclass(frozen=True)
class StepNews:
    """A step ended."""

    step: do.Step
    future: "Future[StepResult]"


@dataclass(frozen=True)
class LabelNews:
    """An attempt has an outcome, or its host cannot say any more what became of it."""

    attempt: str


@dataclass(frozen=True)
class Asked:
    """Somebody outside wants something; the reply ends with the events, or with the refusal."""

    command: cmd.Command
    reply: "Future[Sequence[Event]]" = field(default_factory=Future)
    request: RequestKey | None = None


News = StepNews | LabelNews | Asked


class Inbox:
    """Where news for one campaign comes in, from any thread."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[News | None] = queue.SimpleQueue()

    def put(self, news: News) -> None:
        """Leave news."""
        self._queue.put(news)

    def wake(self) -> None:
        """End the driver's wait without news."""
        self._queue.put(None)

    def wait(self, timeout_s: float) -> list[News]:
        """All news there is, after waiting for the first of it."""
        found: list[News] = []
        try:
            item = self._queue.get(timeout=timeout_s)
            while True:
                if item is not None:
                    found.append(item)
                item = self._queue.get_nowait()
        except queue.Empty:
            return found


def answer_all(ledger: Ledger, asked: Sequence[Asked]) -> Sequence[Event]:
    """Do what several asked, in one transaction, and reply to each: with its events once they are durable, or with its
    refusal. Returns all events.
    """
    waiting = [each for each in asked if each.reply.set_running_or_notify_cancel()]
    try:
        answers = ledger.execute_each([(each.command, each.request) for each in waiting])
    except Exception as error:
        refuse_all(waiting, error)
        if isinstance(error, DataeffError):
            return []
        raise
    for each, found in zip(waiting, answers, strict=True):
        if isinstance(found, DataeffError):
            each.reply.set_exception(found)
        else:
            each.reply.set_result(found)
    return [event for found in answers if not isinstance(found, DataeffError) for event in found]


def refuse_all(asked: Sequence[Asked], error: Exception) -> None:
    """Reply to all with the same refusal."""
    for each in asked:
        each.reply.set_exception(error)
