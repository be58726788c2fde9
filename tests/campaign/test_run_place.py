import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from dataeff_al.campaign.place import SPACE_NEEDED, Place
from dataeff_al.campaign.worker import _chosen
from dataeff_al.errors import ConflictError, DataError, LockedError
from dataeff_al.samplers.protocol import Proposal
from dataeff_al.samples.types import Sample, SampleId


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path / "deep" / "run", tmp_path, None)


def test_a_disk_that_is_nearly_full_is_an_obstacle_and_no_place_to_begin(place, monkeypatch):
    place.check()
    assert place.obstacle() == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=SPACE_NEEDED - 1))
    assert place.obstacle() == "the run folder's disk must have at least 64 MiB free, but got 63 MiB"
    with pytest.raises(DataError, match="at least 64 MiB free, but got 63 MiB"):
        place.check()


def test_a_place_is_held_by_one_and_belongs_to_one_campaign(place):
    from dataeff_al import events as ev

    spec = {"budget": {"total": 1}}
    with place.store("one") as store:
        store.append("one", [ev.Created(name="one", spec=spec, spec_digest="d")], 0, store.epoch)
        with pytest.raises(LockedError), place.store("one"):
            pass
    with pytest.raises(ConflictError, match="must hold the campaign 'two', but got 'one'"), place.store("two"):
        pass
    with place.store("one") as store:
        assert list(store.campaigns()) == ["one"]


class TestChoice:
    """What a sampler may hand over, whoever wrote it."""

    VIEW = SimpleNamespace(unlabelled=[SampleId("a"), SampleId("b"), SampleId("c")])

    def _choose(self, samples, n=2, view=VIEW, needs=()):
        proposals = [Proposal(sample) for sample in samples]
        sampler = SimpleNamespace(needs=frozenset(needs), propose=lambda *_: proposals)
        return [proposal.sample for proposal in _chosen(sampler, view, n, np.random.default_rng(0))]

    def test_no_more_is_taken_than_was_asked_for(self):
        assert self._choose(["c", "a", "b"]) == ["c", "a"]

    @pytest.mark.parametrize("samples", [["a", "a"], ["held-out"]])
    def test_a_sample_twice_or_one_that_is_not_free_is_refused(self, samples):
        with pytest.raises(DataError, match="must choose different samples that may still be asked for"):
            self._choose(samples)

    def test_an_empty_pool_is_asked_only_when_samples_are_invented(self):
        empty, invented = SimpleNamespace(unlabelled=[]), Sample(SampleId("new"), {}, "new")
        assert self._choose(["a"], view=empty) == []
        assert self._choose([invented], view=empty, needs=["synthesised"]) == [invented]
