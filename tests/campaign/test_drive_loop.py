"""The driver over a real record, real blobs and a real labeler's host; only the worker's arithmetic is made up."""

import json
import threading
import time
from collections import Counter
from concurrent.futures import Future
from unittest.mock import Mock

import numpy as np
import pytest

from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.drive import Driver
from dataeff_al.campaign.hosts import StepResult
from dataeff_al.campaign.inbox import Asked, Inbox, LabelNews
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.state import AttemptStatus, QueryStatus
from dataeff_al.digests import canonical_json, digest_bytes, digest_json
from dataeff_al.errors import StateError, UnavailableError
from dataeff_al.labeling.packing import pack_outcome, pack_request
from dataeff_al.labeling.spool import FileSpool, MemorySpool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import Done, Label, LabelerInfo, LabelFailure, Request, Unknown
from dataeff_al.samples.types import Sample, SampleId, TargetSpec
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryRecord, MemoryStore


class Worker:
    """Ends every step at once; ``fate(method)`` may return an exception or changed results instead."""

    def __init__(self, blobs, made):
        self.blobs, self.made, self.calls = blobs, made, Counter()
        self.fate = lambda method: {}
        self.refuses = None
        self.holds, self.held = None, []

    def call(self, method, ref):
        self.calls[method] += 1
        if self.refuses:
            raise self.refuses
        task, future = json.loads(self.blobs.get(ref)), Future()
        fate = self.fate(method)
        if isinstance(fate, Exception):
            future.set_exception(fate)
        else:
            result = StepResult(self.blobs.put(canonical_json(self.result(method, task) | fate)), 0.1)
            if self.holds and self.holds in (method, task.get("purpose")):
                self.held.append((future, result))
            else:
                future.set_result(result)
        return future

    def let_go(self):
        """What was held back ends now."""
        held, self.held, self.holds = self.held, [], None
        for future, result in held:
            future.set_result(result)

    def result(self, method, task):
        if method == "prepare_pool":
            return {
                "splits": self.blobs.put(b"splits"), "pool_digest": "p", "holdout_digest": "h", "candidates": 90,
                "evaluation_budget": 5 * task["max_cost"],
            }  # fmt: skip
        if method == "propose":
            return {"queries": [self.made(task, k) for k in range(task["n"])][: task.get("most")]}
        if method == "train":
            model = self.blobs.put(canonical_json(["model", task["labelled"]]))
            return {"model": model, "labels": len(task["labelled"]), "steps": 1, "loss": 0.5}
        return {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.5}}


class Toy:
    """Counts its invoices by sample and by key; ``answer`` misbehaves as told."""

    def __init__(self, effect="keyed", **changes):
        target = TargetSpec("label", "class", (), ("a", "b"))
        self.info = LabelerInfo(name="toy", version="1", target=target, effect=effect, **changes)
        self.keys, self.samples = Counter(), Counter()
        self.answer = lambda request: Label({"label": np.int64(1)})

    def label(self, batch):
        self.keys.update(request.key for request in batch)
        self.samples.update(request.sample.id for request in batch)
        return [self.answer(request) for request in batch]


class Life:
    """One life of a driver over what outlives it."""

    def __init__(self, bench, clock=time.time):
        self.store = MemoryStore(bench.record)
        created = bench.paper.log[0]
        self.ledger = Ledger.create(self.store, "tiny", [created], clock)
        self.worker = Worker(bench.blobs, bench.made)
        self.inbox, self.stop = Inbox(), threading.Event()
        spool = MemorySpool() if bench.toy.info.effect == "pure" else FileSpool(bench.folder)
        self.host = Spooled(bench.toy, bench.blobs, spool, on_done=lambda a: self.inbox.put(LabelNews(a)))
        self.events, self.on_event = [], lambda event: None
        self.driver = Driver(
            self.ledger, bench.blobs, self.worker, self.host, self.inbox, lambda *_: None, self._see, self.stop
        )

    def _see(self, _, events):
        self.events.extend(events)
        for event in events:
            self.on_event(event)

    @property
    def state(self):
        return self.ledger.state

    def run(self):
        return self.driver.run()

    def end(self):
        self.store.close()


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def bench(paper, tmp_path):
    """Makes a bench: ``bench("budget.total=9", effect="blind")``; every life of it must leave a sound record."""
    made = []

    class Bench:
        def __init__(self, *settings, effect="keyed", max_cost=1, **changes):
            self.paper = paper(*settings, max_cost=max_cost)
            self.record, self.blobs, self.folder = MemoryRecord(), MemoryBlobs(), tmp_path / "spool"
            self.toy = Toy(effect, max_cost=max_cost, **changes)
            made.append(self)

        def made(self, task, k):
            name = f"{task['purpose']}-{task['round']}-{k}"
            sample = Sample(SampleId(name), {"x": np.zeros((1, 2, 2), np.float32)}, name)
            return {
                "payload": name,
                "request": self.blobs.put(pack_request(Request("", sample))),
                "content": digest_json(name),
            }

        def life(self, **options):
            return Life(self, **options)

        def killed_at(self, wanted):
            """A life that ends where ``wanted(event)`` first holds."""
            life = self.life()

            def kill(event):
                if wanted(event):
                    raise Killed

            life.on_event = kill
            with pytest.raises(Killed):
                life.run()
            life.end()
            # The thread of a process that is gone is gone, too; this one ends after the call that it is in.
            life.host.cancel(list(life.state.attempts))
            until = time.monotonic() + 30
            while life.host._thread and time.monotonic() < until:
                time.sleep(0.001)
            return life

    yield Bench
    for one in made:
        store = MemoryStore(one.record)
        report = fsck(store, one.blobs)
        store.close()
        assert report.ok, str(report)


