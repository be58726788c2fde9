"""Controllers as processes of their own: killed, ended, started again; clients that die; ports that are taken."""

import json
import signal
import socket
import subprocess
import sys
import threading
from typing import NamedTuple

import pytest

from dataeff_al.campaign.state import Account
from dataeff_al.errors import UnavailableError
from dataeff_al.rpc import Client
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from services.cli.main import run


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch, request):
    """Runs commands in this process."""
    if "shared" in request.fixturenames:
        monkeypatch.setenv("DATAEFF_TARGET", request.getfixturevalue("shared").target)

    def run_one(*arguments):
        code = run([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run_one


@pytest.fixture(scope="module")
def shared(tmp_path_factory, start_shared):
    """A controller for several tests, which must end well."""
    process = start_shared(tmp_path_factory.mktemp("shared") / "store")
    yield process
    assert process.end() == 0
    sound(process.store)


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
        stream = client.watch(paused.id, patience_s=0)
        assert next(stream).kind == "created"
        eventually(lambda: client.get(run.id).queries.spent > 1)
        assert first.end(signal.SIGTERM) == 0
        with pytest.raises(UnavailableError):
            list(stream)
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


def test_a_client_process_that_dies_in_the_middle_harms_nobody(shared, texts):
    with Client(shared.target) as client:
        run = client.create(texts.slow())
        dying = subprocess.Popen([sys.executable, "-c", WATCHER, shared.target, run.id], stdout=subprocess.PIPE)
        assert dying.stdout.readline() == b"1\n"
        dying.kill()
        dying.communicate()
        assert list(client.watch(run.id))[-1].kind == "finished"


def test_the_commands_speak_to_a_controller(shared, texts, tmp_path, cli):
    path = tmp_path / "campaign.yaml"
    path.write_text(texts.ward())
    submitted = cli("submit", path)
    assert submitted.code == 0, submitted.err
    campaign = submitted.out.strip()
    assert json.loads(cli("pause", campaign, "--reason", "tea", "--json").out)["status"] == "paused"
    assert campaign in cli("list").out
    assert campaign in [row["id"] for row in json.loads(cli("list", "--json").out)]
    assert "reason: tea" in cli("status", campaign).out
    assert json.loads(cli("extend", campaign, 5, "--json").out)["queries"]["total"] == 35
    assert cli("resume", campaign).code == 0
    assert cli("cancel", campaign, "--reason", "enough").code == 0
    watched = cli("watch", campaign)
    assert (watched.code, "paused: tea" in watched.out) == (4, True)
    lines = [json.loads(line) for line in cli("watch", campaign, "--json").out.splitlines()]
    assert [line["n"] for line in lines] == list(range(1, len(lines) + 1))
    refused = cli("resume", campaign)
    assert (refused.code, refused.err.count("\n")) == (1, 1)
    assert cli("status", "nobody").err.startswith("Error: a campaign must have been created")


def test_a_submitted_campaign_is_watched_to_its_exit_code(shared, texts, tmp_path, cli):
    path = tmp_path / "campaign.yaml"
    path.write_text(texts.quick())
    done = cli("submit", path, "--watch", "--target", shared.target, "--set", "stop.target=0.9999")
    assert done.code == 3
    assert "exhausted: the budget is spent" in done.out
    assert "10/10 labels" in done.out
    assert list((shared.store / "campaigns").glob("quick*/report.html"))
    path.write_text("version: 1\n")
    assert cli("submit", path).code == 2


def test_a_second_controller_of_one_store_is_refused(shared, cli):
    done = cli("serve", "--store", shared.store, "--no-ray", "--port", 0)
    assert (done.code, done.err.count("\n")) == (1, 1)


def test_an_occupied_port_is_one_sentence(tmp_path, cli):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli("serve", "--store", tmp_path / "store", "--no-ray", "--port", taken.getsockname()[1])
    assert done.code == 1
    assert done.err.startswith("Error: 127.0.0.1:")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("options", [["--host", "0.0.0.0"], ["--tls-cert", "c.pem"], ["--token-file", "none"]])
def test_a_careless_binding_refuses_to_start(tmp_path, options, cli):
    done = cli("serve", "--store", tmp_path / "store", "--no-ray", *options)
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert not (tmp_path / "store" / "record.sqlite").exists()


def test_a_target_that_is_down_is_one_sentence(free_port, cli):
    done = cli("status", "x", "--target", f"127.0.0.1:{free_port()}")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "must be reachable" in done.err
