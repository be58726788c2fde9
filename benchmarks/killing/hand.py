"""The hand that runs commands in a campaign's folder, and the one that kills them."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from dataeff_al.campaign.run_folder import RunFolder
from dataeff_al.campaign.state import State
from dataeff_al.errors import NotFoundError

PARTS = Path(__file__).with_name("parts.py")
RUN = "run"
KILLED = -9
MOST_COMMANDS = 60


class BrokenPromiseError(Exception):
    """Something happened that must not, whatever was killed."""


class Zygote:
    """The warm process that runs commands; see :mod:`benchmarks.killing.zygote`."""

    def __init__(self) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.killing.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def run(self, folder: Path, argv: Sequence[str], failpoint: str, kill_after_s: float | None) -> dict[str, Any]:
        """One command in a folder: its ``code``, ``seconds``, ``out`` and ``err``."""
        wanted = {"argv": list(argv), "folder": str(folder), "failpoint": failpoint, "kill_after_s": kill_after_s}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            self._said.seek(0)
            raise RuntimeError(f"the warm process must live, but got {self._said.read()[-2000:].decode()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()
        self._process.wait(timeout=60)
        self._said.close()


@dataclass(frozen=True)
class Kill:
    """One kill: at a failpoint (``told.after:2``), or after some time [s]."""

    point: str = ""
    after_s: float | None = None

    def __str__(self) -> str:
        return self.point or f"{self.after_s:.4f} s"


@dataclass
class Hand:
    """Runs commands in ``folder`` until they end by themselves; kills them as planned, one after the other.

    Attributes:
        kills: what is to come.
        killed: what has come.
        traced: a file in which the passed points are written.
        acknowledged: attempts whose answer a command said was recorded.
    """

    zygote: Zygote
    folder: Path
    kills: list[Kill] = field(default_factory=list)
    killed: list[Kill] = field(default_factory=list)
    traced: bool = False
    acknowledged: set[str] = field(default_factory=set)
    traces: list[list[str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    _commands: int = 0

    def command(self, *argv: str, expect: Sequence[int] = (0,)) -> dict[str, Any] | None:
        """One command, once: what it answered, or None when it was killed.

        Raises BrokenPromiseError when it ended otherwise than expected.
        """
        self._commands += 1
        if self._commands > MOST_COMMANDS:
            raise BrokenPromiseError(f"I11: the campaign did not end within {MOST_COMMANDS} commands")
        kill = self.kills[0] if self.kills else Kill()
        done = self.zygote.run(self.folder, argv, self._failpoint(kill), kill.after_s)
        if done["code"] == KILLED and self.kills:
            self.killed.append(self.kills.pop(0))
            return None
        self._note(done)
        if done["code"] not in expect:
            raise BrokenPromiseError(f"`{' '.join(argv)}` ended with {done['code']}: {done['err'].strip()[-600:]}")
        return done

    def insist(self, *argv: str, expect: Sequence[int] = (0,)) -> dict[str, Any]:
        """A command that is harmless when repeated, again and again until it was not killed."""
        while (done := self.command(*argv, expect=expect)) is None:
            pass
        return done

    def go_on(self, *options: str, expect: Sequence[int] = (0,)) -> dict[str, Any]:
        """``dataeff-al run`` until it was not killed."""
        report = options or ("--no-report",)
        plugin = ("--plugin", str(PARTS))
        return self.insist("run", "tiny.yaml", "--inline", "--out", RUN, "--json", *report, *plugin, expect=expect)

    def state(self) -> State | None:
        """The campaign's state as its record has it now."""
        try:
            return RunFolder(self.folder / RUN).states()[0]
        except (NotFoundError, IndexError):
            return None

    def _failpoint(self, kill: Kill) -> str:
        rules = [f"{kill.point}=kill"] if kill.point else []
        if self.traced:
            self._trace.unlink(missing_ok=True)
            rules.append(f"trace={self._trace}")
        return ",".join(rules)

    @property
    def _trace(self) -> Path:
        return self.folder / "trace.txt"

    def _note(self, done: dict[str, Any]) -> None:
        self.seconds.append(done["seconds"])
        if self.traced:
            self.traces.append(self._trace.read_text().split() if self._trace.exists() else [])