def _digest(state):
    asked = [(q.purpose, q.round, q.slot, q.content, q.label, q.status) for q in state.of("initial", "acquire")]
    return asked, {key: event.model for key, event in state.trained.items()}


def test_a_campaign_goes_to_its_end_and_pays_for_every_label_once(bench):
    one = bench()
    life = one.life()
    state = life.run()
    life.end()
    assert state.finished.outcome == "exhausted"
    assert set(one.toy.samples.values()) == set(one.toy.keys.values()) == {1}
    assert len(one.toy.keys) == 15
    assert state.accounts["queries"].spent == 10
    assert not list(one.folder.iterdir())


@pytest.mark.parametrize("effect", ["pure", "keyed", "blind"])
@pytest.mark.parametrize("kind", ["proposed", "leased", "told", "trained", "evaluated"])
def test_a_campaign_killed_after_an_event_ends_like_one_that_was_not(bench, effect, kind):
    undisturbed = bench(effect=effect).life()
    wanted = _digest(undisturbed.run())
    undisturbed.end()
    one = bench(effect=effect)
    one.folder = one.folder.with_name("other")
    seen = Counter()

    def third(event):
        seen[event.kind] += 1
        return event.kind == kind and seen[kind] == 3

    one.killed_at(third)
    life = one.life()
    state = life.run()
    life.end()
    assert _digest(state) == wanted
    assert effect == "pure" or set(one.toy.samples.values()) == {1}


class TestRecovery:
    """A process that died after it had leased, at every point of the labeler's host."""

    def _leased(self, bench, effect, *settings):
        one = bench(*settings, effect=effect, timeout_s=30.0)
        one.killed_at(lambda event: event.kind == "leased")
        store = MemoryStore(one.record)
        attempts = list(Ledger(store, "tiny").state.open)
        store.close()
        return one, attempts

    @pytest.mark.parametrize("effect", ["keyed", "blind", "queryable"])
    @pytest.mark.parametrize("later_s", [0, 10_000])
    def test_what_was_never_begun_is_begun_under_the_same_attempt(self, bench, effect, later_s):
        one, attempts = self._leased(bench, effect)
        life = one.life(clock=lambda: time.time() + later_s)
        state = life.run()
        life.end()
        assert state.finished
        assert set(attempts) < set(one.toy.keys)
        assert set(one.toy.samples.values()) == {1}

    @pytest.mark.parametrize("later_s", [0, 10_000])
    def test_a_keyed_attempt_that_was_begun_goes_on_under_its_own_key(self, bench, later_s):
        one, attempts = self._leased(bench, "keyed")
        for attempt in attempts:
            FileSpool(one.folder).mark_started(attempt)
        life = one.life(clock=lambda: time.time() + later_s)
        state = life.run()
        life.end()
        assert state.finished
        assert set(one.toy.samples.values()) == {1}
        assert all(one.toy.keys[attempt] == 1 for attempt in attempts)

    @pytest.mark.parametrize("later_s", [0, 10_000])
    @pytest.mark.parametrize("effect", ["blind", "queryable"])
    def test_an_attempt_that_nobody_can_judge_waits_for_a_person(self, bench, later_s, effect):
        one, attempts = self._leased(bench, effect)
        FileSpool(one.folder).mark_started(attempts[0])
        life = one.life(clock=lambda: time.time() + later_s)
        state = life.run()
        assert state.attempts[attempts[0]].status is AttemptStatus.UNKNOWN
        assert attempts[0] not in one.toy.keys
        assert state.paused.cause == "infra"
        assert "an attempt at the labeler" in state.paused.reason
        life.ledger.execute_all([cmd.Settle(attempts[0], "wasted"), cmd.Resume()])
        assert life.run().finished
        life.end()
        assert set(one.toy.samples.values()) == {1}
        assert life.state.accounts["queries"].wasted + life.state.accounts["evaluation"].wasted == 1

    @pytest.mark.parametrize("later_s", [0, 10_000])
    @pytest.mark.parametrize("effect", ["keyed", "blind"])
    def test_answers_that_wait_in_the_spool_are_written_and_not_bought_again(self, bench, later_s, effect):
        one, attempts = self._leased(bench, effect)
        blobs, spool = one.blobs, FileSpool(one.folder)
        first = Spooled(one.toy, blobs, spool)
        store = MemoryStore(one.record)
        state = Ledger(store, "tiny").state
        store.close()
        for attempt in attempts:
            first.start(attempt, state.queries[state.attempts[attempt].query].request)
        until = time.monotonic() + 30
        while any(spool.outcome(attempt) is None for attempt in attempts) and time.monotonic() < until:
            time.sleep(0.005)
        life = one.life(clock=lambda: time.time() + later_s)
        state = life.run()
        life.end()
        assert state.finished
        assert set(one.toy.keys.values()) == {1}
        assert set(one.toy.samples.values()) == {1}


