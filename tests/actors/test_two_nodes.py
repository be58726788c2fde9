"""What docs/ray.md says about clusters, done as it stands there on two nodes; and a node is killed while a job runs."""

import contextlib
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from services.checkup import check_record

HERE = Path(__file__).parent
BILLED, PAGE = HERE / "data" / "billed.py", HERE.parent.parent / "docs" / "ray.md"
CAMPAIGN = """
version: 1
name: two-nodes
seed: 5
pool: {kind: digits, size: 120}
evaluation: {validation: 4, test: 8}
initial: {random: 8}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 10}
labeler: {kind: billed, folder: FOLDER, effect: keyed, limit_s: 300, HELD runtime: {replicas: 2}}
sampler: {kind: margin}
budget: {total: 12, per_round: 4}
stop: {metric: accuracy}
"""
ALL_LABELS, BEFORE = 24, 6
PATIENCE_S = 240.0
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]


def blocks():
    """The shell commands of the page, in order: token, nodes, job."""
    found = re.findall(r"^ *```sh\n(.*?)^ *```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    return ["\n".join(line.strip() for line in block.splitlines()) for block in found]


def free_ports(count):
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.2", 0))
        return [probe.getsockname()[1] for probe in probes]


class Page:
    """The page's commands with ports, folders and a home of our own, so that nobody else's Ray is in the way."""

    def __init__(self, folder, sockets, surroundings):
        self.folder, self._surroundings = folder, surroundings
        gcs, dashboard, client, agent, other_agent = free_ports(5)
        token, nodes, job = blocks()
        head, worker = nodes.replace("6379", str(gcs)).splitlines()
        ports = f"--dashboard-port={dashboard} --ray-client-server-port={client} --dashboard-agent-listen-port={agent}"
        self.token, export = token.splitlines()
        self.head = f"{export}\n{head} {ports} --temp-dir={sockets}"
        self.worker = f"{export}\n{worker} --dashboard-agent-listen-port={other_agent}"
        said = job.strip().replace("8265", str(dashboard)).replace("/data/", f"{folder}/")
        self.job = f"{export}\n{said} --plugin {shlex.quote(str(BILLED))} --no-report"
        self.dashboard = dashboard

    @property
    def surroundings(self):
        quick = {
            # A lost node is noticed within two seconds instead of twenty.
            "RAY_health_check_period_ms": "500",
            "RAY_health_check_timeout_ms": "10000",
            "RAY_health_check_failure_threshold": "3",
            "RAY_health_check_initial_delay_ms": "1000",
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**self._surroundings, **quick, "HOME": str(self.folder), "PATH": path}

    def start(self, script, name):
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                ["bash", "-c", script], env=self.surroundings, stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )

    def said(self, name):
        return (self.folder / f"{name}.log").read_text()[-4000:]


@pytest.fixture
def page(tmp_path, surroundings):
    sockets = tempfile.mkdtemp(prefix="dataeff-two-")
    yield Page(tmp_path, sockets, surroundings)
    subprocess.run(["rm", "-rf", sockets], check=True)


@contextlib.contextmanager
def ended_afterwards(process):
    """Everything that the process has begun is gone afterwards, whether it is still its child or not."""
    try:
        yield
    finally:
        for child in family(process.pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        process.kill()
        process.wait()


def family(pid):
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def node(page, script, name):
    """A node that has started; on a machine that is very busy Ray gives up after half a minute, and is asked again."""
    for _ in range(3):
        process = page.start(script, name)
        with ended_afterwards(process):
            started = lambda: "Ray runtime started" in page.said(name)  # noqa: E731
            while process.poll() is None and not started():
                time.sleep(0.1)
            if started():
                yield process
                return
    raise AssertionError(page.said(name))


def raylet(of):
    """The raylet of a node."""
    (found,) = [process for process in family(of.pid) if process.name() == "raylet"]
    return found


def labels_on(of):
    """Whether a labeler's replica is at work on a node."""
    return any(child.name().startswith("ray::Replica") for child in family(raylet(of).pid))


def state(page, nodes):
    """For a test that has waited in vain: what is paid for, what each node is at, and what everybody has said."""
    at_work = {name: sorted(child.name() for child in family(raylet(of).pid)) for name, of in nodes.items()}
    said = "\n".join(f"--- {name}\n{page.said(name)}" for name in ("job", *nodes))
    return f"{len(invoices(page.folder))} invoices, processes {at_work}\n{said}"


def listens(port):
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.2", port), 1).close()
        return True
    return False


def wait_for(holds, process, log):
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert process.poll() is None, log()
        assert time.monotonic() < until, log()
        time.sleep(0.1)


def invoices(folder):
    return Counter(path.name.split(".")[0] for path in (folder / "invoices").glob("*"))


def undisturbed(folder, surroundings):
    folder.mkdir()
    (folder / "campaign.yaml").write_text(CAMPAIGN.replace("FOLDER", str(folder)).replace("HELD", ""))
    run = [
        sys.executable,
        "-m",
        "services.cli",
        "run",
        str(folder / "campaign.yaml"),
        "--inline",
        "--json",
        "--no-report",
    ]
    done = subprocess.run(
        [*run, "--out", str(folder / "run"), "--plugin", str(BILLED)],
        env=surroundings,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(done.stdout)["digest"]


def test_a_node_that_is_killed_during_a_submitted_job_costs_no_label_and_the_campaign_finishes(
    page, tmp_path, surroundings
):
    wanted = undisturbed(tmp_path / "inline", surroundings)
    campaign = CAMPAIGN.replace("FOLDER", str(tmp_path)).replace("HELD", f"held_after: {BEFORE - 1},")
    (tmp_path / "campaign.yaml").write_text(campaign)
    assert page.start(page.token, "token").wait(60) == 0, page.said("token")
    assert (tmp_path / ".ray" / "auth_token").stat().st_mode & 0o077 == 0
    with node(page, page.head, "head") as head, node(page, page.worker, "worker") as worker:
        wait_for(lambda: listens(page.dashboard), head, lambda: page.said("head"))
        job = page.start(page.job, "job")
        with ended_afterwards(job):
            ready = lambda: len(invoices(tmp_path)) >= BEFORE and labels_on(worker) and labels_on(head)  # noqa: E731
            wait_for(ready, job, lambda: state(page, {"head": head, "worker": worker}))
            raylet(worker).send_signal(signal.SIGKILL)
            paid_before = len(invoices(tmp_path))
            (tmp_path / "go").touch()
            assert job.wait(PATIENCE_S) == 0, page.said("job")
            assert head.poll() is None
    assert paid_before < ALL_LABELS - 2
    assert "succeeded" in page.said("job")
    summary = json.loads((tmp_path / "runs" / "first" / "summary.json").read_text())
    assert summary["status"] == "finished"
    assert summary["digest"] == wanted
    assert len(invoices(tmp_path)) == ALL_LABELS
    assert set(invoices(tmp_path).values()) == {1}
    report = check_record(str(tmp_path / "runs" / "first"), rebuild=False)
    assert report.ok, str(report)
