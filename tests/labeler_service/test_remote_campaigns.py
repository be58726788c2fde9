"""Campaigns that a labeler in another process answers: inline and over Ray, with either side killed on the way."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from services.checkup import check_record

CAMPAIGN = """
version: 1
name: brightness
seed: 5
pool: {kind: digits, size: 80}
evaluation: {validation: 6, test: 8}
initial: {random: 5}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 3}
labeler: {kind: remote, service: bill}
sampler: {kind: random}
budget: {unit: call, total: 9, per_round: 2}
stop: {metric: accuracy}
"""
LABELS = 9 + 6 + 8


@pytest.fixture
def place(tmp_path, process, monkeypatch):
    """A folder with a campaign and a file that registers the service."""
    (tmp_path / "bright.yaml").write_text(CAMPAIGN)
    services = {"services": {"bill": {"address": f"127.0.0.1:{process.port}"}}}
    (tmp_path / "programs.yaml").write_text(json.dumps(services))
    monkeypatch.setenv("DATAEFF_PROGRAMS", str(tmp_path / "programs.yaml"))
    return tmp_path


def command(*arguments):
    return [sys.executable, "-c", "from services.cli.main import main; main()", *arguments]


def called(folder, *arguments):
    return subprocess.run(command(*arguments), cwd=folder, capture_output=True, text=True, check=False)


def begun(folder, *arguments):
    return subprocess.Popen(command(*arguments), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until(holds, seconds=60):
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def check_whole(folder, process, labels=LABELS):
    report = check_record(str(folder / "run"), rebuild=False)
    assert report.ok, str(report)
    billed = process.billed()
    assert (len(billed), len(set(billed))) == (labels, labels)


@pytest.mark.parametrize("how", [["--inline"], []])
def test_a_campaign_is_answered_by_a_service(how, place, process):
    process.start("--set", "effect=blind")
    done = called(place, "run", "bright.yaml", "--out", "run", "--json", *how)
    assert (done.returncode, json.loads(done.stdout)["labels"]["total"]) == (0, 9), done.stderr
    check_whole(place, process)
    if how:
        # What is in the record need not be remembered elsewhere; replicas on Ray are ended with their cluster.
        assert process.kept() == []
    assert process.end() == 0


def test_a_campaign_waits_for_a_service_that_is_started_again(place, process):
    slowly = ("--set", "effect=blind", "--set", "delay_s=0.2", "--set", "batch=1")
    process.start(*slowly)
    run = begun(place, "run", "bright.yaml", "--out", "run", "--json", "--inline")
    for count in (3, 12):
        wait_until(lambda count=count: len(process.billed()) >= count)
        # Orderly: what is being worked on comes to its end, what waits is asked for again.
        assert process.end(signal.SIGTERM) == 0
        process.start(*slowly)
    out, errors = run.communicate(timeout=120)
    assert run.returncode == 0, errors
    assert json.loads(out)["labels"]["total"] == 9
    check_whole(place, process)


def test_a_service_that_is_killed_at_paid_work_makes_nothing_up(place, process):
    process.start("--set", "effect=blind", "--set", "batch=1")
    (process.folder / "die").touch()
    run = begun(place, "run", "bright.yaml", "--out", "run", "--inline")
    assert process.popen[-1].wait(60) == -signal.SIGKILL
    process.start("--set", "effect=blind", "--set", "batch=1")
    _, errors = run.communicate(timeout=120)
    assert run.returncode == 4, errors
    told = json.loads(called(place, "status", "run", "--json").stdout)
    (unknown,) = told["unknown"]
    assert "the labeler was ended while it was at work" in unknown["reason"]
    settled = called(place, "settle", "run", unknown["attempt"], "--as", "wasted")
    assert settled.returncode == 0, settled.stderr
    assert called(place, "run", "bright.yaml", "--out", "run", "--inline").returncode in (0, 3)
    report = check_record(str(place / "run"), rebuild=False)
    assert report.ok, str(report)


def test_a_client_that_is_killed_pays_for_nothing_twice(place, process):
    process.start("--set", "effect=blind", "--set", "delay_s=0.2", "--set", "batch=2")
    for count in (2, 9):
        run = begun(place, "run", "bright.yaml", "--out", "run", "--inline")
        wait_until(lambda count=count: len(process.billed()) >= count)
        run.kill()
        run.communicate(timeout=60)
    done = called(place, "run", "bright.yaml", "--out", "run", "--json", "--inline")
    assert done.returncode == 0, done.stderr
    check_whole(place, process)


def test_the_service_labels_a_file(place, process, pool):
    process.start()
    x = np.stack([sample.fields["x"] for sample in pool.read(pool.ids())])
    np.savez(place / "x.npz", x=x)
    done = called(place, "label", "remote", "--in", "x.npz", "--out", "y.npz", "--set", "service=bill")
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(place / "y.npz") as file:
        assert file["label"].tolist() == (x.mean(axis=(1, 2, 3)) > 0.3).astype(int).tolist()


def test_a_service_on_a_network_wants_tls_and_a_token(place, process, pool):
    folder, token = process.folder, "correct horse"
    openssl = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run([*openssl.split(), "-keyout", "key", "-out", "cert"], cwd=folder, capture_output=True)
    assert made.returncode == 0
    (folder / "tokens").write_text(hashlib.sha256(token.encode()).hexdigest())
    process.start("--tls-cert", "cert", "--tls-key", "key", "--token-file", "tokens")
    np.savez(place / "x.npz", x=np.stack([sample.fields["x"] for sample in pool.read(pool.ids()[:3])]))
    (place / "ca.pem").write_bytes((folder / "cert").read_bytes())
    address = f"127.0.0.1:{process.port}"
    for given, code, words in ((token, 0, ""), ("wrong", 1, "a call must carry a known token")):
        (place / "bill.token").write_text(f"{given}\n")
        service = {"address": address, "ca": "ca.pem", "token_file": "bill.token"}
        (place / "programs.yaml").write_text(json.dumps({"services": {"bill": service}}))
        done = called(place, "label", "remote", "--in", "x.npz", "--out", "y.npz", "--set", "service=bill")
        assert (done.returncode, words in done.stderr) == (code, True), done.stderr


def test_a_name_that_is_not_registered_is_refused_before_anything_runs(place):
    done = called(place, "validate", "bright.yaml", "--set", "labeler.service=bil")
    assert done.returncode == 2
    assert "labeler.service: must be one of bill, but got 'bil'. Did you mean 'bill'?" in done.stderr


def test_a_service_that_is_not_there_is_named(place):
    done = called(place, "run", "bright.yaml", "--out", "run", "--inline")
    assert done.returncode == 1
    assert "a service must be reachable at 127.0.0.1:" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: {a: {}}", "services.a.address"),
        ("services: {a: {address: solver}}", "must have the form host:port"),
        ("services: {a: {address: 'solver:0'}}", "must have the form host:port"),
        ("services: {a: {address: '10.0.0.5:7470'}}", "must be given for a service on another machine"),
        ("services: {a: {address: '127.0.0.1:7470', tokn: x}}", "Did you mean"),
        ("services: {'a b': {address: '127.0.0.1:7470'}}", "must match"),
        ("servces: {}", "Did you mean 'services'"),
    ],
)
def test_a_file_that_registers_services_is_checked(text, words, place):
    (place / "programs.yaml").write_text(text)
    done = called(place, "version")
    assert done.returncode == 2
    assert words in done.stderr


def test_two_services_do_not_share_a_store(process):
    process.start()
    second = subprocess.run(
        [*process.popen[0].args[:-1], "0"], cwd=process.folder, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "a store must be served by one process" in second.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dataset"], 2, "must work on samples alone, but got 'dataset'"),
        (["nobody"], 2, "'nobody'"),
        (["fem_stress", "--set", "presure=1"], 2, "presure"),
        (["fem_stress", "--host", "0.0.0.0"], 1, "must have TLS and tokens"),
    ],
)
def test_what_cannot_be_served_is_refused(arguments, code, words, tmp_path):
    done = called(tmp_path, "serve-labeler", *arguments, "--store", "store", "--port", "0")
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_a_shipped_labeler_answers_from_elsewhere(tmp_path, monkeypatch):
    """The stress of a vessel, solved in another process, is the stress solved here."""
    solver = subprocess.Popen(
        command("serve-labeler", "fem_stress", "--store", "store", "--port", "0"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        assert solver.stdout is not None
        port = solver.stdout.readline().strip().rpartition(":")[2]
        (tmp_path / "programs.yaml").write_text(f"services: {{solver: {{address: '127.0.0.1:{port}'}}}}")
        y, x = np.mgrid[:48, :48]
        r = np.hypot(y - 23.5, x - 23.5)
        mask = np.where(r < 10, 1, np.where(r < 18, 2, 0)).astype(np.uint8)
        np.savez(tmp_path / "x.npz", mask=mask[None], pixel_size_mm=np.float32(0.1))
        monkeypatch.setenv("DATAEFF_PROGRAMS", "programs.yaml")
        wanted = ["--set", "service=solver", "--set", "max_cost=1000"]
        far = called(tmp_path, "label", "remote", "--in", "x.npz", "--out", "far.npz", *wanted)
        near = called(tmp_path, "label", "fem_stress", "--in", "x.npz", "--out", "near.npz")
        assert (far.returncode, near.returncode) == (0, 0), far.stderr + near.stderr
        with np.load(tmp_path / "far.npz") as one, np.load(tmp_path / "near.npz") as other:
            np.testing.assert_array_equal(one["stress"], other["stress"])
            assert one["channels"].tolist() == other["channels"].tolist()
    finally:
        solver.send_signal(signal.SIGTERM)
        assert solver.wait(60) == 0
        solver.stdout.close()
