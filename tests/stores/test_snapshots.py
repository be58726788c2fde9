"""Snapshots: never the truth, and never needed; what they save is time."""

import os
import signal
import subprocess
import sys

import pytest

from dataeff_al import events as ev
from dataeff_al.campaign.apply import replay
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.snapshot_check import SnapshotCheck
from dataeff_al.campaign.state import State
from dataeff_al.errors import ConflictError, CorruptError
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store as open_folder
from dataeff_al.stores.protocol import Snapshot
from dataeff_al.testing.logs import Story, told_story


def _blobs(story):
    blobs = MemoryBlobs()
    for content in story.blobs.values():
        blobs.put(content)
    return blobs


def _check(store, story):
    return fsck(store, _blobs(story), more=lambda name: [SnapshotCheck(name, store.snapshot(name))])


def _replayed(store):
    return replay("c", (stored.event for stored in store.read("c")))


def _kept(store, story=None, log=None, every=5):
    """A record whose campaign has a snapshot in its middle and a tail behind it."""
    if log is None:
        story, log = told_story(8)
    recall = Recall(store, every)
    for n, event in enumerate(log[:-1]):
        store.append("c", [event], n, store.epoch)
        recall.state("c")
    kept = store.snapshot("c")
    assert 0 < kept.n < len(log) - 1
    return story


def test_a_snapshot_and_its_tail_are_what_the_whole_log_is(open_store):
    story, log = told_story(8)
    store = open_store()
    recall = Recall(store, 4)
    places = set()
    for n, event in enumerate(log):
        store.append("c", [event], n, store.epoch)
        if n % 3 == 0:
            assert recall.state("c") == _replayed(store)
        if n % 7 == 0:
            store.close()
            store = open_store()
            recall = Recall(store, 4)
        kept = store.snapshot("c")
        places.add(kept.n if kept else 0)
    assert len(places) > 4
    assert recall.state("c") == _replayed(store)
    assert store.snapshot("c").n == len(log), "an ended campaign has a snapshot at its end"
    report = _check(store, story)
    assert report.ok, str(report)
    store.close()


def test_what_is_not_named_anew_stays(open_store):
    store = open_store()
    for n, event in enumerate(Story().begin()):
        store.append("c", [event], n, store.epoch)
    assert store.snapshot("c") is None
    store.keep("c", Snapshot(1, "one", {"a": "A", "b": "B"}), store.epoch)
    store.keep("c", Snapshot(2, "two", {"b": "BB", "c": "C"}), store.epoch, onto=1)
    assert store.snapshot("c") == Snapshot(2, "two", {"a": "A", "b": "BB", "c": "C"})
    assert store.snapshot("c", whole=False) == Snapshot(2, "two")
    store.keep("c", Snapshot(2, "anew", {"c": "C"}), store.epoch)
    store.close()
    store = open_store()
    assert store.snapshot("c") == Snapshot(2, "anew", {"c": "C"})
    store.close()


def test_a_snapshot_that_fits_nothing_is_refused(open_store):
    store = open_store()
    store.append("c", Story().begin(), 0, store.epoch)
    store.keep("c", Snapshot(1, "one", {"a": "A"}), store.epoch)
    for wrong in (
        lambda: store.keep("c", Snapshot(3, "x"), store.epoch),
        lambda: store.keep("c", Snapshot(0, "x"), store.epoch),
        lambda: store.keep("nobody", Snapshot(1, "x"), store.epoch),
        lambda: store.keep("c", Snapshot(2, "x"), store.epoch, onto=2),
        lambda: store.keep("c", Snapshot(2, "x"), store.epoch - 1),
    ):
        with pytest.raises(ConflictError):
            wrong()
    assert store.snapshot("c") == Snapshot(1, "one", {"a": "A"})
    store.close()


def test_two_who_keep_snapshots_of_one_campaign_do_not_mix_them(open_store):
    store = open_store()
    story, log = told_story(8)
    one, other = Recall(store, 5), Recall(store, 6)
    for n, event in enumerate(log):
        store.append("c", [event], n, store.epoch)
        state = _replayed(store)
        one.follow(state), other.follow(state)
        assert Recall(store).state("c") == state
    assert _check(store, story).ok
    store.close()


