import json
import sqlite3

import pytest

from dataeff_al import events as ev
from dataeff_al.digests import digest_bytes
from dataeff_al.errors import DataError
from dataeff_al.stores.blobs import FileBlobs, MemoryBlobs
from dataeff_al.stores.chain import link
from dataeff_al.stores.checks.content import HoldoutCheck
from dataeff_al.stores.checks.invoices import InvoiceCheck
from dataeff_al.stores.checks.money import MoneyCheck
from dataeff_al.stores.checks.order import LeaseCheck, LifeCheck, NumberCheck
from dataeff_al.stores.checks.protocol import violations
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.stores.open import open_store
from dataeff_al.stores.protocol import StoredEvent
from dataeff_al.testing.logs import Story, told_story
from services.checkup import check_record, read_invoices


def _placed(events):
    return [StoredEvent("c", n, 1, 0.5, event) for n, event in enumerate(events, start=1)]


def _found(events):
    """Names of the invariants that the checks over events find broken."""
    checks = [NumberCheck(), LeaseCheck(), LifeCheck(), HoldoutCheck(), MoneyCheck()]
    return sorted({found.invariant for check in checks for found in violations(check, _placed(events))})


def _bought(story, n=2):
    names = [f"q{slot}" for slot in range(n)]
    return [*story.begin(), story.propose(n), story.lease(names)]


def test_a_valid_story_breaks_no_rule():
    assert _found(told_story()[1]) == []


def test_a_second_post_of_an_attempt_is_found():
    story = Story()
    assert "I5" in _found([*_bought(story), story.tell("q0"), story.tell("q0")])


def test_a_second_label_of_a_query_is_found():
    story = Story()
    log = [*_bought(story), ev.AttemptExpired(attempt="q0.1", query="q0"), story.lease(["q0"])]
    assert _found([*log, story.tell("q0", number=1), story.tell("q0", number=2)]) == ["I2", "I5"]


def test_a_late_label_while_its_reservation_stands_is_no_violation():
    story = Story()
    log = [*_bought(story), ev.AttemptExpired(attempt="q0.1", query="q0"), story.lease(["q0"])]
    assert _found([*log, story.tell("q0", number=1), story.tell_extra("q0", number=2)]) == []


def test_an_overspent_budget_is_found_at_the_prefix_where_it_happens():
    story = Story(total=5)
    log = [*story.begin(), story.propose(2)]
    (found,) = violations(MoneyCheck(), _placed(log))
    assert (found.invariant, found.n) == ("I3", 3)
    assert "must stay within 5, but got 6 + 0 + 0" in found.sentence


def test_a_waste_that_the_budget_does_not_cover_is_found():
    story = Story(total=6)
    assert _found([*_bought(story), story.fail("q0", cost=2)]) == ["I3"]
    story = Story(total=6)
    assert _found([*_bought(story), ev.DeadLettered(query="q0", reason="broke"), story.fail("q0", cost=2)]) == []


def test_an_overspent_evaluation_account_is_found():
    story = Story(max_cost=1)
    assert _found([*story.begin(evaluation_budget=2), story.propose(2, "validation"), story.propose(9)]) == []
    story = Story(max_cost=1)
    assert _found([*story.begin(evaluation_budget=2), story.propose(3, "test")]) == ["I3"]


def test_inherited_labels_are_charged():
    story = Story(total=4)
    assert _found([*story.begin(), story.inherit(cost=3), story.inherit(cost=1)]) == []
    assert _found([*story.begin(), story.inherit(cost=3), story.inherit(cost=2)]) == ["I3"]


def test_what_a_label_cost_beyond_its_reservation_stands_outside_the_budget():
    story = Story(total=6)
    check = MoneyCheck()
    assert violations(check, _placed([*_bought(story), story.tell("q0", cost=50), story.tell("q1", cost=1)])) == []
    purse = check.purses["queries"]
    assert (purse.reserved, purse.spent, purse.wasted, purse.extra) == (0, 4, 0, 47)


def test_a_late_failure_that_cost_something_stands_outside_the_budget():
    story = Story(total=6)
    late = ev.ExtraFailed(attempt="q0.1", query="q0", failure="infra", reason="r", cost=9)
    log = [*_bought(story), ev.AttemptExpired(attempt="q0.1", query="q0"), story.lease(["q0"]), late]
    assert _found([*log, story.tell("q0", number=2)]) == []
    assert _found([*log, story.tell("q0", number=2), ev.ExtraFailed(**{**late.model_dump(), "cost": -1})]) == ["I1"]


def test_an_extension_makes_room():
    story = Story(total=3)
    assert _found([*story.begin(), story.propose(1), ev.Extended(amount=3), story.propose(1)]) == []


