"""Runs the command line in forked children of one warm process, so that a run costs no import, and kills them as told.

Reads a JSON line ``{"argv": [...], "folder": ..., "script": [...]}`` from stdin, answers with a JSON line. The steps of a
script: ``["text", WORDS]`` waits for the child to print something, ``["sleep", SECONDS]``, ``["signal", NUMBER]``.
"""

import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path

from services.runtime import one_thread_each

one_thread_each()

import matplotlib.pyplot  # noqa: E402, F401 - imported once, here
import torch  # noqa: E402
from torch._dynamo import disable  # noqa: E402, F401 - the optimisers import it when first used

import services.inline  # noqa: E402, F401
from services.cli.main import run  # noqa: E402

torch.set_num_threads(1)
PATIENCE_S = 120.0


def child(argv: list[str], folder: Path) -> None:
    os.chdir(folder)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out.txt"), (2, "err.txt")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), number)
    code = 99
    try:
        code = run(argv)
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def follow(pid: int, script: list, folder: Path) -> int:
    until, steps = time.monotonic() + PATIENCE_S, list(script)
    wake = 0.0
    while time.monotonic() < until:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if steps and time.monotonic() >= wake and ready(steps[0], folder):
            kind, value = steps.pop(0)
            if kind == "signal":
                os.kill(pid, value)
            elif kind == "sleep":
                wake = time.monotonic() + value
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return 98


def ready(step: list, folder: Path) -> bool:
    kind, value = step
    printed = folder / "out.txt"
    return kind != "text" or (printed.exists() and value in printed.read_text())


for line in sys.stdin:
    wanted = json.loads(line)
    where = Path(wanted["folder"])
    for name in ("out.txt", "err.txt"):
        (where / name).unlink(missing_ok=True)
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        child(wanted["argv"], where)
    code = follow(pid, wanted["script"], where)
    texts = {name: (where / f"{name}.txt").read_text() for name in ("out", "err") if (where / f"{name}.txt").exists()}
    sys.stdout.write(json.dumps({"code": code, "seconds": time.monotonic() - began, **texts}) + "\n")
    sys.stdout.flush()
