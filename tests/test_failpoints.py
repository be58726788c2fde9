"""The points themselves: what names them, what arms them, and that they cost nothing when off."""

import json
import os
import re
import signal
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from dataeff_al import events, failpoints
from dataeff_al.errors import DataeffError
from services.cli.main import run
from services.runtime import arm_failpoints

ROOT = Path(__file__).parents[1]
CALL = re.compile(r'\breached\("([^"]+)"\)')


@pytest.fixture(autouse=True)
def disarmed():
    yield
    failpoints.arm("")


def test_every_kind_of_event_has_a_point_before_and_after_its_commit():
    kinds = {kind.model_fields["kind"].default for kind in typing.get_args(typing.get_args(events.Event)[0])}
    for moment in ("before", "after"):
        named = {name.removesuffix(f".{moment}") for name in failpoints.POINTS if name.endswith(f".{moment}")}
        assert kinds <= named


def test_every_point_in_the_code_is_listed_and_described():
    written = {name for path in (ROOT / "dataeff_al").rglob("*.py") for name in CALL.findall(path.read_text())}
    assert len(written) > 20
    assert written <= set(failpoints.POINTS)
    assert all(20 < len(what) < 120 for what in failpoints.POINTS.values())


def test_the_command_lists_every_point(capsys):
    assert run(["failpoints", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == dict(failpoints.POINTS)
    assert run(["failpoints"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(failpoints.POINTS)


def test_off_nothing_is_looked_at():
    failpoints.reached("no such point")
    failpoints.reached_commit(["no such kind"], "before")


def test_armed_an_unknown_point_is_refused(tmp_path):
    failpoints.arm(f"trace={tmp_path / 'trace'}")
    with pytest.raises(DataeffError, match="dataeff-al failpoints"):
        failpoints.reached("no such point")
    with pytest.raises(DataeffError, match="no such kind"):
        failpoints.reached_commit(["no such kind"], "before")


@pytest.mark.parametrize(
    "rules",
    ["told.after", "told.after=raise", "told.after:0=kill", "told.after:x=kill", "tod.after=kill", "trace=", "=kill"],
)
def test_a_rule_that_says_nothing_sensible_is_refused(rules, monkeypatch, capsys):
    with pytest.raises(DataeffError):
        arm_failpoints({"DATAEFF_FAILPOINT": rules})
    monkeypatch.setenv("DATAEFF_FAILPOINT", rules)
    assert run(["version"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_trace_names_every_point_in_order(tmp_path):
    arm_failpoints({"DATAEFF_FAILPOINT": f"trace={tmp_path / 'trace'}"})
    failpoints.reached("blob.before")
    failpoints.reached_commit(["told", "told", "leased"], "after")
    assert (tmp_path / "trace").read_text().split() == ["blob.before", "told.after", "leased.after"]


@pytest.mark.parametrize(
    ("rules", "survives"),
    [("ack.after:3=kill", 2), ("ack.after=kill", 0), ("any:5=kill", 2), ("told.after=kill,any:6=kill", 2), ("", 9)],
)
def test_a_rule_kills_when_its_point_is_reached_so_often(rules, survives):
    child = (
        "from dataeff_al import failpoints\n"
        "from services.runtime import arm_failpoints\n"
        "arm_failpoints()\n"
        "for n in range(9):\n"
        "    failpoints.reached('ack.before'); failpoints.reached('ack.after'); print(n, flush=True)\n"
    )
    environment = {**os.environ, "DATAEFF_FAILPOINT": rules}
    done = subprocess.run([sys.executable, "-c", child], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == (-signal.SIGKILL if rules else 0)
    assert len(done.stdout.split()) == survives