@pytest.mark.parametrize("end", [ev.DeadLettered(query="q0", reason="r"), ev.QueryCancelled(query="q0")])
def test_a_second_release_is_found(end):
    story = Story()
    assert _found([*_bought(story), end, end]) == ["I2"]


def test_a_reservation_that_outlives_its_campaign_is_found():
    story = Story()
    assert _found([*_bought(story), ev.CancelRequested(reason="r"), ev.Cancelled()]) == ["I2"]


def test_extra_booked_while_a_reservation_stands_is_found():
    story = Story()
    assert _found([*_bought(story), story.tell_extra("q0")]) == ["I2"]


def test_negative_money_is_found():
    story = Story()
    assert "I1" in _found([*_bought(story), story.tell("q0", cost=-1)])


@pytest.mark.parametrize("purpose", ["validation", "test"])
@pytest.mark.parametrize("same", ["content", "payload"])
def test_a_held_out_sample_that_is_trained_on_is_found(purpose, same):
    shared = {same: "f" * 64}
    for first, second in (("acquire", purpose), (purpose, "initial"), (purpose, "reference")):
        story = Story()
        log = [*story.begin(), story.propose(1, first, **shared), story.propose(1, second, **shared)]
        assert _found(log) == ["I6"]
    story = Story()
    assert _found([*story.begin(), story.propose(1, "initial", **shared), story.propose(1, **shared)]) == []


def test_a_model_that_learnt_from_unbought_labels_is_found():
    story = Story()
    log = [*_bought(story), story.tell("q0")]
    assert _found([*log, story.train(1)]) == []
    assert _found([*log, story.train(2)]) == ["I6"]


def test_tokens_and_ids_of_attempts_that_come_back_are_found():
    story = Story()
    again = ev.Leased(attempts=(ev.AttemptGrant(attempt="other", query="q0", number=1, deadline=1.0),))
    expired = ev.AttemptExpired(attempt="q0.1", query="q0")
    assert _found([*_bought(story), expired, again]) == ["I8"]
    same = ev.Leased(attempts=(ev.AttemptGrant(attempt="q1.1", query="q0", number=2, deadline=1.0),))
    story = Story()
    assert _found([*_bought(story), expired, same]) == ["I8"]


def test_a_falling_epoch_is_found():
    first, second = _placed(Story().begin())
    falling = [StoredEvent("c", 1, 2, 0.5, first.event), second]
    assert [found.invariant for found in violations(NumberCheck(), falling)] == ["I8"]


def test_gaps_and_wrong_beginnings_are_found():
    story = Story()
    placed = _placed(_bought(story))
    assert [found.n for found in violations(NumberCheck(), [*placed[:1], *placed[2:]])] == [3]
    assert [found.n for found in violations(NumberCheck(), _placed(story.begin()[1:]))] == [1]
    assert _found([*story.begin(), story.begin()[0]]) == ["I9"]


def test_leases_that_no_one_may_give_are_found():
    expired = ev.AttemptExpired(attempt="q0.1", query="q0")
    for reason in (
        [],
        [expired, ev.Paused(cause="user", reason="r")],
        [expired, ev.CancelRequested(reason="r")],
        [expired, ev.Finished(outcome="completed", reason="r")],
        [ev.AttemptUnknown(attempt="q0.1", query="q0", reason="r")],
    ):
        story = Story()
        log = [*_bought(story), *reason]
        assert _found([*log, story.lease(["q0"])]) == ["states"], reason


def test_leases_after_a_resumption_or_an_extension_are_fine():
    expired = ev.AttemptExpired(attempt="q0.1", query="q0")
    finished = ev.Finished(outcome="completed", reason="r")
    unknown = ev.AttemptUnknown(attempt="q0.1", query="q0", reason="r")
    for reason in (
        [expired],
        [expired, ev.Paused(cause="user", reason="r"), ev.Resumed()],
        [expired, finished, ev.Extended(amount=3)],
        [unknown, ev.Settled(attempt="q0.1", query="q0", verdict="lost")],
    ):
        story = Story()
        log = [*_bought(story), *reason]
        assert _found([*log, story.lease(["q0"])]) == [], reason


def test_answers_of_attempts_that_nobody_was_granted_are_found():
    story = Story()
    stray = ev.Told(attempt="stray", query="q0", label=story.label("q0"))
    assert _found([*_bought(story), stray]) == ["states"]
    story = Story()
    crossed = ev.Told(attempt="q1.1", query="q0", label=story.label("q0"))
    assert _found([*_bought(story), crossed]) == ["states"]
    story = Story()
    assert _found([*_bought(story), ev.Beat(attempts=("stray",), deadline=1.0)]) == ["states"]


# What follows is planted where it would really be: in files.


