"""Runs the command line in forked children of one warm process, so that a run costs no import, and kills them as told.

A program: ``python -m benchmarks.killing.zygote``. Reads one JSON line a run from stdin and answers with one:
``{"argv": [...], "folder": "...", "failpoint": "told.after:2=kill", "kill_after_s": null}``.
"""

import contextlib
import json
import os
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from benchmarks.killing.campaigns import PARTS, warm_up_campaign
from services.cli.main import run
from services.runtime import one_thread_each

PATIENCE_S = 120.0
HUNG = 98
OUT, ERR = "out.txt", "err.txt"


def warm_up() -> None:
    """A campaign in this very process imports whatever campaigns import; its threads end with it."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("warm.yaml").write_text(warm_up_campaign(), encoding="utf-8")
        code = run(["run", "warm.yaml", "--inline", "--out", "run", "--json", "--plugin", str(PARTS)])
        codes = [run(["status", "run", "--json"]), run(["ask", "run", "--out", "q.npz", "--plugin", str(PARTS)])]
        os.chdir("/")
    until = time.monotonic() + 10
    while threading.active_count() > 1 and time.monotonic() < until:
        time.sleep(0.01)
    if (code, codes[0], threading.active_count()) != (0, 0, 1):
        raise RuntimeError(f"the warm-up must end well and alone, but got {code}, {codes}, {threading.enumerate()}.")


def _child(wanted: dict[str, Any]) -> None:
    os.chdir(wanted["folder"])
    os.environ["DATAEFF_FAILPOINT"] = wanted["failpoint"]
    for number, name in ((1, OUT), (2, ERR)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    code = 99
    try:
        code = run(wanted["argv"])
    except BaseException:  # a forked child must never return into its parent's code
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _follow(pid: int, kill_after_s: float | None) -> int:
    """The exit code; negative for a signal."""
    watch, began = os.pidfd_open(pid), time.monotonic()
    try:
        limit = PATIENCE_S if kill_after_s is None else kill_after_s
        over, _, _ = select.select([watch], [], [], max(limit - (time.monotonic() - began), 0))
        if not over:
            os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return HUNG if code < 0 and not over and kill_after_s is None else code
    finally:
        os.close(watch)


def _answer(wanted: dict[str, Any]) -> dict[str, Any]:
    folder, began = Path(wanted["folder"]), time.monotonic()
    pid = os.fork()
    if pid == 0:
        _child(wanted)
    code = _follow(pid, wanted["kill_after_s"])
    texts = {name: (folder / name).read_text() if (folder / name).exists() else "" for name in (OUT, ERR)}
    return {"code": code, "seconds": time.monotonic() - began, "out": texts[OUT], "err": texts[ERR]}


def main() -> None:
    """Serve until stdin ends."""
    one_thread_each()
    with contextlib.redirect_stdout(sys.stderr):
        warm_up()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_answer(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