DAMAGE = [
    "UPDATE snapshots SET head = replace(head, '\"cancelled\":false', '\"cancelled\":true')",
    "UPDATE snapshots SET n = n - 1",
    "UPDATE snapshots SET log = 'f'",
    "UPDATE snapshots SET blocks = replace(blocks, 'train', 'brain')",
    "UPDATE snapshot_blocks SET body = replace(body, 'labelled', 'proposed')",
    "UPDATE snapshot_blocks SET block = 'elsewhere' WHERE block LIKE 'train%'",
    "DELETE FROM snapshot_blocks WHERE block LIKE 'train%'",
    "DELETE FROM snapshots",
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_snapshot_is_passed_over_and_replaced(tmp_path, damage):
    store = open_folder(tmp_path, writer=True)
    story = _kept(store)
    wanted = _replayed(store)
    with store._session.writing() as connection:
        assert connection.exec_driver_sql(damage).rowcount > 0
    assert store.snapshot("c") is None
    store.close()
    store = open_folder(tmp_path, writer=True)
    assert Recall(store, 5).state("c") == wanted
    assert store.snapshot("c").n == wanted.n
    assert _check(store, story).ok
    store.close()


@pytest.mark.parametrize("head", ["", "[]", "{}", '{"form": 1}', '{"form": [0]}', "null"])
def test_a_snapshot_in_words_that_nobody_knows_is_passed_over(open_store, head):
    store = open_store()
    story = _kept(store)
    wanted = _replayed(store)
    store.keep("c", Snapshot(7, head, {"train/00000000": '{"queries": [[]], "attempts": []}'}), store.epoch)
    assert Recall(store).state("c") == wanted
    assert _check(store, story).ok
    store.close()


def test_a_sealed_snapshot_that_breaks_the_rules_of_money_is_not_used_and_fsck_names_it(open_store):
    """A bug that keeps a wrong state seals it as well as a right one."""
    store = open_store()
    story = _kept(store)
    wanted = _replayed(store)
    kept = store.snapshot("c")
    wrong = kept.head.replace('"accounts":{"evaluation":[1000,6', '"accounts":{"evaluation":[1000,7')
    assert wrong != kept.head
    store.keep("c", Snapshot(kept.n, wrong, kept.blocks), store.epoch)
    assert Recall(store).state("c") == wanted
    (found,) = _check(store, story).violations
    assert (found.invariant, found.n) == ("I9", kept.n)
    store.close()


def test_a_log_that_breaks_the_rules_stops_a_start(open_store):
    store = open_store()
    story = Story(total=4)
    store.append("c", [*story.begin(), story.propose(2)], 0, store.epoch)
    with pytest.raises(CorruptError, match="I3"):
        Ledger(store, "c")
    store.close()


def test_a_reader_keeps_no_snapshot(tmp_path):
    store = open_folder(tmp_path, writer=True)
    _, log = told_story()
    store.append("c", log, 0, store.epoch)
    store.close()
    reader = open_folder(tmp_path, writer=False)
    assert Recall(reader, 1).state("c").cancelled
    assert reader.snapshot("c") is None
    reader.close()


def test_an_outline_of_an_ended_campaign_is_its_state_without_its_queries(open_store):
    store = open_store()
    _, log = told_story()
    store.append("c", log, 0, store.epoch)
    whole = Recall(store).state("c")
    outline = Recall(store).outline("c")
    assert store.about("c").ended
    assert (len(outline.queries), outline.n, outline.accounts) == (0, whole.n, whole.accounts)
    assert (outline.cancelled, outline.created, dict(outline.answered)) == (True, whole.created, dict(whole.answered))
    store.append("c", [ev.Extended(amount=1)], whole.n, store.epoch)
    assert len(Recall(store).outline("c").queries) == len(whole.queries), "what goes on is told in full"
    store.close()


def test_every_field_of_a_state_is_in_its_snapshot():
    """A field that is forgotten would come back as its default."""
    from dataclasses import fields

    from dataeff_al.campaign import state_json

    known = state_json._APART | set(state_json._MAPS) | set(state_json._PLAIN)
    assert known == {each.name for each in fields(State)}


KEEPER = """
import sys
from dataeff_al import failpoints
from dataeff_al.campaign.recall import Recall
from dataeff_al.stores.open import open_store
from dataeff_al.testing.logs import told_story
failpoints.arm(sys.argv[2])
store = open_store(sys.argv[1], writer=True)
recall = Recall(store, 5)
end = sum(1 for _ in store.read("c")) if "c" in store.campaigns() else 0
for n, event in enumerate(told_story(8)[1]):
    if n >= end:
        store.append("c", [event], n, store.epoch)
        recall.state("c")
"""


@pytest.mark.parametrize("point", ["snapshot.before:2", "snapshot.written:1", "snapshot.written:2", "snapshot.after:2"])
def test_a_kill_while_a_snapshot_is_kept_costs_nothing(tmp_path, point):
    def run(rules):
        command = [sys.executable, "-c", KEEPER, str(tmp_path), rules]
        return subprocess.run(command, timeout=300, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode

    assert run(f"{point}=kill") == -signal.SIGKILL
    reader = open_folder(tmp_path, writer=False)
    assert Recall(reader).state("c") == _replayed(reader)
    reader.close()
    assert run("") == 0
    store = open_folder(tmp_path, writer=True)
    assert Recall(store).state("c") == _replayed(store) == replay("c", told_story(8)[1])
    assert _check(store, told_story(8)[0]).ok
    store.close()
