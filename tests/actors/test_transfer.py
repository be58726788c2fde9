import os
import signal
import time
import uuid

import pytest
import ray

from dataeff_al.digests import Ref, digest_bytes
from dataeff_al.errors import CorruptError, DataeffError, NotFoundError, UnavailableError
from dataeff_al.labeling.types import Done, Times
from services.actors.answers import answer, named
from services.actors.keeping import Keeping
from services.actors.transfer import KeeperLine, TransferredBlobs, TransferredSpool

ABSENT = digest_bytes(b"nobody has this")


@pytest.fixture
def keeping(cluster, tmp_path):
    made = Keeping(f"test-{uuid.uuid4().hex}", tmp_path / "blobs", tmp_path / "spool", cluster.node)
    yield made
    made.close()


def test_blobs_and_spool_are_kept_on_the_drivers_disk(keeping, tmp_path):
    line = KeeperLine(keeping.name)
    blobs, spool = TransferredBlobs(line), TransferredSpool(line)
    ref = blobs.put(b"content")
    assert (tmp_path / "blobs" / ref[:2] / ref[2:]).read_bytes() == b"content"
    assert TransferredBlobs(line).get(ref) == b"content"
    assert blobs.has(ref)
    assert not blobs.has(ABSENT)
    with pytest.raises(NotFoundError, match="must be in the store"):
        blobs.get(ABSENT)
    done = Done(ref, Times(1.0, 2.0, 3.0))
    spool.mark_started("a1")
    spool.mark_done("a1", done)
    assert spool.was_started("a1")
    assert spool.outcome("a1") == done
    spool.forget("a1")
    assert spool.outcome("a1") is None
    assert not spool.was_started("a1")


def test_a_damaged_blob_is_never_handed_on(keeping, tmp_path):
    blobs = TransferredBlobs(KeeperLine(keeping.name))
    ref = TransferredBlobs(KeeperLine(keeping.name)).put(b"content")
    (tmp_path / "blobs" / ref[:2] / ref[2:]).write_bytes(b"c0ntent")
    with pytest.raises(CorruptError, match="must match its digest"):
        blobs.get(ref)


def test_a_killed_keeper_comes_back_and_nobody_notices(keeping):
    line = KeeperLine(keeping.name)
    blobs = TransferredBlobs(line, cache_bytes=0)
    ref = blobs.put(b"content")
    pid = line.ask("ping")
    os.kill(pid, signal.SIGKILL)
    assert blobs.get(ref) == b"content"
    assert line.ask("ping") != pid


def test_the_cache_is_bounded_and_moves_nothing_twice(keeping, tmp_path):
    blobs = TransferredBlobs(KeeperLine(keeping.name), cache_bytes=1000)
    refs = [blobs.put(bytes([number]) * 100) for number in range(20)]
    assert len(blobs._kept) == 10
    assert blobs._held == 1000
    large = blobs.put(b"x" * 900)
    assert large not in blobs._kept
    newest = refs[-1]
    (tmp_path / "blobs" / newest[:2] / newest[2:]).unlink()
    assert blobs.get(newest) == bytes([19]) * 100
    with pytest.raises(NotFoundError):
        blobs.get(Ref(ABSENT))


def test_without_a_keeper_every_wait_ends(cluster):
    with pytest.raises(UnavailableError, match="must be there"):
        KeeperLine("nobody", patience_s=0.5).ask("ping")


def test_a_silent_or_failing_actor_is_told_in_our_own_words(cluster):
    class Odd:
        def sleep(self):
            time.sleep(30)

        def refuse(self):
            raise DataeffError("it must be so, but got otherwise.")

        def die(self):
            os._exit(1)

    odd = ray.remote(Odd).options(num_cpus=0, max_concurrency=3).remote()
    with pytest.raises(DataeffError, match="it must be so"):
        answer(odd.refuse.remote(), 60)
    with pytest.raises(UnavailableError, match=r"within 0\.2 s"):
        answer(odd.sleep.remote(), 0.2)
    with pytest.raises(UnavailableError, match="must be alive"):
        answer(odd.die.remote(), 60)
    assert named("nobody") is None
