"""Every bug still fits the code that it breaks, and a quick share of them is planted and caught here.

All of them: ``python tests/planted/run.py``, which ``make chaos`` runs.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
try:
    from bugs import BUGS
    from run import ROOT, copy_of_the_package, planted, try_one
finally:
    sys.path.remove(str(HERE))

QUICK = ("double_post", "late_label_lost", "token_reused", "waste_not_charged", "cancelled_with_reservations")
"""Bugs of the rules, whose suites need no process and no disk: one of them is planted on each day of the year."""


def _named(name):
    return next(bug for bug in BUGS if bug.name == name)


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_fits_the_code_and_its_suites_are_there(bug):
    planted(bug, (ROOT / bug.file).read_text(encoding="utf-8"))
    assert bug.suites
    for suite in bug.suites:
        assert (ROOT / suite.split("::")[0]).exists(), suite


def test_bugs_differ_from_one_another():
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20
    assert len({(bug.file, bug.new, bug.old) for bug in BUGS}) == len(BUGS)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_of_the_package(tmp_path_factory.mktemp("package"))


@pytest.mark.parametrize("which", ["of the rules", "of the disk"])
def test_a_planted_bug_is_caught(copy, which):
    bug = _named(QUICK[time.gmtime().tm_yday % len(QUICK)] if which == "of the rules" else "fsync_tried_again")
    before = (copy / bug.file).read_bytes()
    how, said = try_one(bug, copy)
    assert how == "caught", said
    assert (copy / bug.file).read_bytes() == before == (ROOT / bug.file).read_bytes()


def test_a_bug_that_changes_nothing_is_missed_and_one_that_does_not_fit_is_an_error(copy):
    bug = _named("fsync_tried_again")
    harmless = bug.__class__(
        **{
            **vars(bug),
            "new": bug.old + "            pass\n",
            "suites": (bug.suites[0] + "::test_a_failed_fsync_is_final",),
        }
    )
    assert try_one(harmless, copy)[0] == "missed"
    how, said = try_one(bug.__class__(**{**vars(bug), "old": "nowhere"}), copy)
    assert (how, "must stand once" in said) == ("error", True)


def test_an_unknown_name_is_refused():
    done = subprocess.run([sys.executable, str(HERE / "run.py"), "--only", "nobody"], capture_output=True, text=True)
    assert done.returncode == 1
    assert "must name bugs" in done.stderr