class TestWhatLiesAtTheHost:
    """Attempts that are over in the record, and of which the host of an earlier life still keeps something."""

    def test_what_the_record_has_is_forgotten(self, bench):
        one = bench()
        one.killed_at(lambda event: event.kind == "told")
        assert FileSpool(one.folder).kept()
        life = one.life()
        life.run()
        life.end()
        assert FileSpool(one.folder).kept() == []
        assert set(one.toy.keys.values()) == {1}

    def test_a_mark_without_an_outcome_is_forgotten_too(self, bench):
        one = bench()
        one.killed_at(lambda event: event.kind == "trained")
        life = one.life()
        over = next(key for key, attempt in life.state.attempts.items() if attempt.status is AttemptStatus.DONE)
        FileSpool(one.folder).mark_started(over)
        life.run()
        life.end()
        assert FileSpool(one.folder).kept() == []

    def test_a_late_answer_is_heard(self, bench):
        one = bench()
        one.killed_at(lambda event: event.kind == "leased")
        life = one.life()
        late = next(key for key in life.state.open if life.host.poll([key])[key] == Unknown(started=False))
        life.ledger.execute(cmd.Fail(late, "timeout", "no answer"))
        answer = pack_outcome(Label({"label": np.int64(1)}))
        FileSpool(one.folder).mark_done(late, Done(one.blobs.put(answer)))
        state = life.run()
        life.end()
        assert state.attempts[late].status is AttemptStatus.DONE
        assert state.queries[state.attempts[late].query].label == digest_bytes(answer)
        assert late not in one.toy.keys
        assert FileSpool(one.folder).kept() == []

    def test_what_belongs_to_another_campaign_is_left_alone(self, bench):
        one = bench()
        life = one.life()
        FileSpool(one.folder).mark_started("another-campaigns")
        life.run()
        life.end()
        assert FileSpool(one.folder).kept() == ["another-campaigns"]