@pytest.fixture
def run(tmp_path):
    story, log = told_story()
    blobs = FileBlobs(tmp_path / "blobs")
    for content in story.blobs.values():
        blobs.put(content)
    store = open_store(tmp_path, writer=True)
    store.append("c", log, 0, store.epoch)
    store.close()
    return tmp_path


def _fsck(run, **kwargs):
    store = open_store(run, writer=False)
    report = fsck(store, FileBlobs(run / "blobs"), **kwargs)
    store.close()
    return report


def _forge(run, *statements, thaw=True):
    """Change the file as somebody would who does not keep to the rules."""
    database = sqlite3.connect(run / "record.sqlite")
    if thaw:
        for action in ("UPDATE", "DELETE"):
            database.execute(f"DROP TRIGGER events_no_{action}")
    for statement in statements:
        assert database.execute(*statement).rowcount > 0
    database.commit()
    database.close()


def test_a_valid_run_is_found_valid(run):
    report = _fsck(run)
    assert report.ok
    assert (report.campaigns, report.events) == (1, len(told_story()[1]))
    assert report.blobs > 10
    assert str(report).endswith(f"{report.blobs} blobs: 0 violations")


def test_blobs_that_no_event_names_are_worth_a_note_and_no_fault(run):
    before = _fsck(run)
    ref = FileBlobs(run / "blobs").put(b"the task of a step")
    (run / "blobs" / "tmp" / "draft").write_bytes(b"half")
    after = _fsck(run)
    assert after.ok
    counts = [int(note.split()[0]) for report in (before, after) for note in report.notes]
    assert counts[-1] == sum(counts[:-1]) + 1
    assert str(after).startswith(f"{counts[-1]} blobs are named by no event\n")
    assert ref in set(FileBlobs(run / "blobs").refs())


# In the told story q2.1 to q5.1 are told, q6.1 failed at a cost, q7.1 expired and answered late, q8.1 was settled as
# lost and turned out to have cost something; q9 was withdrawn.
FAIR = {"q2.1": 1, "q5.1": 1, "q6.1": 1, "q7.1": 1, "q8.1": 1}


def test_fair_invoices_are_found_fair(run):
    assert _fsck(run, invoices=FAIR).ok


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"q2.1": 2}, "must be paid once, but got 2"), ({"q9.1": 1}, "an attempt in the record")],
)
def test_an_invoice_that_the_record_does_not_account_for_is_found(run, changed, words):
    (found,) = _fsck(run, invoices=FAIR | changed).violations
    assert found.invariant == "I10"
    assert next(iter(changed)) in found.sentence
    assert words in found.sentence


def test_an_invoice_for_an_attempt_that_cost_nothing_is_found():
    story = Story()
    log = [*_bought(story), story.fail("q0"), ev.AttemptExpired(attempt="q1.1", query="q1")]
    for invoices, wrong in (({"q0.1": 1}, 1), ({"q1.1": 1}, 1), ({}, 0)):
        check = InvoiceCheck(invoices)
        assert violations(check, _placed(log)) == []
        assert [found.invariant for found in check.unbooked()] == ["I10"] * wrong


def test_an_invoice_for_an_attempt_whose_outcome_is_owed_is_fair():
    story = Story()
    unknown = ev.AttemptUnknown(attempt="q1.1", query="q1", reason="r")
    check = InvoiceCheck({"q0.1": 1, "q1.1": 1})
    assert violations(check, _placed([*_bought(story), unknown])) == []
    assert list(check.unbooked()) == []


def test_invoices_are_read_from_a_file_or_a_folder(run, tmp_path):
    listed = tmp_path / "invoices.txt"
    listed.write_text("q2.1\n\n q5.1 \nq2.1\n")
    assert read_invoices(listed) == {"q2.1": 2, "q5.1": 1}
    folder = tmp_path / "invoices"
    folder.mkdir()
    for name in ("abc.1.2", "abc.7", "def"):
        (folder / name).touch()
    assert read_invoices(folder) == {"abc": 2, "def": 1}
    with pytest.raises(DataError, match="text file or a folder"):
        read_invoices(tmp_path / "none")
    report = check_record(str(run), rebuild=False, invoices=read_invoices(listed))
    assert [found.invariant for found in report.violations] == ["I10"]


def test_a_removed_event_is_found(run):
    _forge(run, ("DELETE FROM events WHERE n = 5",))
    (found,) = _fsck(run).violations
    assert (found.invariant, found.n) == ("I9", 5)


def test_a_removed_last_event_is_found_by_what_it_left_in_the_tables(run):
    last = len(told_story()[1])
    _forge(run, ("DELETE FROM events WHERE n = ?", (last,)))
    assert [found.invariant for found in _fsck(run).violations] == ["I9"]


