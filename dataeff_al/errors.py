"""Every error that this project raises on purpose.

::

    DataeffError
    ├── SpecError (ValueError)             a campaign file breaks a rule: carries every problem with its path and line
    ├── UnknownNameError (LookupError)     a registered name was asked for that does not exist
    ├── CapabilityError (ValueError)       a part needs what no other part of the campaign offers
    ├── DataError (ValueError)             samples or labels break their declared spec
    ├── GeometryError (ValueError)         a vessel section that is not one
    ├── LabelingError (RuntimeError)       a labeler broke its contract
    ├── TrainingError (RuntimeError)       a model could not be fitted
    ├── StateError (ValueError)            a command that the campaign's state does not allow
    ├── BudgetError (ValueError)           a command that the budget does not allow
    ├── RequestError (ValueError)          a request to a service that breaks its declared form
    ├── AccessError (PermissionError)      a service wants to know who asks, or does not let them
    ├── UnavailableError (ConnectionError) a service that cannot be reached, or is going down
    └── RecordError (RuntimeError)         the durable record refused
        ├── ConflictError                  somebody else wrote first, or the same request came with other content
        ├── LockedError                    another controller holds the store
        ├── CorruptError                   a blob or an event does not match its digest
        ├── NoRoomError                    there is no room left to write; nothing was written
        └── NotFoundError (LookupError)    no such campaign, blob or query

Wording: the condition that must hold, then ``but got {value!r}.``
"""

from collections.abc import Sequence
from dataclasses import dataclass


class DataeffError(Exception):
    """Base of all errors of this project; its text is one sentence fit for a user."""


@dataclass(frozen=True)
class Problem:
    """One broken rule in a campaign file: where it stands (``path``, ``line`` counted from 1, 0 = unknown) and what."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.path}: {self.message}" if self.path else f"{where}{self.message}"


class SpecError(DataeffError, ValueError):
    """A campaign file breaks one or more rules; ``problems`` holds all of them."""

    def __init__(self, problems: Sequence[Problem], source: str = "") -> None:
        self.problems = tuple(problems)
        self.source = source
        head = f"{source}: " if source else ""
        super().__init__("\n".join(f"{head}{problem}" for problem in self.problems))


class UnknownNameError(DataeffError, LookupError):
    """A registered name was asked for that does not exist; ``nearest`` is the likeliest intended one."""

    def __init__(self, kind: str, name: str, known: Sequence[str], nearest: str | None) -> None:
        self.kind, self.name, self.known, self.nearest = kind, name, tuple(known), nearest
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        super().__init__(f"{kind} must be one of {', '.join(known)}, but got {name!r}.{hint}")


class CapabilityError(DataeffError, ValueError):
    """A part of the campaign needs what no other part offers."""


class DataError(DataeffError, ValueError):
    """Samples or labels break their declared spec."""


class GeometryError(DataeffError, ValueError):
    """A vessel section that is not one; the text names the rule that was broken."""


class LabelingError(DataeffError, RuntimeError):
    """A labeler broke its contract."""


class TrainingError(DataeffError, RuntimeError):
    """A model could not be fitted."""


class StateError(DataeffError, ValueError):
    """A command that the campaign's state does not allow."""


class BudgetError(DataeffError, ValueError):
    """A command that the budget does not allow."""


class RequestError(DataeffError, ValueError):
    """A request to a service that breaks its declared form."""


class AccessError(DataeffError, PermissionError):
    """A service wants to know who asks, or does not let them."""


class UnavailableError(DataeffError, ConnectionError):
    """A service that cannot be reached, or is going down: the same request may be sent again."""


class RecordError(DataeffError, RuntimeError):
    """The durable record refused."""


class ConflictError(RecordError):
    """Somebody else wrote first, or the same request id came with different content."""


class LockedError(RecordError):
    """Another controller holds the store."""


class CorruptError(RecordError):
    """A blob or an event does not match its digest."""


class NoRoomError(RecordError):
    """There is no room left to write: nothing was written, and once there is room the same may be asked again."""


class NotFoundError(RecordError, LookupError):
    """No such campaign, blob or query."""
