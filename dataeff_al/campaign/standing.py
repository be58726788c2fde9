"""How a campaign stands, for people: one line, or a small table in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.state import Account, State


@dataclass(frozen=True)
class Standing:
    """A campaign with its twins at one moment.

    ``status``: new, running, paused, cancelling, cancelled, or finished when its twins are, too; ``reason`` why it is
    paused or how it ended.
    ``waiting`` counts queries that nobody has leased, ``leased`` those that an answer is owed for, twins' included.
    ``spent``, ``wasted`` (paid for without a label, as to a step that passed a query on) and ``budget`` in ``unit``;
    ``value`` is the newest validation value of ``metric``.
    """

    name: str
    status: str = "new"
    reason: str = ""
    round: int = -1
    labels: int = 0
    waiting: int = 0
    leased: int = 0
    spent: int = 0
    budget: int = 0
    wasted: int = 0
    unit: str = "label"
    metric: str = ""
    value: float | None = None

    def __str__(self) -> str:
        """One line."""
        return f"{self.name}: " + ", ".join(f"{name} {text}" for name, text in self._rows()).removeprefix("status ")

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("status", self.status + (f" ({self.reason})" if self.reason else ""))]
        if self.status == "new":
            return rows
        rows.append(("spent", Account(self.budget, 0, self.spent, self.wasted).told(self.unit)))
        rows.append(("labels", str(self.labels)))
        if self.waiting or self.leased:
            rows += [("queries waiting", str(self.waiting)), ("queries leased", str(self.leased))]
        if self.value is not None:
            rows.append((f"validation {self.metric}", f"{self.value:.4g}"))
        return rows

    def html(self) -> str:
        """A table."""
        cells = "".join(
            f"<tr><td style='text-align:left'>{escape(name)}</td><td>{escape(text)}</td></tr>"
            for name, text in self._rows()
        )
        return f"<table><caption>{escape(self.name)}</caption>{cells}</table>"


def standing(name: str, unit: str, states: Sequence[State]) -> Standing:
    """How the run of these states stands; the first is the campaign's own."""
    if not states or states[0].created is None:
        return Standing(name, unit=unit)
    main, account = states[0], states[0].accounts["queries"]
    rounds = [number for role, number in main.evaluated if role == "main"]
    metric = rules_of(main).metric
    return Standing(
        name=name,
        status=status_of(states),
        reason=_reason(main),
        round=main.round,
        labels=len(main.labelled("initial", "acquire")),
        waiting=sum(len(state.waiting) + len(state.handed) for state in states),
        leased=sum(len(state.open) for state in states),
        spent=account.spent,
        wasted=account.wasted,
        budget=account.total,
        unit=unit,
        metric=metric,
        value=main.evaluated[("main", max(rounds))].validation.get(metric) if rounds else None,
    )


def status_of(states: Sequence[State]) -> str:
    """One word for a run: that of its first campaign that is not at its end, or else of the campaign itself."""
    return next((state.status for state in states if not state.terminal), states[0].status)


def _reason(state: State) -> str:
    if state.finished is not None:
        return state.finished.reason
    return state.paused.reason if state.paused is not None else ""
