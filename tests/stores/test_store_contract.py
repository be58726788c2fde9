import threading

import pytest

from dataeff_al import events as ev
from dataeff_al.errors import ConflictError
from dataeff_al.stores.blobs import FileBlobs, MemoryBlobs
from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.stores.sql import SqlStore
from dataeff_al.testing.logs import Story
from dataeff_al.testing.stores import STORE_CHECKS, append_all, check_blobs, check_store


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_a_store_keeps_the_contract(open_store, check):
    check(open_store)


def test_the_whole_suite_runs_over_a_place_made_for_each_check(tmp_path):
    places = iter(range(100))

    def make():
        url = f"sqlite:///{tmp_path / str(next(places)) / 'record.sqlite'}"
        return lambda: SqlStore(url)

    check_store(make)
    assert next(places) == len(STORE_CHECKS)


class _Forgetful(MemoryStore):
    """Says that it wrote, and did not."""

    def append(self, campaign, events, expected_n, epoch, request=None, marks=()):
        if len(events) == 1 and events[0].kind == "trained":
            events = []
        return super().append(campaign, events, expected_n, epoch, request, marks)


class _Unfenced(MemoryStore):
    """Lets anybody write."""

    def append(self, campaign, events, expected_n, epoch, request=None, marks=()):
        return super().append(campaign, events, expected_n, self.epoch, request, marks)


@pytest.mark.parametrize("broken", [_Forgetful, _Unfenced])
def test_the_suite_catches_a_store_that_breaks_the_contract(broken):
    def make():
        record = MemoryRecord()
        return lambda: broken(record)

    with pytest.raises((AssertionError, ConflictError)):
        check_store(make)


def test_blob_stores_keep_the_contract(tmp_path):
    check_blobs(MemoryBlobs())
    check_blobs(FileBlobs(tmp_path / "run" / "blobs"))


def test_threads_may_share_a_store(open_store):
    store = open_store()
    campaigns = [f"c{k}" for k in range(4)]
    for name in campaigns:
        append_all(store, name, Story(name).begin())
    errors = []

    def write(name):
        try:
            for n in range(2, 22):
                store.append(name, [ev.Paused(cause="user", reason=str(n))], n, store.epoch)
                assert sum(1 for _ in store.read(name)) == n + 1
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in campaigns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert not errors
    assert [len(list(store.read(name))) for name in campaigns] == [22] * 4
    store.close()


def test_two_writers_of_one_campaign_never_overwrite_each_other(open_store):
    store = open_store()
    append_all(store, "c", Story().begin())
    won, lost = [], []

    def write(name):
        for _ in range(15):
            n = sum(1 for _ in store.read("c"))
            try:
                store.append("c", [ev.Paused(cause="user", reason=name)], n, store.epoch)
                won.append(name)
            except ConflictError:
                lost.append(name)

    threads = [threading.Thread(target=write, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(won) + len(lost) == 30
    assert [stored.n for stored in store.read("c")] == list(range(1, len(won) + 3))
    store.close()
