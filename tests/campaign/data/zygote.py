"""Runs the command line in forked children of one warm process, so that a run costs no import, and kills them as told.

Reads a JSON line ``{"argv": [...], "folder": ..., "script": [...]}`` from stdin, answers with a JSON line. The steps of
a script: ``["text", WORDS]`` waits for the child to print something, ``["sleep", SECONDS]``, ``["signal", NUMBER]``.
"""

import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path

from services.runtime import one_thread_each

one_thread_each()

import torch  # noqa: E402

from services.cli.main import run  # noqa: E402

torch.set_num_threads(1)
PATIENCE_S = 120.0


WARM_UP = """
{version: 1, name: warm-up, pool: {kind: digits, size: 60}, evaluation: {validation: 3, test: 3}, initial: {random: 3},
 generator: {kind: pca, latent_dim: 2}, learner: {kind: mlp, width: 4, depth: 1}, trainer: {kind: standard, steps: 2},
 labeler: {kind: dataset}, sampler: {kind: margin}, budget: {total: 4, per_round: 1}, stop: {metric: accuracy},
 compare: [{sampler: {kind: random}}]}
"""


def warm_up() -> None:
    """One campaign in this very process imports whatever a campaign imports; its threads end with it."""
    with tempfile.TemporaryDirectory() as folder:
        campaign = Path(folder) / "warm-up.yaml"
        campaign.write_text(WARM_UP)
        code = run(["run", str(campaign), "--inline", "--out", f"{folder}/run", "--json"])
    until = time.monotonic() + 10
    while threading.active_count() > 1 and time.monotonic() < until:
        time.sleep(0.01)
    assert (code, threading.active_count()) == (0, 1)


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


with contextlib.redirect_stdout(sys.stderr):
    warm_up()

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
