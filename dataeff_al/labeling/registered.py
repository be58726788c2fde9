"""What an administrator registered for this process under names: a campaign says a name, never how it is reached."""

from collections.abc import Mapping
from typing import Annotated, Generic, TypeVar

from pydantic import Field

from dataeff_al.errors import UnknownNameError
from dataeff_al.registry import nearest
from dataeff_al.sentences import Finding, name_hint, shown

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class Registered(Generic[T]):
    """Things of one kind by name.

    Args:
        kind: what they are, in a word.
    """

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._known: dict[str, T] = {}

    def register(self, things: Mapping[str, T]) -> None:
        """Make things known to this process, in the place of those that were."""
        self._known = dict(things)

    def get(self, name: str) -> T:
        """The thing of that name. Raises UnknownNameError with the nearest name."""
        if name not in self._known:
            known = sorted(self._known) or ["(none is registered here)"]
            raise UnknownNameError(self._kind, name, known, nearest(name, sorted(self._known)))
        return self._known[name]

    def unregistered(self, name: str) -> list[Finding]:
        """What stands against calling the thing of that name from here, said of the parameter of its kind."""
        if name in self._known:
            return []
        nothing = f"(none is registered here: DATAEFF_PROGRAMS names the file of {self._kind}s)"
        known = ", ".join(sorted(self._known)) or nothing
        return [Finding((self._kind,), f"must be one of {known}", shown(name), name_hint(name, self._known))]