def test_an_event_that_was_changed_is_found_by_its_digest(run):
    changed = "UPDATE events SET body = replace(body, '\"cost\":3', '\"cost\":1') WHERE body LIKE '%\"cost\":3%'"
    _forge(run, (changed,))
    (found,) = _fsck(run).violations
    assert found.invariant == "I9"
    assert "must match its digest" in found.sentence


def test_a_forged_event_with_a_right_digest_is_found_by_the_money(run):
    """A bug that writes a second post keeps the chain in order; the invariants see it all the same."""
    database = sqlite3.connect(run / "record.sqlite")
    n, epoch, at, digest = database.execute("SELECT n, epoch, at, digest FROM events ORDER BY n DESC").fetchone()
    (body,) = database.execute("SELECT body FROM events WHERE kind = 'told'").fetchone()
    row = ("c", n + 1, epoch, at, "told", body, link(digest, "c", n + 1, epoch, at, body))
    database.close()
    insert = "INSERT INTO events (campaign, n, epoch, at, kind, body, digest) VALUES (?, ?, ?, ?, ?, ?, ?)"
    _forge(run, (insert, row), thaw=False)
    assert {found.invariant for found in _fsck(run).violations} >= {"I5", "I2", "I1", "I9"}


@pytest.mark.parametrize(
    ("statement", "invariants"),
    [
        ("UPDATE entries SET amount = amount + 1 WHERE kind = 'POST' AND subject = 'q2.1'", {"I1", "I2", "I9"}),
        ("DELETE FROM entries WHERE kind = 'RELEASE' AND subject = 'q0'", {"I2", "I9"}),
        ("UPDATE entries SET account = 'evaluation' WHERE kind = 'WASTE'", {"I1", "I9"}),
        ("UPDATE queries SET state = 'proposed' WHERE query = 'q2'", {"I9"}),
        ("DELETE FROM attempts WHERE attempt = 'q3.1'", {"I9"}),
        ("DELETE FROM blob_refs WHERE n = 2", {"I9"}),
        ("UPDATE campaigns SET state = 'running'", {"I9"}),
    ],
)
def test_tables_that_differ_from_their_events_are_found_and_remade(run, statement, invariants):
    _forge(run, (statement,), thaw=False)
    assert {found.invariant for found in _fsck(run).violations} == invariants
    store = open_store(run, writer=True)
    store.rebuild_projections()
    store.close()
    assert _fsck(run).ok


def _blob_path(run, ref):
    return run / "blobs" / ref[:2] / ref[2:]


@pytest.mark.parametrize("damage", ["missing", "flipped", "truncated"])
def test_damaged_blobs_are_named(run, damage):
    ref = told_story()[0].label("q2").label
    path = _blob_path(run, ref)
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "truncated" else bytes([content[0] ^ 1]) + content[1:])
    (found,) = _fsck(run).violations
    assert found.invariant == "I7"
    assert ref in found.sentence


def test_an_acknowledged_label_that_is_not_there_is_found(run):
    assert _fsck(run, acknowledged={"c": ["q2.1", "q3.1"]}).ok
    (found,) = _fsck(run, acknowledged={"c": ["q2.1", "q99.1"]}).violations
    assert found.invariant == "I4"
    assert "q99.1" in found.sentence


def test_an_event_that_no_version_knows_is_found(run):
    body = json.dumps({"kind": "abducted"})
    database = sqlite3.connect(run / "record.sqlite")
    n, epoch, at, digest = database.execute("SELECT n, epoch, at, digest FROM events ORDER BY n DESC").fetchone()
    database.close()
    row = ("c", n + 1, epoch, at, "abducted", body, link(digest, "c", n + 1, epoch, at, body))
    insert = "INSERT INTO events (campaign, n, epoch, at, kind, body, digest) VALUES (?, ?, ?, ?, ?, ?, ?)"
    _forge(run, (insert, row), thaw=False)
    (found,) = _fsck(run).violations
    assert (found.invariant, found.n) == ("I9", n + 1)


def test_one_bad_campaign_does_not_hide_another():
    record = MemoryRecord()
    store = MemoryStore(record)
    for name in ("good", "bad"):
        store.append(name, Story().begin(), 0, store.epoch)
    record.logs["bad"].append(StoredEvent("bad", 7, 1, 0.5, ev.Resumed()))
    blobs = MemoryBlobs()
    story = Story()
    story.begin()
    for content in story.blobs.values():
        blobs.put(content)
    assert blobs.has(digest_bytes(b"story splits"))
    report = fsck(store, blobs)
    assert {(found.campaign, found.invariant) for found in report.violations} == {("bad", "I9")}
    assert report.campaigns == 2