class TestSteps:
    def test_a_lost_worker_is_asked_again(self, bench):
        life = bench().life()
        fates = {"prepare_pool": 2, "train": 1, "evaluate": 2}
        left = Counter(fates)

        def fate(method):
            left[method] -= 1
            return ConnectionError("worker lost") if left[method] >= 0 else {}

        life.worker.fate = fate
        state = life.run()
        life.end()
        assert state.finished
        assert life.worker.calls["prepare_pool"] == 3

    def test_a_worker_that_is_lost_three_times_stops_the_campaign_with_the_reason(self, bench):
        life = bench().life()
        life.worker.fate = lambda method: ConnectionError("worker lost") if method == "train" else {}
        state = life.run()
        assert life.worker.calls["train"] == 3
        assert state.paused.reason == "train failed 3 times, at last: train failed with ConnectionError('worker lost')"
        life.worker.fate = lambda method: {}
        life.ledger.execute(cmd.Resume())
        assert life.run().finished
        life.end()

    def test_a_host_that_cannot_even_begin_stops_the_campaign(self, bench):
        life = bench().life()
        life.worker.refuses = RuntimeError("no cluster")
        assert "prepare_pool failed with RuntimeError('no cluster')" in life.run().paused.reason
        life.end()

    def test_a_labelers_host_that_is_gone_pauses_the_campaign_and_nothing_was_begun(self, bench):
        bench = bench()
        life, refusal = bench.life(), UnavailableError("the cluster must go on, but got its end.")
        take_on, life.host.start = life.host.start, Mock(side_effect=refusal)
        state = life.run()
        assert (state.paused.cause, state.paused.reason) == ("infra", "the cluster must go on, but got its end")
        assert not bench.toy.keys
        life.host.start = take_on
        life.ledger.execute(cmd.Resume())
        assert life.run().finished
        assert set(bench.toy.keys.values()) == {1}
        life.end()

    def test_a_result_that_cannot_be_written_down_stops_the_campaign_with_a_sentence(self, bench):
        life = bench().life()
        life.worker.fate = lambda method: {"steps": "many"} if method == "train" else {}
        state = life.run()
        assert state.paused.cause == "error"
        assert state.paused.reason.startswith("train must end with a result that can be written down, but got steps")
        life.end()

    def test_a_proposal_that_the_budget_no_longer_pays_for_stops_the_campaign(self, bench):
        one = bench("budget.total=4", "initial.random=4", "budget.per_round=4", "budget.total=8")
        life = one.life()
        nine = [one.made({"purpose": "initial", "round": 0}, k) for k in range(9)]
        third = lambda method: method == "propose" and life.worker.calls["propose"] == 3  # noqa: E731
        life.worker.fate = lambda method: {"queries": nine} if third(method) else {}
        state = life.run()
        assert "must stay within 8" in state.paused.reason
        life.end()

    def test_a_proposal_for_which_the_money_was_wasted_meanwhile_is_made_anew(self, bench):
        one = bench("evaluation.validation=1", "evaluation.test=5", "stop.target=null", effect="pure")
        good, refused = Label({"label": np.int64(0)}), LabelFailure("blurred", "refused", 1)
        one.toy.answer = lambda r: refused if r.sample.id.startswith("validation") else good
        life = one.life()
        life.worker.holds = "test"
        life.on_event = lambda event: life.worker.let_go() if event.kind == "attempt_failed" else None
        state = life.run()
        life.end()
        assert state.finished
        account = state.accounts["evaluation"]
        assert (account.total, account.spent, account.wasted) == (5, 4, 1)

    def test_a_model_that_was_at_work_when_the_campaign_was_cancelled_is_kept(self, bench):
        life = bench().life()
        life.worker.holds = "train"
        asked, trained = Asked(cmd.Cancel()), life.worker.result

        def training(method, task):
            if method == "train":
                life.inbox.put(asked)
            return trained(method, task)

        life.worker.result = training
        thread = threading.Thread(target=life.run)
        thread.start()
        asked.reply.result(30)
        time.sleep(0.05)
        life.worker.let_go()
        thread.join(30)
        life.end()
        assert life.state.cancelled
        assert ("main", 0) in life.state.trained


class TestLabeler:
    def test_failures_are_repeated_and_others_go_on(self, bench):
        one = bench(effect="pure")
        bad = {"initial-0-1"}
        good, failed = Label({"label": np.int64(0)}), LabelFailure("NaN", "bad_label")
        one.toy.answer = lambda r: failed if r.sample.id in bad else good
        life = one.life()
        state = life.run()
        life.end()
        assert state.finished
        (query,) = [q for q in state.queries.values() if q.status is QueryStatus.DEAD_LETTER]
        assert (query.payload, query.attempts, query.reason) == ("initial-0-1", 3, "NaN")
        assert one.toy.samples["initial-0-1"] == 3

    def test_a_labeler_that_is_down_pauses_the_campaign(self, bench):
        one = bench(effect="pure")

        def down(request):
            raise OSError("no route")

        one.toy.answer = down
        life = one.life()
        state = life.run()
        assert state.paused.cause == "infra"
        assert "no route" in state.paused.reason
        one.toy.answer = lambda r: Label({"label": np.int64(0)})
        life.ledger.execute(cmd.Resume())
        assert life.run().finished
        life.end()

    def test_a_blind_labeler_that_raises_is_not_called_twice_for_one_query(self, bench):
        one = bench(effect="blind")

        def down(request):
            raise OSError("reset")

        one.toy.answer = down
        life = one.life()
        state = life.run()
        life.end()
        assert state.unknown == len(state.live) > 0
        assert set(one.toy.samples.values()) == {1}
        assert "reset" in state.paused.reason

    def test_refused_first_labels_stop_the_campaign(self, bench):
        one = bench(effect="pure")
        one.toy.answer = lambda r: LabelFailure("no wall")
        life = one.life()
        assert life.run().paused.reason.endswith("got none: no wall")
        life.end()


