"""A disk without room: refused cleanly, nothing lost, and the campaign ends the same once there is room."""

import ctypes
import errno
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import grpc
import pytest

from dataeff_al import events as ev
from dataeff_al.campaign.place import SPACE_NEEDED, Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.errors import NoRoomError, RecordError
from dataeff_al.rpc.failures import raised
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from dataeff_al.testing.logs import Story
from services.rpc.status import refusal

SMALL = 72 * 2**20
"""Bytes of a disk on which a campaign may begin, but not for long."""

CAMPAIGN = """
version: 1
name: cramped
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 5, test: 10}
initial: {random: 5}
learner: {kind: mlp, width: 8}
trainer: {kind: standard, steps: 3}
labeler: {kind: dataset}
sampler: {kind: random}
budget: {unit: label, total: 15, per_round: 5}
stop: {metric: accuracy, target: 0.999}
"""


@pytest.fixture
def disk(tmp_path):
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", str(folder).encode(), b"tmpfs", 0, f"size={SMALL}".encode()) != 0:
        pytest.skip(f"a tmpfs cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(str(folder).encode(), 2)


def _fill(folder: Path, leave: int = 0) -> Path:
    """A file that takes all room but some bytes."""
    ballast = folder / "ballast"
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free - leave)
    return ballast


def test_a_record_without_room_refuses_and_goes_on_when_there_is_some(disk):
    store = open_store(disk, writer=True)
    store.append("c", Story().begin(), 0, store.epoch)
    ballast = _fill(disk)
    big = [ev.Paused(cause="user", reason="x" * 200_000)]
    for _ in range(2):
        with pytest.raises(NoRoomError, match="must have room"):
            store.append("c", big, 2, store.epoch)
    assert [stored.n for stored in store.read("c")] == [1, 2]
    ballast.unlink()
    assert store.append("c", big, 2, store.epoch).n == 3
    story = Story()
    story.begin()
    blobs = FileBlobs(disk / "blobs")
    for content in story.blobs.values():
        blobs.put(content)
    assert fsck(store, blobs).ok
    store.close()


def test_blobs_without_room_refuse_and_go_on_when_there_is_some(disk):
    blobs = FileBlobs(disk / "blobs")
    kept = blobs.put(b"small")
    ballast = _fill(disk)
    content = b"x" * 200_000
    for _ in range(2):
        with pytest.raises(NoRoomError, match="must be written"):
            blobs.put(content)
    assert blobs.get(kept) == b"small"
    assert list((disk / "blobs" / "tmp").iterdir()) == [], "no draft stays behind"
    ballast.unlink()
    assert blobs.get(blobs.put(content)) == content


def _run(spec, place, store, observe=lambda _state, _events: None):
    with place.inline_hosts() as hosts:
        (state,) = Session(spec, spec.name, store, hosts, observe, obstacle=place.obstacle).run()
        report = fsck(store, hosts.blobs)
    assert report.ok, str(report)
    return state


def test_a_campaign_pauses_before_its_disk_is_full_and_ends_the_same_once_there_is_room(disk, tmp_path):
    spec = CampaignSpec.parse(CAMPAIGN, base_dir=tmp_path)
    with Place(tmp_path / "calm", tmp_path, None).store(spec.name) as store:
        wanted = _run(spec, Place(tmp_path / "calm", tmp_path, None), store)
    place, ballast = Place(disk, tmp_path, None), []

    def fill_in_the_middle(_state, events):
        if any(event.kind == "trained" for event in events) and not ballast:
            ballast.append(_fill(disk, SPACE_NEEDED - 2**20))

    with place.store(spec.name) as store:
        paused = _run(spec, place, store, fill_in_the_middle)
        assert (paused.status, paused.paused.cause) == ("paused", "infra")
        assert "free" in paused.paused.reason
        assert not paused.open, "nothing is leased that cannot be written down"
        ballast[0].unlink()
        state = _run(spec, place, store)
    assert (digests(state), state.accounts) == (digests(wanted), wanted.accounts)
    assert state.finished.outcome == wanted.finished.outcome


class _Refused(grpc.RpcError):
    """A call as a client sees it refused."""

    def __init__(self, found):
        self._found = found

    def code(self):
        return self._found.code

    def details(self):
        return self._found.text

    def trailing_metadata(self):
        return self._found.metadata


def test_no_room_travels_as_resource_exhausted_and_comes_back_as_itself():
    found = refusal(NoRoomError("a disk must have room, but got none."))
    assert found.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    back = raised(_Refused(found), "here")
    assert type(back) is NoRoomError
    assert str(back) == "a disk must have room, but got none."


SHIM = """
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
static int broken(void) { return access(getenv("BROKEN"), F_OK) == 0; }
int fsync(int fd) { if (broken()) { errno = EIO; return -1; } return 0; }
int fdatasync(int fd) { if (broken()) { errno = EIO; return -1; } return 0; }
"""

VICTIM = textwrap.dedent("""
    import os, sys
    from pathlib import Path
    from dataeff_al import events as ev
    from dataeff_al.errors import RecordError
    from dataeff_al.stores.open import open_store
    from dataeff_al.testing.logs import Story
    broken = Path(os.environ["BROKEN"])
    store = open_store(sys.argv[1], writer=True)
    store.append("c", Story().begin(), 0, store.epoch)
    broken.touch()
    for mended in (False, True):
        if mended: broken.unlink()
        try: store.append("c", [ev.Resumed()], 2, store.epoch)
        except RecordError as error: print(type(error).__name__, error)
    print(len(list(store.read("c"))))
    store.close()
    store = open_store(sys.argv[1], writer=True)
    print(store.append("c", [ev.Resumed()], len(list(store.read("c"))), store.epoch).n)
""")


def test_a_failed_fsync_of_the_record_is_final_and_never_tried_again(tmp_path):
    """The kernel may have dropped the pages and report success the second time."""
    source, shim = tmp_path / "shim.c", tmp_path / "shim.so"
    source.write_text(SHIM)
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", shim, source], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a C compiler is needed to make fsync fail: {error}")
    environment = {**os.environ, "LD_PRELOAD": str(shim), "BROKEN": str(tmp_path / "broken")}
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(tmp_path / "run")],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    first, second, seen, anew = done.stdout.splitlines()
    assert first.startswith("RecordError")
    assert "disk I/O error" in first
    assert "opened anew" in second
    assert seen in ("2", "3"), "nobody knows, until it is opened anew"
    assert anew in ("3", "4")


def test_room_that_only_fsync_misses_is_final(tmp_path, monkeypatch):
    blobs = FileBlobs(tmp_path)

    def fail(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RecordError) as refused:
        blobs.put(b"stress")
    assert not isinstance(refused.value, NoRoomError)
    monkeypatch.undo()
    with pytest.raises(RecordError, match="before"):
        blobs.put(b"stress")
