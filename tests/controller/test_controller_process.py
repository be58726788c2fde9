"""Controllers as processes of their own: killed, ended, started again; clients that die; ports that are taken."""

import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

from dataeff_al.campaign.state import Account
from dataeff_al.errors import UnavailableError
from dataeff_al.rpc import Client
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store

CLI = [sys.executable, "-m", "services.cli"]


def cli(*arguments, **environment):
    return subprocess.run(
        [*CLI, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, **environment},
    )


def sound(folder):
    store = open_store(folder, writer=False)
    try:
        report = fsck(store, FileBlobs(folder / "blobs"))
        assert report.ok, str(report)
        return {name: [stored.event for stored in store.read(name)] for name in store.campaigns()}
    finally:
        store.close()


def test_a_term_signal_drains_and_the_next_controller_goes_on(start_process, texts, tmp_path, eventually):
    folder = tmp_path / "store"
    first = start_process(folder)
    with Client(first.target) as client:
        run, paused = client.create(texts.slow()), client.create(texts.slow())
        client.pause(paused.id)
        eventually(lambda: client.get(run.id).queries.spent > 1)
    assert first.end(signal.SIGTERM) == 0
    kinds = [event.kind for event in sound(folder)[run.id]]
    assert "finished" not in kinds
    assert kinds[-1] == "paused"
    second = start_process(folder)
    with Client(second.target) as client:
        list(client.watch(run.id))
        assert client.get(run.id).queries == Account(10, 0, 10, 0)
        assert client.get(paused.id).status == "paused"
    assert second.end(signal.SIGINT) == 0
    sound(folder)


def test_a_killed_controller_loses_nothing_and_its_watchers_go_on(start_process, texts, tmp_path, eventually):
    folder = tmp_path / "store"
    first = start_process(folder)
    events = []
    with Client(first.target) as client:
        run = client.create(texts.slow())

        def watch():
            events.extend(client.watch(run.id, patience_s=60))

        watcher = threading.Thread(target=watch)
        watcher.start()
        eventually(lambda: len(events) > 20 or client.get(run.id).queries.spent > 1)
        first.end(signal.SIGKILL)
        start_process(folder, "--port", first.target.partition(":")[2])
        watcher.join(100)
        assert not watcher.is_alive()
        assert [event.n for event in events] == list(range(1, len(events) + 1))
        assert events[-1].kind == "finished"
        assert client.get(run.id).queries == Account(10, 0, 10, 0)


WATCHER = """
import sys
from dataeff_al.rpc import Client
for event in Client(sys.argv[1]).watch(sys.argv[2]):
    print(event.n, flush=True)
"""


def test_a_client_process_that_dies_in_the_middle_harms_nobody(start_process, texts, tmp_path):
    process = start_process(tmp_path / "store")
    with Client(process.target) as client:
        run = client.create(texts.slow())
        dying = subprocess.Popen([sys.executable, "-c", WATCHER, process.target, run.id], stdout=subprocess.PIPE)
        assert dying.stdout.readline() == b"1\n"
        dying.kill()
        dying.communicate()
        assert list(client.watch(run.id))[-1].kind == "finished"
    assert process.end() == 0


def test_the_commands_speak_to_a_controller(start_process, texts, tmp_path):
    process = start_process(tmp_path / "store")
    path = tmp_path / "campaign.yaml"
    path.write_text(texts.slow())
    target = {"DATAEFF_TARGET": process.target}
    submitted = cli("submit", path, **target)
    assert submitted.returncode == 0, submitted.stderr
    campaign = submitted.stdout.strip()
    assert '"status": "paused"' in cli("pause", campaign, "--reason", "tea", "--json", "--target", process.target).stdout
    assert campaign in cli("list", **target).stdout
    assert "reason: tea" in cli("status", campaign, **target).stdout
    assert cli("extend", campaign, 5, **target).returncode == 0
    assert cli("resume", campaign, **target).returncode == 0
    watched = cli("watch", campaign, **target)
    assert watched.returncode == 3
    assert "exhausted: the budget is spent" in watched.stdout
    assert "15/15 labels" in watched.stdout
    refused = cli("cancel", campaign, **target)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert cli("status", "nobody", **target).stderr.startswith("Error: a campaign must have been created")
    path.write_text("version: 1\n")
    assert cli("submit", path, **target).returncode == 2
    assert process.end() == 0


def test_an_occupied_port_is_one_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("serve", "--store", tmp_path / "store", "--no-ray", "--port", taken.getsockname()[1])
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 127.0.0.1:")
    assert done.stderr.count("\n") == 1


def test_a_second_controller_of_one_store_is_refused(start_process, tmp_path):
    start_process(tmp_path / "store")
    done = cli("serve", "--store", tmp_path / "store", "--no-ray", "--port", 0)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--tls-cert", "c.pem"], ["--token-file", "none"]])
def test_a_careless_binding_refuses_to_start(tmp_path, options):
    done = cli("serve", "--store", tmp_path / "store", "--no-ray", *options)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert not (tmp_path / "store" / "record.sqlite").exists()


def test_a_target_that_is_down_is_one_sentence(free_port):
    done = cli("status", "x", "--target", f"127.0.0.1:{free_port()}")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "must be reachable" in done.stderr


def test_a_controller_that_goes_down_lets_its_watchers_know(start_process, texts, tmp_path):
    process = start_process(tmp_path / "store")
    with Client(process.target) as client:
        run = client.create(texts.ward())
        stream = client.watch(run.id, patience_s=0)
        assert next(stream).n == 1
        assert process.end() == 0
        with pytest.raises(UnavailableError):
            list(stream)
