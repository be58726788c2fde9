import pytest

from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import CorruptError, DataError
from dataeff_al.labeling.spool import FileSpool, MemorySpool
from dataeff_al.labeling.types import Done, Times

DONE = Done(Ref(digest_bytes(b"outcome")), Times(0.25, 1.5, 1.25))


@pytest.fixture(params=["memory", "files"])
def reopen(request, tmp_path):
    """Opens one and the same spool anew at each call."""
    if request.param == "files":
        return lambda: FileSpool(tmp_path / "deep" / "spool")
    spool = MemorySpool()
    return lambda: spool


def test_what_was_begun_and_what_came_of_it_is_remembered(reopen):
    reopen().mark_started("a")
    assert reopen().was_started("a")
    assert reopen().outcome("a") is None
    reopen().mark_done("a", DONE)
    assert reopen().outcome("a") == DONE
    assert not reopen().was_started("b")


def test_what_is_forgotten_is_gone_and_may_be_forgotten_again(reopen):
    reopen().mark_started("a")
    reopen().mark_done("a", DONE)
    for _ in range(2):
        reopen().forget("a")
    assert reopen().outcome("a") is None
    assert not reopen().was_started("a")


def test_marking_again_changes_nothing_but_the_newest_outcome(reopen):
    for _ in range(2):
        reopen().mark_started("a")
        reopen().mark_done("a", DONE)
    other = Done(Ref(digest_bytes(b"other")))
    reopen().mark_done("a", other)
    assert reopen().outcome("a") == other


@pytest.mark.parametrize("key", ["", "../a", "a/b", "a" * 101, "a.b", "ä", "a\n"])
def test_a_key_never_becomes_a_path(tmp_path, key):
    spool = FileSpool(tmp_path)
    for use in (spool.mark_started, spool.was_started, spool.outcome, spool.forget):
        with pytest.raises(DataError, match="must be letters, digits"):
            use(key)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"[1", b"[]", b'["a", 1]', b"7"])
def test_a_damaged_outcome_is_named(tmp_path, content):
    (tmp_path / "a.done").write_bytes(content)
    with pytest.raises(CorruptError, match="must be readable"):
        FileSpool(tmp_path).outcome("a")


def test_a_killed_write_leaves_no_half_outcome(tmp_path):
    spool = FileSpool(tmp_path)
    spool.mark_started("a")
    (tmp_path / "a.done.tmp").write_text("[")
    assert spool.outcome("a") is None
    spool.mark_done("a", DONE)
    assert spool.outcome("a") == DONE
