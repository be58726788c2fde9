"""Whether a kept snapshot says what its events say: a check for ``fsck``."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from dataeff_al.campaign.apply import apply
from dataeff_al.campaign.state import State
from dataeff_al.campaign.state_json import FORM, blocks_of, form_of, head_of
from dataeff_al.stores.checks.protocol import Violation, violation
from dataeff_al.stores.protocol import Snapshot, StoredEvent


@dataclass
class SnapshotCheck:
    """I9 for snapshots: what is kept is the state after its event. One of another version is never read, and passes."""

    campaign: str
    kept: Snapshot | None
    _state: State = field(init=False)

    def __post_init__(self) -> None:
        self._state = State(self.campaign)

    def see(self, stored: StoredEvent) -> Iterator[Violation]:
        """Replay up to the snapshot, and compare."""
        kept = self.kept
        if kept is None or stored.n > kept.n or form_of(kept.head) != FORM:
            return
        try:
            self._state = apply(self._state, stored.event)
        except (KeyError, TypeError, AttributeError):
            # The log breaks rules that other checks name; there is no state to compare with.
            self.kept = None
            return
        if stored.n == kept.n and (kept.head, dict(kept.blocks)) != (head_of(self._state), blocks_of(self._state)):
            yield violation("I9", stored, "the snapshot must be what the events say, but got another state.")
