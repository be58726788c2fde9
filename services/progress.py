"""Live progress of a run: one line that moves on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table

from dataeff_al.campaign.rounds import rounds_for
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.events import (
    AttemptExpired,
    AttemptFailed,
    Created,
    DeadLettered,
    Evaluated,
    Event,
    Finished,
    GeneratorFitted,
    Paused,
    PoolPrepared,
    Proposed,
    Trained,
)

TROUBLE = (AttemptFailed, AttemptExpired, DeadLettered)


class Progress:
    """Told of every batch of events; says what a person waiting wants to know.

    Use as a context manager; ``quiet`` says nothing at all. ``clock`` tells when the events happened [s].
    """

    def __init__(self, spec: CampaignSpec, quiet: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._spec, self._quiet, self._clock = spec, quiet, clock
        self._console = Console(stderr=False, highlight=False)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True) if self._moves() else None
        self._began: dict[str, float] = {}
        self._done: dict[str, int] = {}

    def _moves(self) -> bool:
        return not self._quiet and sys.stdout.isatty()

    def __enter__(self) -> "Progress":
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live:
            self._live.stop()

    def __call__(self, state: State, events: Sequence[Event]) -> None:
        """Something happened."""
        if self._quiet:
            return
        self._began.setdefault(state.id, self._clock())
        for event in events:
            line = self._line(state, event)
            if line:
                self._console.print(f"{state.id}  {line}", markup=False, soft_wrap=True)
        if self._live:
            self._live.update(self._table(state))

    def note(self, text: str) -> None:
        """A sentence in between."""
        if not self._quiet:
            self._console.print(text, markup=False, soft_wrap=True)

    def _line(self, state: State, event: Event) -> str | None:
        if isinstance(event, Created):
            return "created"
        if isinstance(event, PoolPrepared):
            return f"pool read: {event.candidates} candidates ({event.seconds:.1f} s)"
        if isinstance(event, GeneratorFitted):
            return (
                f"manifold learnt: error {event.error:.4g}, mean sample {event.mean_error:.4g} ({event.seconds:.1f} s)"
            )
        if isinstance(event, Proposed):
            return f"round {event.round}: {len(event.queries)} {event.purpose} queries ({event.seconds:.1f} s)"
        if isinstance(event, Trained):
            return f"round {event.round}: {event.role} model trained on {event.labels} labels ({event.seconds:.1f} s)"
        if isinstance(event, Evaluated):
            return self._evaluated(state, event)
        # To pass a query on is what a labeler is there for.
        if isinstance(event, TROUBLE) and getattr(event, "failure", "") != "passed_on":
            return f"{event.kind.replace('_', ' ')}: {getattr(event, 'reason', 'the deadline passed')}"
        if isinstance(event, Paused):
            return f"paused: {event.reason}"
        if isinstance(event, Finished):
            return f"{event.outcome}: {event.reason}"
        return None

    def _evaluated(self, state: State, event: Evaluated) -> str:
        rules = rules_of(state)
        values = [f"{name} {_number(split.get(rules.metric))}" for name, split in _splits(event)]
        left = self._time_left(state)
        account = state.accounts["queries"]
        spent = account.told(self._spec.budget.unit)
        tail = f"  about {left:.0f} s left" if left is not None and event.role == "main" else ""
        return f"round {event.round}: {rules.metric}  {'  '.join(values)}  at {event.labels} labels, {spent}{tail}"

    def _time_left(self, state: State) -> float | None:
        """Rounds to come at the pace so far; twins are not counted, because each announces its own."""
        account, rounds = state.accounts["queries"], state.round + 1
        if rounds < 1 or state.created is None:
            return None
        rules, wanted = rules_of(state), account.free // max(state.created.max_cost, 1)
        labelled = sum(number for (purpose, _), number in state.answered.items() if purpose in ("initial", "acquire"))
        to_come = rounds_for(wanted, rules.per_round, rules.growth, labelled)
        return (self._clock() - self._began[state.id]) / rounds * to_come

    def _table(self, state: State) -> Table:
        account = state.accounts.get("queries")
        table = Table.grid(padding=(0, 2))
        waiting = len(state.live)
        spent = account.told(self._spec.budget.unit) if account else ""
        table.add_row(state.id, state.status, f"round {max(state.round, 0)}", f"{waiting} labels awaited", spent)
        return table


def _splits(event: Evaluated) -> list[tuple[str, dict[str, float]]]:
    return [("validation", event.validation), ("test", event.test)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
