"""Programs that an administrator registered: how each is called. A campaign says a name, never a command line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataeff_al.errors import UnknownNameError
from dataeff_al.parts import Strict
from dataeff_al.registry import nearest
from dataeff_al.sentences import Finding, FindingsError, name_hint, shown

Word = Annotated[str, Field(min_length=1, max_length=4096)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
PLACES = ("{input}", "{output}", "{request}")
_NEEDED = PLACES[:2]


class Program(Strict):
    """One program. ``command``: the program and its arguments, given to it as they are, without a shell.

    In it ``{input}`` is the npz file of samples, ``{output}`` the npz file of answers that the program writes,
    ``{request}`` a JSON file with the form of the answers and the campaign's settings, and ``{here}`` the folder of the
    file in which it is registered, for it runs in a folder of its own.

    ``effect``: what a call that is repeated costs: *pure* nothing, *keyed* nothing under the same ids, *blind* perhaps
    the same again, so that it is never repeated by itself. ``deterministic``: whether the same samples get the same
    answers. ``batch``: samples a call. ``timeout_s``: the longest time for one sample. ``environment``: variables that
    it gets beside PATH, HOME, USER, TMPDIR and the language; it gets no others. ``version``: of the program, for the
    record.
    """

    command: Annotated[tuple[Word, ...], Field(min_length=1, max_length=256)]
    effect: Literal["pure", "keyed", "blind"] = "blind"
    deterministic: bool = False
    batch: Annotated[int, Field(ge=1, le=65536)] = 1
    timeout_s: Annotated[float, Field(gt=0, le=31_536_000)] = 600.0
    environment: Annotated[dict[Word, str], Field(default_factory=dict, max_length=256)]
    version: Annotated[str, Field(min_length=1, max_length=64)] = "1"

    @model_validator(mode="after")
    def _says_where(self) -> "Program":
        text = " ".join(self.command[1:])
        if missing := [place for place in _NEEDED if place not in text]:
            raise FindingsError([Finding(("command",), f"must hold {' and '.join(missing)} after the program's name")])
        return self

    def placed(self, folder: Path) -> "Program":
        """The program with ``{here}`` filled in; a relative path to it begins at ``folder``."""
        first, *rest = (word.replace("{here}", str(folder)) for word in self.command)
        first = str(folder / first) if "/" in first else first
        return self.model_copy(update={"command": (first, *rest)})


class Programs(Strict):
    """A file of registered programs."""

    programs: dict[Name, Program]


_known: dict[str, Program] = {}


def register(programs: Mapping[str, Program]) -> None:
    """Make programs known to this process, in the place of those that were."""
    _known.clear()
    _known.update(programs)


def program(name: str) -> Program:
    """The program of that name. Raises UnknownNameError with the nearest name."""
    if name not in _known:
        known = sorted(_known) or ["(none is registered here)"]
        raise UnknownNameError("program", name, known, nearest(name, sorted(_known)))
    return _known[name]


def unregistered(name: str) -> list[Finding]:
    """What stands against calling that program from here."""
    if name in _known:
        return []
    known = ", ".join(sorted(_known)) or "(none is registered here: DATAEFF_PROGRAMS names the file of programs)"
    return [Finding(("program",), f"must be one of {known}", shown(name), name_hint(name, _known))]
