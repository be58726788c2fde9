"""Programs that an administrator registered: how each is called. A campaign says a name, never a command line."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataeff_al.labeling.registered import Registered
from dataeff_al.parts import Strict
from dataeff_al.sentences import Finding, FindingsError

Word = Annotated[str, Field(min_length=1, max_length=4096)]
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


PROGRAMS: Registered[Program] = Registered("program")
