import threading

import pytest

from services.controller.scheduler import Scheduler, Turn


class Work:
    """Campaigns that run until they are let go."""

    def __init__(self):
        self.began, self.told, self.gates = [], [], {}
        self.lock = threading.Lock()

    def turn(self, campaign):
        gate = self.gates[campaign] = threading.Event()

        def run():
            with self.lock:
                self.began.append(campaign)
            assert gate.wait(20)

        return Turn(run, gate.set)


@pytest.fixture
def work():
    return Work()


@pytest.fixture
def make(work):
    made = []

    def scheduler(most=2, turn_s=0.0):
        made.append(Scheduler(work.turn, most, turn_s, work.told.append))
        return made[-1]

    yield scheduler
    for each in made:
        each.close()
        for gate in work.gates.values():
            gate.set()
        assert each.wait(20)


def test_no_more_run_at_once_than_allowed_and_the_rest_come_in_order(make, work, eventually):
    scheduler = make(most=2)
    for name in "abcd":
        scheduler.wake(name)
    eventually(lambda: len(work.began) == 2)
    assert [scheduler.activity(name) for name in "abcde"] == ["driven", "driven", "queued", "queued", "idle"]
    work.gates["b"].set()
    eventually(lambda: len(work.began) == 3)
    assert work.began[2] == "c"
    assert scheduler.activity("b") == "idle"


def test_one_that_is_woken_while_it_runs_runs_again(make, work, eventually):
    scheduler = make()
    scheduler.wake("a")
    eventually(lambda: work.began == ["a"])
    scheduler.wake("a")
    scheduler.wake("a")
    work.gates["a"].set()
    eventually(lambda: work.began == ["a", "a"])
    work.gates["a"].set()
    eventually(lambda: scheduler.activity("a") == "idle")
    assert work.began == ["a", "a"]


def test_one_that_is_woken_twice_in_the_queue_runs_once(make, work, eventually):
    scheduler = make(most=1)
    for name in "abb":
        scheduler.wake(name)
    for name in "ab":
        eventually(lambda name=name: name in work.began)
        work.gates[name].set()
    eventually(lambda: scheduler.running() == [])
    assert work.began == ["a", "b"]


def test_whose_turn_is_over_makes_room_and_queues_again(make, work, eventually):
    scheduler = make(most=1)
    scheduler.wake("a")
    scheduler.wake("b")
    eventually(lambda: work.began == ["a"])
    scheduler.rotate()
    eventually(lambda: work.began == ["a", "b"])
    assert scheduler.activity("a") == "queued"


def test_nobody_makes_room_for_nobody(make, work, eventually):
    scheduler = make(most=1)
    scheduler.wake("a")
    eventually(lambda: work.began == ["a"])
    scheduler.rotate()
    assert not work.gates["a"].is_set()


def test_a_turn_is_not_over_before_its_time(make, work, eventually):
    scheduler = make(most=1, turn_s=1000.0)
    for name in "ab":
        scheduler.wake(name)
    eventually(lambda: work.began == ["a"])
    scheduler.rotate()
    assert not work.gates["a"].is_set()


def test_one_that_fails_makes_room_all_the_same(eventually, caplog):
    def run():
        raise RuntimeError("broken part")

    scheduler = Scheduler(lambda _: Turn(run, lambda: None), 1, 1.0, lambda _: None)
    scheduler.wake("a")
    scheduler.wake("b")
    assert scheduler.wait(20)
    eventually(lambda: scheduler.activity("b") == "idle")
    assert caplog.text.count("broken part") >= 2


def test_nothing_starts_once_it_is_closed(make, work, eventually):
    scheduler = make(most=1)
    for name in "ab":
        scheduler.wake(name)
    eventually(lambda: work.began == ["a"])
    scheduler.close()
    scheduler.wake("c")
    work.gates["a"].set()
    assert scheduler.wait(20)
    assert work.began == ["a"]


def test_every_change_is_told(make, work, eventually):
    scheduler = make()
    scheduler.wake("a")
    eventually(lambda: "a" in work.gates)
    work.gates["a"].set()
    eventually(lambda: work.told == ["a", "a"])
