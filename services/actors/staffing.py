"""Keeps as many replicas at work as a labeler is to have: gives out what waits, takes what they report, replaces those
that are lost."""

import logging
from typing import Any

from dataeff_al.errors import UnavailableError
from services.actors.answers import SHORT_S, answer
from services.actors.caseload import MOST_DEATHS, Caseload, News
from services.actors.duty import Duty
from services.actors.hired import Hired
from services.actors.replica import Report
from services.actors.roster import Roster

log = logging.getLogger(__name__)


class Staffing:
    """What is to be done when a replica is needed, reports, or is lost. Each returns whom to tell of an end.

    Not safe for several threads by itself: its staff holds a lock around it.

    Args:
        duty: what the replicas are for.
        cases: the attempts.
        roster: the replicas.
    """

    def __init__(self, duty: Duty, cases: Caseload, roster: Roster) -> None:
        self._duty, self._cases, self._roster = duty, cases, roster
        self._stillborn = 0

    def fill(self) -> News:
        """Make up the number of replicas and give them what waits; a cluster that refuses fails what waits."""
        try:
            self._roster.fill()
            self._hand_out()
        except Exception as error:  # Ray raises all kinds when a cluster is gone
            log.warning("labeler %s cannot be started: %s", self._duty.info.name, error)
            return self._give_up(str(error))
        return []

    def hear(self, call: Any) -> News:
        """A replica has answered, or cannot any more."""
        hired = self._roster.answered(call)
        if hired is None:
            return []
        try:
            report = answer(call, SHORT_S)
        except UnavailableError as error:
            return self._lose(hired, str(error), suspicious=True)
        except Exception as error:  # it lives and refuses: when it cannot be made, another one would say the same
            self._stillborn = self._stillborn if hired.ready else MOST_DEATHS
            return self._lose(hired, str(error), suspicious=False)
        return self._take(hired, report) if isinstance(report, Report) else []

    def abandon(self, reason: str) -> News:
        """The cluster is gone."""
        held = [attempt for hired in self._roster.dissolve() for attempt in hired.assigned]
        return self._cases.abandon(held, reason)

    def end_silent(self) -> News:
        """End a replica that no longer reports."""
        found = self._roster.silent()
        if found is None:
            return []
        return self._lose(found.hired, found.reason, suspicious=found.late, late=found.late)

    def _take(self, hired: Hired, report: Report) -> News:
        hired.heard(report)
        if not hired.ready:
            hired.settle(report.holding)
            self._stillborn = 0
            self._cases.adopt(report.holding)
        news = self._cases.end(report.done, report.lost)
        if report.stuck:
            return [*news, *self._lose(hired, "a batch outlasted its time", suspicious=False)]
        self._roster.listen_to(hired)
        return [*news, *self.fill()]

    def _lose(self, hired: Hired, reason: str, *, suspicious: bool, late: bool = False) -> News:
        """Forget a replica and what it had; whatever may have ended it is remembered."""
        self._roster.dismiss(hired)
        news = self._cases.release(hired.assigned, reason, suspicious=suspicious, late=late)
        self._stillborn += not hired.ready
        if self._stillborn >= MOST_DEATHS:
            return [*news, *self._give_up(reason)]
        return [*news, *self.fill()]

    def _hand_out(self) -> None:
        for hired, attempts in self._cases.waiting.share_out(self._roster.ready, self._duty.window).items():
            jobs = [(attempt, self._cases.request(attempt)) for attempt in attempts]
            self._roster.expect(hired.give(jobs), hired)

    def _give_up(self, reason: str) -> News:
        """No replica comes to life: everything that waits fails, and the next start tries again."""
        self._stillborn = 0
        return [] if self._roster.ready else self._cases.fail_waiting(f"no labeler could be started: {reason}")
