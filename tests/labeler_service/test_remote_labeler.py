"""A labeler behind the wire answers as it would here, and what it does not know is not made up."""

import threading
import time
from dataclasses import replace

import pytest

from dataeff_al.errors import AccessError, CapabilityError, LabelingError, UnavailableError, UnknownNameError
from dataeff_al.labeling.services import SERVICES, RemoteParams, Service
from dataeff_al.labeling.types import Deferred, Label, LabelerContext, LabelFailure
from dataeff_al.rpc import errand
from dataeff_al.rpc.remote_labeler import RemoteLabeler, client_of
from dataeff_al.testing.labelers import check_labeler


def test_it_keeps_the_contract(served, remote, pool):
    check_labeler(remote(served().port), pool.read(pool.ids()[:3]))


def test_it_declares_what_the_service_declares(served, remote):
    info = remote(served(effect="blind", cost=3, batch=2, timeout_s=7.0).port, max_cost=5).info
    assert (info.name, info.version, info.target.classes) == ("remote", "billing-3", ("dark", "bright"))
    # What is blind there can be asked about here, for the service remembers.
    assert (info.effect, info.cost, info.max_cost, info.preferred_batch) == ("queryable", 3, 3, 2)
    assert info.timeout_s > 7


def test_every_kind_of_outcome_travels(served, remote, batch):
    labeler = remote(served().port)
    asked = [batch[0], replace(batch[1], fidelity="refuse"), replace(batch[2], fidelity="defer")]
    label, failure, deferred = labeler.label(asked)
    assert isinstance(label, Label)
    assert int(label.target["label"]) == int(batch[0].sample.fields["x"].mean() > 0.3)
    assert failure == LabelFailure("nothing to be seen", cost=1)
    assert isinstance(deferred, Deferred)
    assert (deferred.confidence, deferred.reason) == (0.25, "too near")


def test_the_same_attempt_is_paid_once(served, remote, batch, invoices):
    labeler = remote(served(effect="blind").port)
    first = labeler.label(batch)
    again = labeler.label(batch)
    assert [int(label.target["label"]) for label in again] == [int(label.target["label"]) for label in first]
    assert invoices() == ["k0", "k1", "k2", "k3"]
    found = labeler.lookup("k2")
    assert isinstance(found, Label)
    assert labeler.lookup("never") is None


def test_what_is_acknowledged_is_forgotten(served, remote, batch, tmp_path):
    labeler = remote(served(effect="blind").port)
    labeler.label(batch)
    labeler.ack([request.key for request in batch])
    wait_until(lambda: not list((tmp_path / "store/attempts").iterdir()))
    assert not list((tmp_path / "store/outcomes").iterdir())
    # The form of the samples stays: the next attempts have the same.
    assert len(list((tmp_path / "store/blobs").glob("??/*"))) == 1
    assert labeler.lookup("k0") is None


def test_one_refused_sample_does_not_spoil_the_others(served, remote, batch):
    odd = replace(batch[1].sample, fields={"x": batch[1].sample.fields["x"] + 7})
    outcomes = remote(served().port).label([batch[0], replace(batch[1], sample=odd), batch[2]])
    assert [type(outcome) for outcome in outcomes] == [Label, LabelFailure, Label]
    assert "attempt 'k1': 'x' must lie in 0 to 1" in outcomes[1].reason


def test_another_question_under_a_known_attempt_is_refused(served, remote, batch):
    labeler = remote(served(effect="blind").port)
    labeler.label(batch[:1])
    (outcome,) = labeler.label([replace(batch[0], seed=99)])
    assert isinstance(outcome, LabelFailure)
    assert "must ask what it asked before" in outcome.reason


@pytest.mark.parametrize(("effect", "lost"), [("pure", 0), ("blind", 2)])
def test_what_takes_too_long_is_given_up_and_what_it_may_cost_is_booked(served, remote, batch, effect, lost):
    labeler = remote(served(effect=effect, delay_s=30, batch=1, cost=2).port, max_cost=2)
    labeler._timeout_s = 0.5
    begun, waiting = labeler.label(batch[:2])
    assert begun == LabelFailure("no answer within 1 s", "timeout", lost)
    assert waiting == LabelFailure("no answer within 1 s, nothing had begun", "timeout", 0)


def test_a_service_that_was_away_is_asked_again(served, remote, batch, monkeypatch):
    monkeypatch.setattr(errand, "PAUSE_S", 0.05)
    labeler, calls = remote(served().port), []
    start = labeler._client.start

    def unwilling(samples, attempts):
        calls.append(len(attempts))
        if len(calls) < 3:
            raise UnavailableError("away")
        start(samples, attempts)

    monkeypatch.setattr(labeler._client, "start", unwilling)
    assert all(isinstance(outcome, Label) for outcome in labeler.label(batch))
    assert calls == [4, 4, 4]


def test_attempts_that_the_service_forgot_are_started_again(served, remote, batch, monkeypatch):
    monkeypatch.setattr(errand, "PAUSE_S", 0.05)
    service = served(delay_s=0.3, batch=1)
    labeler = remote(service.port)
    forgetting = threading.Timer(0.1, lambda: service.desk.cancel([request.key for request in batch]))
    forgetting.start()
    assert all(isinstance(outcome, Label) for outcome in labeler.label(batch))
    forgetting.join()


def test_without_the_service_nobody_makes_anything_up(served, remote, batch, monkeypatch):
    monkeypatch.setattr(errand, "PAUSE_S", 0.05)
    service = served(effect="blind", delay_s=1.0)
    labeler = remote(service.port)
    labeler._timeout_s = 0.1
    ending = threading.Timer(0.1, lambda: service.__exit__())
    ending.start()
    with pytest.raises(UnavailableError):
        labeler.label(batch)
    ending.join()
    with pytest.raises(UnavailableError):
        labeler.lookup("k0")


def test_an_attempt_that_was_given_up_and_goes_on_is_not_called_free(served, remote, batch, monkeypatch):
    labeler = remote(served(effect="blind", delay_s=5).port)
    labeler._timeout_s = 0.1
    monkeypatch.setattr(labeler._client, "poll", broken_once(labeler._client.poll))
    with pytest.raises(LabelingError, match="out of order"):
        labeler.label(batch[:1])
    with pytest.raises(LabelingError, match="still at work"):
        labeler.lookup("k0")


def test_what_cannot_work_is_refused_when_it_is_built(served, remote, pool):
    port = served(cost=3).port
    with pytest.raises(CapabilityError, match="max_cost of service 'bill' must be at least 3"):
        remote(port)
    with pytest.raises(CapabilityError, match="must accept synthesised samples"):
        remote(port, max_cost=3, synthesised=True)
    SERVICES.register({"solver": Service(address="127.0.0.1:1")})
    context = LabelerContext(pool, None, None)
    with pytest.raises(UnknownNameError, match=r"service.*'solvr'.*Did you mean 'solver'"):
        RemoteLabeler(RemoteParams(service="solvr"), context)
    with pytest.raises(UnavailableError, match=r"must be reachable at 127\.0\.0\.1:1"):
        RemoteLabeler(RemoteParams(service="solver"), context)


def test_files_of_a_service_must_be_readable(tmp_path):
    (tmp_path / "empty").touch()
    for name in ("empty", "absent"):
        with pytest.raises(AccessError, match="files of a registered service must be readable"):
            client_of(Service(address="127.0.0.1:1", token_file=str(tmp_path / name)))


def broken_once(call):
    left = [1]

    def broken(*args):
        if left:
            left.pop()
            raise LabelingError("out of order")
        return call(*args)

    return broken


def wait_until(holds):
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)
