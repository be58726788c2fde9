import shutil
from pathlib import Path

import pytest

from dataeff_al import events as ev
from dataeff_al.campaign.recall import Recall
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import RECORD, open_store
from dataeff_al.stores.schema import HEAD
from dataeff_al.testing.logs import told_story

KEPT = sorted((Path(__file__).parent / "data").glob("schema_*.sqlite"))


def test_a_record_of_the_newest_schema_is_kept():
    assert f"schema_{HEAD}.sqlite" in [path.name for path in KEPT]


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_a_record_that_an_earlier_version_wrote_opens_and_goes_on(kept, tmp_path):
    shutil.copy(kept, tmp_path / RECORD)
    store = open_store(tmp_path, writer=True)
    end = sum(1 for _ in store.read("kept"))
    assert end > 20
    blobs = MemoryBlobs()
    for content in told_story()[0].blobs.values():
        blobs.put(content)
    assert fsck(store, blobs).ok
    assert store.append("kept", [ev.Extended(amount=1)], end, store.epoch).n == end + 1
    assert fsck(store, blobs).ok
    store.close()


@pytest.mark.parametrize("kept", KEPT, ids=lambda path: path.stem)
def test_a_record_that_an_earlier_version_wrote_can_be_looked_at_as_it_is(kept, tmp_path):
    shutil.copy(kept, tmp_path / RECORD)
    store = open_store(tmp_path, writer=False)
    assert store.snapshot("kept") is None
    assert store.about("kept").status == "cancelled"
    assert Recall(store).state("kept").cancelled
    assert Recall(store).outline("kept").cancelled
    store.close()
    assert (tmp_path / RECORD).read_bytes() == kept.read_bytes()