class TestStopping:
    def _busy(self, bench, *settings, **options):
        """A life whose labeler is inside its first call while the others wait."""
        one = bench(*settings, **options)
        entered, opened = threading.Event(), threading.Event()

        def answer(request):
            entered.set()
            assert opened.wait(30)
            return Label({"label": np.int64(0)})

        one.toy.answer = answer
        life = one.life()
        thread = threading.Thread(target=life.run)
        thread.start()
        assert entered.wait(30)
        return one, life, thread, opened

    def _wait_for(self, condition):
        until = time.monotonic() + 30
        while not condition() and time.monotonic() < until:
            time.sleep(0.005)
        assert condition()

    def test_a_stop_waits_for_what_is_at_work_and_takes_the_rest_back(self, bench):
        one, life, thread, opened = self._busy(bench, effect="blind")
        self._wait_for(lambda: len(life.state.open) > 1)
        life.stop.set()
        life.inbox.wake()
        self._wait_for(lambda: life.driver._taken_back)
        opened.set()
        thread.join(30)
        assert not thread.is_alive()
        assert len(one.toy.keys) == 1
        assert len(life.state.open) > 0
        life.end()
        again = one.life()
        assert again.run().finished
        again.end()
        assert set(one.toy.samples.values()) == {1}

    def test_a_cancellation_begins_nothing_more_and_takes_what_is_at_work(self, bench):
        one, life, thread, opened = self._busy(bench, effect="blind")
        self._wait_for(lambda: len(life.state.open) > 1)
        asked = Asked(cmd.Cancel())
        life.inbox.put(asked)
        asked.reply.result(30)
        self._wait_for(lambda: len(life.state.open) == 1)
        opened.set()
        thread.join(30)
        life.end()
        assert life.state.cancelled
        assert len(one.toy.keys) == 1
        assert sum(q.status is QueryStatus.LABELLED for q in life.state.queries.values()) == 1
        assert all(account.reserved == 0 for account in life.state.accounts.values())

    def test_what_a_quorum_leaves_behind_is_never_begun(self, bench):
        one = bench("round={close: quorum, quorum: 1}", "evaluation.validation=1", "evaluation.test=1", effect="blind")
        entered, opened = threading.Event(), threading.Event()

        def answer(request):
            if request.sample.id == "initial-0-1":
                entered.set()
                assert opened.wait(30)
            return Label({"label": np.int64(0)})

        one.toy.answer = answer
        life = one.life()
        life.on_event = lambda event: opened.set() if event.kind == "attempt_failed" else None
        state = life.run()
        life.end()
        assert state.finished
        cancelled = {q.payload for q in state.queries.values() if q.status is QueryStatus.CANCELLED}
        begun = set(one.toy.samples)
        assert cancelled
        assert state.extra == len(cancelled & begun)
        assert set(one.toy.samples.values()) == {1}

    def test_somebody_outside_gets_an_answer_or_the_refusal(self, bench):
        life = bench().life()
        good, bad = Asked(cmd.Extend(2)), Asked(cmd.Resume())
        worse = Asked(cmd.ConfirmCancel())
        for asked in (good, bad, worse):
            life.inbox.put(asked)
        life.run()
        life.end()
        assert [event.kind for event in good.reply.result(1)] == ["extended"]
        assert list(bad.reply.result(1)) == []
        assert life.state.accounts["queries"].total == 12

    def test_a_refusal_reaches_whoever_asked(self, bench):
        life = bench().life()
        life.run()
        asked = Asked(cmd.Cancel())
        life.driver._hear([asked])
        life.end()
        with pytest.raises(StateError, match="only an unfinished campaign"):
            asked.reply.result(1)

    def test_an_obstacle_pauses_before_anything_is_leased(self, bench):
        life = bench().life()
        life.driver.obstacle = lambda: "the disk is nearly full" if life.state.pool else ""
        state = life.run()
        assert (state.paused.cause, state.paused.reason) == ("infra", "the disk is nearly full")
        assert not state.attempts
        life.driver.obstacle = lambda: ""
        life.ledger.execute(cmd.Resume())
        assert life.run().finished
        life.end()
