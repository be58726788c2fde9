import pytest

from dataeff_al import events as ev
from dataeff_al.campaign.timeline import timeline
from dataeff_al.stores.protocol import StoredEvent


class Log:
    """Events at times, told as they would be stored."""

    def __init__(self):
        self.stored, self.now, self.epoch = [], 100.0, 1

    def at(self, later_s, event):
        self.now += later_s
        self.stored.append(StoredEvent("c", len(self.stored) + 1, self.epoch, self.now, event))
        return self

    def round(self):
        return timeline(self.stored).rounds[0]


def _created():
    return ev.Created(name="c", spec={"budget": {"total": 9}}, spec_digest="d")


def _pool(seconds):
    return ev.PoolPrepared(
        key="k", splits="s", pool_digest="p", holdout_digest="h", candidates=1, evaluation_budget=1, seconds=seconds
    )


def _proposed(seconds):
    return ev.Proposed(key="k", round=0, purpose="initial", queries=(), max_cost=1, seconds=seconds)


def _told():
    return ev.Told(attempt="a", query="q", label=ev.LabelRecord(label="l", cost=1))


def _trained(seconds, role="main"):
    return ev.Trained(key="k", round=0, role=role, model="m", labels=1, steps=1, loss=0.0, seconds=seconds)


def _evaluated(seconds, role="main"):
    return ev.Evaluated(key="k", round=0, role=role, labels=1, validation={}, test={}, seconds=seconds)


LEASED = ev.Leased(attempts=())


@pytest.fixture
def begun():
    return Log().at(0, _created()).at(5, _pool(4)).at(3, _proposed(2)).at(1, LEASED)


def test_every_second_of_a_round_is_in_one_phase(begun):
    found = begun.at(10, _told()).at(7, _trained(6)).at(3, _evaluated(2)).round()
    assert found.as_dict() == {"propose": 2, "label": 10, "train": 6, "evaluate": 2, "own": 5}
    assert timeline(begun.stored).pool_s == 4
    assert timeline(begun.stored).wall_s == 29


def test_a_pause_is_nobodys_time(begun):
    begun.at(2, ev.Paused(cause="user", reason="r")).at(5000, ev.Resumed()).at(8, _told())
    found = begun.at(7, _trained(7)).at(2, _evaluated(2)).round()
    assert (found.label, found.own) == (10, 3)


def test_the_time_between_a_kill_and_the_next_run_is_nobodys(begun):
    begun.at(2, _told())
    begun.epoch = 2
    begun.at(9000, LEASED).at(8, _told())
    found = begun.at(7, _trained(7)).at(2, _evaluated(2)).round()
    assert found.label == 10
    assert timeline(begun.stored).wall_s == 28


def test_a_twin_that_waits_for_its_turn_spends_no_time():
    twin = Log().at(0, _created()).at(0, _pool(0)).at(0, ev.Inherited(labels=()))
    found = twin.at(300, _trained(70)).at(3, _evaluated(2)).round()
    assert found.as_dict() == {"propose": 0, "label": 0, "train": 70, "evaluate": 2, "own": 1}
    assert timeline(twin.stored).wall_s == 73


def test_a_reference_is_no_part_of_a_round(begun):
    begun.at(1, _told()).at(1, _trained(1)).at(1, _evaluated(1)).at(50, _trained(50, "reference"))
    before = begun.round().as_dict()
    begun.at(5, _evaluated(5, "reference"))
    assert begun.round().as_dict() == before
    assert set(timeline(begun.stored).rounds) == {0}


def test_work_that_overlaps_leaves_no_negative_rest(begun):
    fitted = ev.GeneratorFitted(key="k", generator="g", latents="l", error=0, mean_error=0, seconds=9)
    found = begun.at(9, fitted).at(1, _told()).at(1, _trained(1)).at(1, _evaluated(1)).round()
    assert found.own >= 0
    assert timeline(begun.stored).generator_s == 9
