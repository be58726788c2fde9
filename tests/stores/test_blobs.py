import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dataeff_al.blobs import put_all
from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import CorruptError, DataError, NotFoundError, RecordError
from dataeff_al.stores.blobs import FileBlobs, MemoryBlobs


def _path(folder, ref):
    return folder / ref[:2] / ref[2:]


def test_a_blob_lies_under_its_digest_and_no_draft_stays(tmp_path):
    blobs = FileBlobs(tmp_path)
    ref = blobs.put(b"stress")
    assert _path(tmp_path, ref).read_bytes() == b"stress"
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"stres", b"strest", b"stress and more"])
def test_a_damaged_blob_is_named_and_not_returned(tmp_path, damage):
    blobs = FileBlobs(tmp_path)
    ref = blobs.put(b"stress")
    _path(tmp_path, ref).write_bytes(damage)
    with pytest.raises(CorruptError, match=ref):
        blobs.get(ref)


def test_putting_a_damaged_blob_again_mends_it(tmp_path):
    blobs = FileBlobs(tmp_path)
    ref = blobs.put(b"stress")
    _path(tmp_path, ref).write_bytes(b"strest")
    assert blobs.put(b"stress") == ref
    assert blobs.get(ref) == b"stress"


def test_a_ref_never_becomes_a_path_outside(tmp_path):
    (tmp_path / "secret").write_text("s")
    blobs = FileBlobs(tmp_path / "blobs")
    for ref in ("../secret", "/etc/passwd", "ab/../../secret", "A" * 64, "0" * 63 + "\n"):
        assert not blobs.has(Ref(ref))
        with pytest.raises(NotFoundError):
            blobs.get(Ref(ref))


@pytest.mark.parametrize("make", [FileBlobs, lambda _, max_bytes: MemoryBlobs(max_bytes)])
def test_a_blob_has_a_largest_size(tmp_path, make):
    blobs = make(tmp_path, max_bytes=4)
    blobs.put(b"1234")
    with pytest.raises(DataError, match="at most 4 bytes"):
        blobs.put(b"12345")


def test_a_file_that_grew_past_the_bound_is_not_read(tmp_path):
    ref = FileBlobs(tmp_path).put(b"12345")
    with pytest.raises(CorruptError, match=ref):
        FileBlobs(tmp_path, max_bytes=4).get(ref)


def test_content_and_folders_are_synced_before_a_ref_is_given(tmp_path, monkeypatch):
    synced, sync = [], os.fsync

    def watch(handle):
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", watch)
    points = []
    monkeypatch.setattr("dataeff_al.stores.blobs.reached", lambda point: points.append((point, len(synced))))
    blobs = FileBlobs(tmp_path / "blobs")
    ref = blobs.put(b"stress")
    shard = str(_path(tmp_path / "blobs", ref).parent)
    assert [point for point, _ in points] == ["blob.before", "blob.written", "blob.renamed", "blob.durable"]
    draft = next(place for place in synced if "/tmp/" in place and place.startswith(str(tmp_path / "blobs")))
    assert synced.index(draft) < points[1][1]
    assert shard in synced[points[2][1] :]
    assert str(tmp_path) in synced
    assert str(tmp_path / "blobs") in synced


def test_a_failed_fsync_is_final(tmp_path, monkeypatch):
    blobs = FileBlobs(tmp_path)

    def fail(_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(RecordError, match="must be written"):
        blobs.put(b"stress")
    monkeypatch.undo()
    with pytest.raises(RecordError, match="before"):
        blobs.put(b"stress")
    assert not blobs.has(digest_bytes(b"stress"))


def test_a_full_disk_leaves_nothing_half_written(tmp_path):
    child = (
        "import resource, signal, sys; from pathlib import Path;"
        "from dataeff_al.stores.blobs import FileBlobs; from dataeff_al.errors import RecordError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); blobs = FileBlobs(Path(sys.argv[1]))\n"
        "try: blobs.put(b'x' * 5000)\n"
        "except RecordError as error: print(error)\n"
        "print(blobs.put(b'small'))"
    )
    done = subprocess.run([sys.executable, "-c", child, str(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    refusal, ref = done.stdout.splitlines()
    assert "File too large" in refusal
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [_path(tmp_path, ref)]


@pytest.mark.parametrize("point", ["blob.written", "blob.renamed", "blob.durable"])
def test_a_kill_while_writing_harms_nothing(tmp_path, point):
    child = (
        "import sys; from pathlib import Path; from dataeff_al import failpoints\n"
        "from dataeff_al.stores.blobs import FileBlobs\n"
        "failpoints.arm(sys.argv[2] + '=kill'); FileBlobs(Path(sys.argv[1])).put(b'stress')"
    )
    done = subprocess.run([sys.executable, "-c", child, str(tmp_path), point], timeout=60)
    assert done.returncode == -9
    blobs, ref = FileBlobs(tmp_path), digest_bytes(b"stress")
    assert blobs.has(ref) == (point != "blob.written")
    if blobs.has(ref):
        assert blobs.get(ref) == b"stress"
    assert blobs.put(b"stress") == ref
    assert blobs.get(ref) == b"stress"


def test_only_old_drafts_are_swept(tmp_path):
    blobs = FileBlobs(tmp_path)
    blobs.put(b"stress")
    old, new = tmp_path / "tmp" / "old", tmp_path / "tmp" / "new"
    for draft in (old, new):
        draft.write_bytes(b"half")
    day_ago = time.time() - 90_000
    os.utime(old, (day_ago, day_ago))
    assert blobs.sweep() == 1
    assert (old.exists(), new.exists()) == (False, True)


def test_threads_may_put_the_same_blob_at_once(tmp_path):
    blobs, refs = FileBlobs(tmp_path), []
    threads = [threading.Thread(target=lambda: refs.append(blobs.put(b"stress" * 1000))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert refs == [digest_bytes(b"stress" * 1000)] * 8
    assert blobs.get(refs[0]) == b"stress" * 1000


@pytest.mark.parametrize("number", [0, 3, 200])
def test_many_are_kept_at_once_in_their_order(tmp_path, number):
    contents = [b"%d" % (row % 150) for row in range(number)]
    blobs = FileBlobs(tmp_path)
    refs = put_all(blobs, contents)
    assert [blobs.get(ref) for ref in refs] == contents
    assert not list((tmp_path / "tmp").glob("*"))
