"""Where a campaign stands, without replaying all of its log: its newest snapshot, and the events after it.

A snapshot is never the truth. One that is missing, damaged, written by another version or at odds with the rules of
money and leases is passed over, and the whole log is replayed.
"""

import gc
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.soundness import faults
from dataeff_al.campaign.state import State
from dataeff_al.campaign.state_json import blocks_of, changed_blocks, head_of, outline_of, state_from
from dataeff_al.errors import ConflictError, CorruptError, DataeffError
from dataeff_al.events import Event
from dataeff_al.stores.protocol import Snapshot, Store

log = logging.getLogger(__name__)
EVERY = 4096
"""Events between snapshots: as many as a start may have to replay."""

KEPT = 256


class Recall:
    """States of a record's campaigns, and their snapshots. Threads may share it; one for each open record is best.

    Example::

        recall = Recall(store)
        state = recall.state("digits")      # the newest snapshot and its tail
        recall.follow(grown)                # after every commit: now and then writes a snapshot

    Args:
        store: the record; one that is open for reading only is read, and nothing is kept in it.
        every: events between two snapshots of a campaign.
    """

    def __init__(self, store: Store, every: int = EVERY) -> None:
        self._store, self._every = store, every
        self._lock = threading.Lock()
        self._bases: OrderedDict[str, State] = OrderedDict()

    def state(self, campaign: str) -> State:
        """The state after the newest event. Raises NotFoundError, and CorruptError for a log that breaks the rules."""
        with _uncollected():
            base, state = self._recalled(campaign)
        self._remember(base)
        self.follow(state)
        return state

    def _recalled(self, campaign: str) -> tuple[State, State]:
        """What the log is read on from, and the state after it."""
        base = self._snapshot(campaign)
        state = _grown(base, (stored.event for stored in self._store.read(campaign, base.n)))
        found = faults(state)
        if found and base.n:
            log.warning("the snapshot of campaign %r is not used: %s", campaign, found[0])
            base = State(campaign)
            state = _grown(base, (stored.event for stored in self._store.read(campaign)))
            found = faults(state)
        if found:
            raise CorruptError(f"the record of campaign {campaign!r} must keep its rules, but broke {found[0]}")
        return base, state

    def outline(self, campaign: str) -> State:
        """The state, perhaps without its queries and attempts: of a campaign that has ended they are not read."""
        if self._store.about(campaign).ended:
            kept = self._store.snapshot(campaign, whole=False)
            if kept is not None and next(self._store.read(campaign, kept.n), None) is None:
                with suppress(ValueError, KeyError, TypeError):
                    return outline_of(campaign, kept.head)
        return self.state(campaign)

    def follow(self, state: State) -> None:
        """A campaign has come so far: keep a snapshot when the last one lies far behind, or the campaign has ended."""
        with self._lock:
            base = self._bases.get(state.id) or State(state.id)
        due = state.terminal or state.n - base.n >= self._every
        if due and state.n > base.n and self._store.epoch:
            self._keep(base, state)

    def _keep(self, base: State, state: State) -> None:
        """A snapshot that cannot be written is none; what is in the log is not touched by that."""
        blocks = blocks_of(state, changed_blocks(base, state) if base.n else None)
        try:
            self._store.keep(state.id, Snapshot(state.n, head_of(state), blocks), self._store.epoch, base.n)
        except ConflictError:
            # Another one stands there, which this one does not fit onto; the next one is written as a whole.
            self._remember(State(state.id), instead=True)
        except DataeffError as error:
            log.warning("campaign %r must keep a snapshot, but got: %s", state.id, error)
        else:
            self._remember(state)

    def _remember(self, state: State, *, instead: bool = False) -> None:
        with self._lock:
            known = self._bases.get(state.id)
            if instead or known is None or known.n <= state.n:
                self._bases[state.id] = state
            self._bases.move_to_end(state.id)
            while len(self._bases) > KEPT:
                self._bases.popitem(last=False)

    def _snapshot(self, campaign: str) -> State:
        """The state at the newest snapshot that can be read; that of nothing when there is none."""
        kept = self._store.snapshot(campaign)
        if kept is None:
            return State(campaign)
        try:
            state = state_from(campaign, kept.head, kept.blocks.values())
        except (ValueError, KeyError, TypeError) as error:
            log.warning("the snapshot of campaign %r is not used: %s", campaign, error)
            return State(campaign)
        return state if state.n == kept.n else State(campaign)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Nothing that a state is made of becomes garbage, so that to look for some doubles the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _grown(state: State, events: Iterable[Event]) -> State:
    for event in events:
        state = apply(state, event)
    return state
