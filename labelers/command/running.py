"""Running a program of the house: no shell, few variables, what it said kept for the error, nothing left behind."""

import atexit
import logging
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from dataeff_al.errors import LabelingError
from dataeff_al.labeling.programs import Program

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER")
"""Variables of ours that a program gets: not those that hold secrets."""
NOTHING_BEGUN = 75
"""The exit status by which a program says that it did nothing and may be called again (EX_TEMPFAIL)."""
SAID_BYTES = 400
PATIENCE_S = 5.0

_at_work: set[subprocess.Popen[bytes]] = set()

log = logging.getLogger(__name__)


class NotBegunError(LabelingError):
    """The program has not begun: nothing was paid."""


class OutlastedError(LabelingError):
    """The program took longer than it may, and was ended."""


def run(program: Program, places: Mapping[str, Path], folder: Path, timeout_s: float) -> None:
    """Run a program in a folder to its end.

    Args:
        program: what is run.
        places: the files behind the places of its command, such as ``{input}``.
        folder: where it works; what it says is kept in there.
        timeout_s: after which it is ended, with all that it began [s].

    Raises:
        NotBegunError: it could not be started, or says that it did nothing (exit status 75).
        OutlastedError: it took longer.
        LabelingError: it ended with another status than 0.
    """
    command = [_filled(word, places) for word in program.command]
    said = folder / "said.txt"
    status = _waited(_started(command, program, folder, said), timeout_s)
    log.info("%s ended with %s: %s", command[0], status, _last(said))
    if status == NOTHING_BEGUN:
        raise NotBegunError(f"{command[0]!r} did nothing: {_last(said)}")
    if status:
        raise LabelingError(f"{command[0]!r} must end with status 0, but got {status}: {_last(said)}")


def _started(command: list[str], program: Program, folder: Path, said: Path) -> subprocess.Popen[bytes]:
    try:
        with said.open("wb") as output:
            return subprocess.Popen(
                command,
                cwd=folder,
                env=_environment(program),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
    except OSError as error:
        raise NotBegunError(f"{command[0]!r} must start, but got {error.strerror!r}.") from error


def _filled(word: str, places: Mapping[str, Path]) -> str:
    for place, path in places.items():
        word = word.replace(place, str(path))
    return word


def _environment(program: Program) -> dict[str, str]:
    return {name: os.environ[name] for name in PASSED_ON if name in os.environ} | program.environment


def _waited(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    _at_work.add(process)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise OutlastedError(f"a program must end within {timeout_s:g} s, but was still at work.") from None
    finally:
        # Whatever it began ends with it, also when we are interrupted.
        _end(process)
        _at_work.discard(process)


@atexit.register
def _end_all() -> None:
    """Threads that wait for a program end silently with this process; what they wait for would go on."""
    for process in list(_at_work):
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    for way in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, way)
            process.wait(PATIENCE_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _last(said: Path) -> str:
    with said.open("rb") as file:
        file.seek(max(said.stat().st_size - SAID_BYTES, 0))
        text = " ".join(file.read().decode(errors="replace").split())
    return text or "it said nothing"
