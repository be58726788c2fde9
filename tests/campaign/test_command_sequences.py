"""Random sequences of commands on real records, held against a model that knows neither events nor the code's rules.

After every command the state, the stored rows and every new event are held against the model and against I1 to I9.
``DATAEFF_SEQUENCES`` says how many sequences are run: 500 without it, always the same ones; with it they are random,
under the seed that is printed (``DATAEFF_SEED`` repeats it). The last line of the output counts them as JSON.
"""

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from dataeff_al import events as ev
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.launch import twin_events
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.recall import Recall
from dataeff_al.digests import digest_json
from dataeff_al.errors import BudgetError, ConflictError, StateError
from dataeff_al.labeling.types import LabelerInfo
from dataeff_al.samples.types import TargetSpec
from dataeff_al.stores.blobs import MemoryBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.memory import MemoryRecord, MemoryStore
from dataeff_al.stores.open import open_store
from dataeff_al.stores.protocol import RequestKey

DATA = Path(__file__).parent / "data"


def _beside(name):
    """A module of the folder of data."""
    found = importlib.util.spec_from_file_location(name, DATA / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


Model, Place = _beside("command_model").Model, _beside("command_place").Place
MOST, LEASE_S, LIVE, OPEN = 3, 10.0, ("proposed", "leased", "outcome_unknown"), ("granted", "running")
INITIAL, EVALUATION = 3, 12
INFO = LabelerInfo("toy", "1", TargetSpec("label", "class", (), ("a", "b")), "keyed", max_cost=MOST, timeout_s=LEASE_S)
ANY = ("granted", "running", "done", "failed", "expired", "unknown", "extra")
TWIN = ("initial.random=3", "generator={kind: pca, latent_dim: 2}", "compare=[{sampler: {kind: margin}}]")
COSTS = (0, 1, 2, 3, 3, 5)
STEPS = 30


class Sequence(RuleBasedStateMachine):
    """Everybody at once: workers, labelers that answer late or twice, operators, and a process that dies."""

    paper: type
    papers: ClassVar = {}
    count = 0

    @initialize(total=st.integers(INITIAL * MOST, 30))
    def create(self, total):
        type(self).count += 1
        self.now, self.requests, self.blobs, self.total = 1000.0, [], MemoryBlobs(), total
        self.new_record()
        self._open()
        if total not in self.papers:
            self.papers[total] = self.paper(f"budget.total={total}", *TWIN, max_cost=MOST, lease_s=LEASE_S)
        self.spec, self.places = self.papers[total].spec, []
        main = Ledger.create(self.store, "main", self.papers[total].log, self._clock, recall=self.recall)
        self.places = [Place(main, Model(total, EVALUATION), self.blobs)]
        pool = {"splits": self.blobs.put(b"splits"), "pool_digest": "p", "holdout_digest": "h", "candidates": 99}
        main.execute(cmd.StepDone("pool", "prepare_pool", {}, pool | {"evaluation_budget": EVALUATION}, 0.5))
        self.places[0].compare(self.store)
        for purpose, purse in (("initial", "queries"), ("validation", "evaluation")):
            self._propose(self.places[0], purpose, 0, INITIAL, purse)

    def _open(self):
        """Snapshots come far more often than in a real run, so that every reopening starts from one."""
        self.store = self.opened()
        self.recall = Recall(self.store, every=15)

    def _clock(self):
        return self.now

    def _do(self, place, command, expect):
        """A command is refused where the model's is, and leads where the model's leads; every other one is named."""
        number = len(self.requests)
        request = RequestKey(f"r{number}", f"d{number}") if number % 2 else None
        n, events, refused, wanted = place.ledger.state.n, (), None, None
        try:
            if number % 3:
                events = place.ledger.execute(command, request)
            else:
                events = _unwrapped(place.ledger.execute_each([(command, request)]))
        except (StateError, BudgetError) as error:
            refused = type(error)
        try:
            expect(events)
        except (StateError, BudgetError) as error:
            wanted = type(error)
        assert refused is wanted, (command, refused, wanted)
        assert place.ledger.state.n == n + len(events)
        if refused is None:
            self.requests.append((place.id, command, request))
        place.compare(self.store)

    def _blob(self, text):
        return self.blobs.put(str(text).encode())

    @rule(data=st.data(), which=st.integers(0, 1))
    def anything(self, data, which):
        place = self.places[min(which, len(self.places) - 1)]
        weights = {name: weight for name, (weight, may) in ACTS.items() if may(self, place)}
        name = data.draw(st.sampled_from([name for name, weight in weights.items() for _ in range(weight)]), "act")
        getattr(self, name)(place, lambda *choice: data.draw(st.sampled_from(choice)))

    def _one(self, place, draw, *statuses):
        """An attempt or a query; now and then one that the command does not fit."""
        return draw(*(place.model.ones(*statuses) or place.model.ones(*ANY)))

    def propose(self, place, draw):
        """A round is asked for once; asked for again, nothing more is bought."""
        purpose, n, again = (
            draw("acquire", "acquire", "validation", "test", "initial"),
            draw(0, 1, 2, 3, 4),
            draw(0, 1, 1),
        )
        purse = "queries" if purpose in ("acquire", "initial") else "evaluation"
        number = again + sum(key[0] == purpose for key in place.model.done) if purpose == "acquire" else 0
        self._propose(place, purpose, number, min(n, INITIAL) if purpose == "initial" else n, purse)

    def _propose(self, place, purpose, number, n, purse):
        task = {"purpose": purpose, "round": number}
        rows = [self._row(place.id, purpose, number, k) for k in range(n)]
        done = cmd.StepDone(digest_json(task), "propose", task, {"queries": rows}, 0.5)
        self._do(place, done, lambda events: place.model.propose((purpose, number), n, purse, _asked(events)))

    def _row(self, *where):
        return {"payload": "-".join(map(str, where)), "request": self._blob(where), "content": digest_json(where)}

    def lease(self, place, draw):
        waiting, count = place.model.ones("proposed", *draw([], [], [], ["leased"])), draw(1, 2, 3)
        some = tuple(dict.fromkeys(draw(*waiting) for _ in range(count) if waiting))
        self._do(place, cmd.GrantAttempts(some), lambda events: place.model.lease(some, self.now, _granted(events)))

    def tell(self, place, draw):
        """Any attempt may be answered at any time: in time, late, twice, otherwise than before."""
        attempt, cost = self._one(place, draw, *draw(OPEN, OPEN, ANY)), draw(*COSTS)
        command = cmd.Tell(attempt, ev.LabelRecord(label=self._blob([attempt, cost]), cost=cost))
        self._do(place, command, lambda _: place.model.tell(attempt, cost))
        place.told.update({attempt} if place.model.tries[attempt].told else ())

    def fail(self, place, draw):
        attempt, cost = self._one(place, draw, *draw(OPEN, OPEN, ANY)), draw(*COSTS)
        kind = draw("infra", "infra", "infra", "timeout", "bad_label", "refused")
        self._do(place, cmd.Fail(attempt, kind, "broke", cost), lambda _: place.model.fail(attempt, kind, cost))

    def lose(self, place, draw):
        attempt = self._one(place, draw, *draw(OPEN, OPEN, OPEN, ANY))
        self._do(place, cmd.Lose(attempt), lambda _: place.model.lose(attempt))

    def settle(self, place, draw):
        attempt, verdict = self._one(place, draw, *draw(["unknown"], ["unknown"], ANY)), draw("lost", "wasted")
        self._do(place, cmd.Settle(attempt, verdict), lambda _: place.model.settle(attempt, verdict))

    def renew(self, place, draw):
        attempt = self._one(place, draw, *draw(OPEN, OPEN, ANY))
        self._do(place, cmd.Renew((attempt,)), lambda _: place.model.renew(attempt, self.now))

    def expire(self, place, draw):
        self.now += draw(0, 1, LEASE_S, LEASE_S)
        for attempt in place.model.ones(*draw(OPEN, OPEN, ANY)):
            self._do(place, cmd.Expire((attempt,)), lambda _, each=attempt: place.model.expire(each, self.now))

    def withdraw(self, place, draw):
        query = draw(*place.model.ones(*LIVE))
        self._do(place, cmd.Withdraw((query,)), lambda _: place.model.withdraw(query))

    def train(self, place, draw):
        number = draw(0, 1, 2)
        labels = sum(one.status == "labelled" and one.purse == "queries" for one in place.model.queries.values())
        result = {"model": self._blob(["model", number]), "labels": labels, "steps": 1, "loss": 0.5}
        done = cmd.StepDone("t", "train", {"role": "main", "round": number}, result, 1.0)
        self._do(place, done, lambda _: place.model.learn("trained", number))

    def evaluate(self, place, draw):
        number = draw(*(number for step, _, number in place.model.models if step == "trained"))
        result = {"validation": {"accuracy": 0.5}, "test": {}}
        done = cmd.StepDone("e", "evaluate", {"role": "main", "round": number}, result, 1.0)
        self._do(place, done, lambda _: place.model.learn("evaluated", number))

    def break_a_step(self, place, draw):
        failure = draw("infra", "error")
        self._do(place, cmd.StepError("k", "train", failure, "broke"), lambda _: place.model.broken(failure))

    def command(self, place, draw):
        name, *given = draw(["pause"], ["resume"], ["resume"], ["resume"], ["extend", 1], ["extend", 7], ["extend", 0])
        made = {"pause": cmd.Pause, "resume": cmd.Resume, "extend": cmd.Extend}[name]
        self._do(place, made(*given), lambda _: getattr(place.model, name)(*given))

    def end(self, place, draw):
        name = draw("cancel", "cancel", "confirm", "conclude")
        made = {"cancel": cmd.Cancel(), "confirm": cmd.ConfirmCancel(), "conclude": cmd.Conclude("completed", "spent")}
        self._do(place, made[name], lambda _: getattr(place.model, name)())

    def spawn_a_twin(self, main, _):
        """A twin pays for its parent's first labels from a budget of its own."""
        events = twin_events(main.ledger.state, self.spec.paradigm(0), INFO)
        model = Model(self.total, EVALUATION)
        model.inherit(main.model, {query.id for query in main.ledger.state.of("acquire")})
        self.places.append(
            Place(Ledger.create(self.store, "main.twin", events, self._clock, recall=self.recall), model, self.blobs)
        )
        n = main.ledger.state.n
        for _ in range(2):
            self._do(main, cmd.AddTwin("twin", "main.twin"), lambda _: None)
        assert (main.ledger.state.n, dict(main.ledger.state.twins)) == (n + 1, {"twin": "main.twin"})
        self.places[1].compare(self.store)

    def send_again(self, _, draw):
        """A request that was answered changes nothing when it comes again, and is refused with other content."""
        name, command, request = draw(*(one for one in self.requests if one[2]))
        place = next(place for place in self.places if place.id == name)
        if draw(True, False):
            assert not place.ledger.execute(command, request)
        else:
            with pytest.raises(ConflictError):
                place.ledger.execute(command, RequestKey(request.id, "other"))
        place.compare(self.store)

    def two_write(self, place, _):
        """Of two that write one campaign, the one who knows less is refused."""
        rival = Ledger(self.store, place.id, self._clock, recall=self.recall)
        assert rival.state == place.ledger.state
        try:
            rival.execute(cmd.Extend(1))
        except StateError:
            return
        before = place.ledger.state
        with pytest.raises(ConflictError):
            place.ledger.execute(cmd.Extend(2))
        with pytest.raises(ConflictError):
            place.ledger.execute_each([(cmd.Extend(2), None), (cmd.Extend(3), None)])
        assert place.ledger.state is before
        place.ledger = rival
        place.model.extend(1)
        place.compare(self.store)

    def die(self, *_):
        """The process is gone, and the next one knows what was answered; whoever has an old epoch writes nothing."""
        stale = self.store.epoch
        self.store.close()
        self._open()
        for place in self.places:
            before, place.ledger = place.ledger.state, Ledger(self.store, place.id, self._clock, recall=self.recall)
            assert place.ledger.state == before
            with pytest.raises(ConflictError):
                self.store.append(place.id, [ev.Extended(amount=1)], before.n, stale)
            place.compare(self.store)

    def teardown(self):
        if hasattr(self, "places"):
            self.store.rebuild_projections()
            for place in self.places:
                place.compare(self.store)
            report = fsck(self.store, self.blobs, {place.id: place.told for place in self.places})
            assert report.ok, str(report)
            self.store.close()


def _granted(events):
    return [grant.attempt for event in events for grant in event.attempts]


def _asked(events):
    return [query.id for event in events for query in event.queries]


def _unwrapped(answers):
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer


def _has(*statuses):
    return lambda _, place: bool(place.model.ones(*statuses))


def _always(*_):
    return True


ACTS = {
    "propose": (3, _always),
    "lease": (5, _has("proposed")),
    "tell": (5, _has(*ANY)),
    "fail": (4, _has(*ANY)),
    "expire": (2, _has(*ANY)),
    "lose": (2, _has(*OPEN)),
    "settle": (2, _has("unknown")),
    "renew": (1, _has(*ANY)),
    "withdraw": (1, _has(*LIVE)),
    "train": (1, _always),
    "evaluate": (1, lambda _, place: bool(place.model.models)),
    "break_a_step": (1, _always),
    "command": (2, _always),
    "end": (1, lambda self, _: len(self.requests) > 10),
    "spawn_a_twin": (1, lambda self, place: len(self.places) == 1 and bool(place.model.ones("labelled"))),
    "send_again": (1, lambda self, _: any(one[2] for one in self.requests)),
    "two_write": (1, _always),
    "die": (1, _always),
}


class InMemory(Sequence):
    share = 0.9

    def new_record(self):
        self.record = MemoryRecord()

    def opened(self):
        return MemoryStore(self.record)


class InSqlite(Sequence):
    share = 0.1

    def new_record(self):
        self.folder = Path(tempfile.mkdtemp(prefix="dataeff-sequence-"))

    def opened(self):
        return open_store(self.folder, writer=True)

    def teardown(self):
        try:
            super().teardown()
        finally:
            shutil.rmtree(getattr(self, "folder", ""), ignore_errors=True)


WANTED = int(os.environ.get("DATAEFF_SEQUENCES", "0"))
SHORT = 430
"""Examples that are asked for; hypothesis adds about a fifth, so that more than 500 sequences are run."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [InMemory, InSqlite])
def test_no_sequence_of_commands_breaks_the_record(paper, kind, capsys):
    chosen = int(os.environ.get("DATAEFF_SEED", int.from_bytes(os.urandom(4), "big")))

    class Machine(kind):
        pass

    Machine.paper = paper
    run_state_machine_as_test(
        seed(chosen)(Machine) if WANTED else Machine,
        settings=settings(
            max_examples=round((WANTED or SHORT) * kind.share), stateful_step_count=STEPS, deadline=None, database=None,
            derandomize=not WANTED, suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
    found = {"record": kind.__name__, "command_sequences": Machine.count, "violations": 0}
    with capsys.disabled():
        print("\n" + json.dumps(found | ({"seed": chosen} if WANTED else {})))
