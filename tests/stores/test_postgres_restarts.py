"""A PostgreSQL server that goes away again and again, and controllers that sleep while another takes over."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dataeff_al import events as ev
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.errors import ConflictError, LockedError
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryStore
from dataeff_al.stores.open import open_store
from dataeff_al.stores.protocol import Mark, RequestKey
from dataeff_al.testing.logs import Story

pytest.importorskip("psycopg", reason="psycopg is not installed")

RESTARTS = 4
APART_S = 1.0


def _restarting(server, stop):
    for _ in range(RESTARTS):
        time.sleep(APART_S)
        server.stop()
        server.start()
    stop.set()


def test_a_server_that_restarts_every_few_seconds_loses_and_doubles_nothing(shaky_server):
    store = open_store(shaky_server.new_database(), writer=True)
    store.append("c", Story().begin(), 0, store.epoch)
    over = threading.Event()
    restarts = threading.Thread(target=_restarting, args=(shaky_server, over))
    restarts.start()
    n = 2
    try:
        while not over.is_set():
            events = [ev.Extended(amount=n)]
            if n % 3 == 0:
                done = store.append("c", events, n, store.epoch, RequestKey(f"r{n}", "x"))
            else:
                done = store.append("c", events, n, store.epoch, marks=[Mark(RequestKey(f"r{n}", "x"), n + 1)])
            n += 1
            assert (done.n, done.replayed) == (n, False), "a commit of which nobody heard must be found again"
            assert store.committed("c", RequestKey(f"r{n - 1}", "x")).n == n
            assert sum(1 for _ in store.read("c", n - 3)) == 3
    finally:
        restarts.join()
    assert n > 2 + RESTARTS
    assert [stored.event.amount for stored in store.read("c", 2)] == list(range(2, n))
    assert store.epoch == 1, "nobody took over"
    assert {found.invariant for found in fsck(store, MemoryBlobs()).violations} == {"I7"}, "nobody made the blobs"
    store.close()


SLEEPER = """
import sys
from dataeff_al import events as ev
from dataeff_al.errors import DataeffError
from dataeff_al.stores.open import open_store
from dataeff_al.testing.logs import Story
store = open_store(sys.argv[1], writer=True)
n = store.append("c", Story().begin(), 0, store.epoch).n
try:
    while True:
        n = store.append("c", [ev.Extended(amount=n)], n, store.epoch).n
        print(n, flush=True)
except DataeffError as error:
    print(type(error).__name__, flush=True)
"""


def test_a_controller_that_slept_while_another_took_over_writes_nothing(shaky_server):
    """The server restarts in between, which frees the sleeper's lock: a standby takes over at once."""
    url = shaky_server.new_database()
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    sleeper = subprocess.Popen([sys.executable, "-c", SLEEPER, url], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        heard = [sleeper.stdout.readline() for _ in range(5)]
        assert heard[-1].strip().isdigit()
        sleeper.send_signal(signal.SIGSTOP)
        with pytest.raises(LockedError):
            open_store(url, writer=True)
        shaky_server.stop()
        shaky_server.start()
        standby = open_store(url, writer=True)
        end = sum(1 for _ in standby.read("c"))
        assert end >= int(heard[-1]), "what was acknowledged is there"
        standby.append("c", [ev.Paused(cause="user", reason="mine")], end, standby.epoch)
        sleeper.send_signal(signal.SIGCONT)
        rest, _ = sleeper.communicate(timeout=120)
        assert rest.splitlines()[-1] in ("LockedError", "ConflictError")
        assert [line for line in rest.splitlines() if line.isdigit() and int(line) > end] == []
        log = list(standby.read("c"))
        assert [stored.n for stored in log] == list(range(1, end + 2))
        assert log[-1].event.kind == "paused"
        assert {stored.epoch for stored in log} == {1, 2}
        with pytest.raises(ConflictError):
            standby.append("c", [ev.Resumed()], end + 1, 1)
        standby.close()
    finally:
        sleeper.kill()
        sleeper.communicate()


CAMPAIGN = """
version: 1
name: shaken
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 5, test: 10}
initial: {random: 6}
learner: {kind: mlp, width: 8}
trainer: {kind: standard, steps: 3}
labeler: {kind: dataset, delay_s: 0.2}
sampler: {kind: random}
budget: {unit: label, total: 18, per_round: 6}
stop: {metric: accuracy, target: 0.999}
"""


def _run(store, folder):
    """The campaign's digests, and how much was paid."""
    spec = CampaignSpec.parse(CAMPAIGN, base_dir=folder)
    with Place(folder, folder, None).inline_hosts() as hosts:
        (state,) = Session(spec, spec.name, store, hosts).run()
        report = fsck(store, hosts.blobs)
        assert report.ok, str(report)
    return digests(state), state.accounts, state.finished.outcome


def test_a_campaign_ends_the_same_however_often_its_server_restarts(shaky_server, tmp_path):
    wanted = _run(MemoryStore(), tmp_path / "calm")
    store = open_store(shaky_server.new_database(), writer=True)
    over = threading.Event()
    restarts = threading.Thread(target=_restarting, args=(shaky_server, over))
    restarts.start()
    try:
        assert _run(store, tmp_path / "shaken") == wanted
    finally:
        restarts.join()
    store.close()
