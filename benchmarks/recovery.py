"""How long a controller needs, from nothing, until it serves a record with very many queries."""

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.harness import Json
from benchmarks.serving.server import serve_command, serving
from dataeff_al.campaign import commands as cmd
from dataeff_al.campaign.apply import replay
from dataeff_al.campaign.decide import attempt_id
from dataeff_al.campaign.launch import first_event
from dataeff_al.campaign.ledger import Ledger
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.yaml_source import read
from dataeff_al.digests import digest_bytes, digest_json
from dataeff_al.events import Event, LabelRecord, Proposed
from dataeff_al.stores.open import RECORD, open_store

ROUND = 1000
BATCH = 500
"""Labels that are leased, renewed and told in one transaction each: building is not what is measured."""

STARTS = 3
CAMPAIGN = """
version: 1
name: long
pool: {{kind: digits, size: 120}}
evaluation: {{validation: 5, test: 10}}
initial: {{random: {round}}}
learner: {{kind: mlp, width: 8}}
trainer: {{kind: standard, steps: 1}}
labeler: {{kind: external, target: {{kind: class, classes: [a, b]}}}}
sampler: {{kind: random}}
budget: {{unit: label, total: {total}, per_round: {round}}}
stop: {{metric: accuracy}}
"""


def measure(queries: int) -> Json:
    """Seconds from the start of ``dataeff-al serve`` until its health is SERVING, and of the parts of that.

    The record is one campaign in the middle of its life, made through the ledger as a controller makes it: rounds of
    1,000 queries, each leased, renewed twice and told; the last round waits for its labels. ``replay_s`` is what the
    state costs without its snapshot.
    """
    with tempfile.TemporaryDirectory(prefix="dataeff-recovery-") as name:
        folder = Path(name)
        built = _built(folder, queries)
        store = _store_alone(folder)
        served = [_served(folder) for _ in range(STARTS)]
        return {
            "queries": queries,
            **built,
            **store,
            "serving_s": sorted(seconds for seconds, _ in served)[STARTS // 2],
            "serving_cpu_s": min(cpu for _, cpu in served),
            "load": round(os.getloadavg()[0], 2),
        }


def _built(folder: Path, queries: int) -> Json:
    """Make the record; how large it is."""
    began = time.monotonic()
    spec = CampaignSpec.from_canonical(read(CAMPAIGN.format(round=ROUND, total=2 * queries)).data)
    with Place(folder, folder, None).inline_hosts() as hosts:
        event = first_event(spec, hosts.parts(spec).labeler.info)
    store = open_store(folder, writer=True)
    try:
        ledger = Ledger.create(store, spec.name, [event])
        _prepare(ledger)
        for number in range(queries // ROUND):
            _live(ledger, number, last=number == queries // ROUND - 1)
        found = {"events": ledger.state.n, "build_s": time.monotonic() - began}
    finally:
        store.close()
    return found | {"record_mib": (folder / RECORD).stat().st_size / 2**20}


def _prepare(ledger: Ledger) -> None:
    """The pool is split, and what only measures is labelled."""
    pool = {"splits": _ref("splits"), "pool_digest": "pool", "holdout_digest": "holdout", "candidates": 10**9}
    _done(ledger, "prepare_pool", {}, {**pool, "evaluation_budget": 100})
    for purpose, count in (("validation", 5), ("test", 10)):
        _answer(ledger, _propose(ledger, purpose, 0, count))


def _live(ledger: Ledger, number: int, *, last: bool) -> None:
    """One round of the campaign; the last one is left waiting for its labels."""
    asked = _propose(ledger, "initial" if number == 0 else "acquire", number, ROUND)
    if last:
        return
    for first in range(0, ROUND, BATCH):
        _answer(ledger, asked[first : first + BATCH])
    task = {"round": number, "role": "main"}
    _done(ledger, "train", task, {"model": _ref(f"model {number}"), "labels": number * ROUND, "steps": 1, "loss": 0.5})
    measured = {"validation": {"accuracy": 0.5}, "test": {"accuracy": 0.5}}
    _done(ledger, "evaluate", task, {**measured, "cases": _ref(f"cases {number}")})


def _done(ledger: Ledger, method: str, task: Json, result: Json) -> Sequence[Event]:
    key = digest_json([method, task, result])
    return ledger.execute(cmd.StepDone(key, method, task, result, seconds=0.1))


def _propose(ledger: Ledger, purpose: str, number: int, count: int) -> Sequence[str]:
    names = [f"{purpose} {number} {k}" for k in range(count)]
    rows = [{"payload": name, "request": _ref(f"ask {name}"), "content": _ref(f"sample {name}")} for name in names]
    events = _done(ledger, "propose", {"purpose": purpose, "round": number}, {"queries": rows})
    return [query.id for event in events if isinstance(event, Proposed) for query in event.queries]


def _answer(ledger: Ledger, queries: Sequence[str]) -> None:
    """Every query is leased, renewed twice and told, in events of its own."""
    attempts = [attempt_id(query, 1) for query in queries]
    ledger.execute_all([cmd.GrantAttempts((query,)) for query in queries])
    for _ in range(2):
        ledger.execute_all([cmd.Renew((attempt,)) for attempt in attempts])
    told = [LabelRecord(label=_ref(f"label {attempt}"), cost=1, work_s=30.5) for attempt in attempts]
    ledger.execute_all([cmd.Tell(attempt, label) for attempt, label in zip(attempts, told, strict=True)])


def _ref(what: str) -> str:
    return digest_bytes(what.encode())


def _store_alone(folder: Path) -> Json:
    """The record opened, and the state read from its snapshot and from its whole log."""
    began = time.monotonic()
    store = open_store(folder, writer=True)
    try:
        opened = time.monotonic()
        (campaign,) = store.campaigns()
        kept = store.snapshot(campaign, whole=False)
        state = Recall(store).state(campaign)
        recalled = time.monotonic()
        assert replay(campaign, (stored.event for stored in store.read(campaign))) == state
        return {
            "open_s": opened - began,
            "state_s": recalled - opened,
            "tail_events": state.n - (kept.n if kept else 0),
            "replay_s": time.monotonic() - recalled,
        }
    finally:
        store.close()


def _served(folder: Path) -> tuple[float, float]:
    """Wall seconds until a client sees SERVING, and the CPU seconds that the process took for it."""
    with serving(serve_command(folder, "--no-ray")) as served, grpc.insecure_channel(served.target) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        while stub.Check(health_pb2.HealthCheckRequest()).status != health_pb2.HealthCheckResponse.SERVING:
            time.sleep(0.01)
        return time.monotonic() - served.began, served.cpu_s()


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1])), indent=2))
