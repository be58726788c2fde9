"""A labeler service remembers what was asked and answered, beyond its own life where calls cost."""

import os
import time

import pytest

from dataeff_al.errors import CapabilityError, ConflictError, CorruptError, RequestError, UnavailableError
from dataeff_al.labeling.packing import pack_request
from dataeff_al.parts import read_part
from dataeff_al.rpc.labeler_messages import form_text
from dataeff_al.samples.form_only import FormOnly
from services.labeler_service import desk as desk_module


@pytest.fixture
def form(pool):
    return form_text(pool.spec)


@pytest.fixture
def packed(batch):
    return {request.key: pack_request(request) for request in batch}


def states(found):
    return [each.state for each in found]


def finished(desk, attempts):
    until = time.monotonic() + 20
    while "running" in states(found := desk.poll(attempts)):
        assert time.monotonic() < until
        time.sleep(0.02)
    return found


def test_outcomes_outlive_the_service(desk, form, packed, invoices):
    first = desk(effect="blind")
    first.start(form, packed)
    told = finished(first, list(packed))
    again = desk(effect="blind").poll(list(packed))
    assert [each.outcome for each in again] == [each.outcome for each in told]
    assert invoices() == list(packed)


@pytest.mark.parametrize(("effect", "state"), [("pure", "unknown"), ("keyed", "unknown"), ("blind", "lost")])
def test_what_was_begun_when_the_service_died_is_lost_unless_repeating_is_free(effect, state, desk, form, packed):
    slow = desk(effect=effect, delay_s=30, batch=1)
    slow.start(form, packed)
    time.sleep(0.5)
    found = desk(effect=effect, delay_s=30, batch=1).poll(list(packed))
    assert states(found) == [state, "unknown", "unknown", "unknown"]
    assert ("at work" in found[0].reason) == (state == "lost")


def test_what_nobody_took_note_of_for_a_month_is_forgotten(desk, form, packed, tmp_path):
    first = desk(effect="blind")
    first.start(form, packed)
    finished(first, list(packed))
    old = time.time() - desk_module.KEPT_S - 60
    os.utime(tmp_path / "store/attempts/k1.attempt", (old, old))
    assert states(desk(effect="blind").poll(list(packed))) == ["done", "unknown", "done", "done"]


def test_what_is_worked_on_is_not_forgotten(desk, form, packed):
    slow = desk(delay_s=1, batch=4)
    slow.start(form, packed)
    slow.ack(list(packed))
    assert states(finished(slow, list(packed))) == ["done"] * 4


def test_answers_that_two_attempts_share_stay_for_the_second(desk, form, packed):
    made = desk(effect="blind")
    made.start(form, {"a": packed["k0"], "b": packed["k0"]})
    finished(made, ["a", "b"])
    made.ack(["a"])
    assert states(made.poll(["a", "b"])) == ["unknown", "done"]
    assert desk(effect="blind").poll(["b"])[0].outcome


def test_an_answer_that_is_being_written_down_is_not_swept_away(desk, form, packed, monkeypatch):
    """The outcome of the second attempt is the same as that of the first, which is forgotten at that moment."""
    made = desk(effect="blind", batch=1)
    keep = made._spool.mark_done

    def slowly(attempt, done):
        if attempt == "b":
            made.ack(["a"])
        keep(attempt, done)

    monkeypatch.setattr(made._spool, "mark_done", slowly)
    made.start(form, {"a": packed["k0"], "b": packed["k0"]})
    assert states(finished(made, ["b"])) == ["done"]


def test_blobs_that_nobody_needs_are_swept_when_a_service_begins(desk, form, packed, tmp_path):
    made = desk(effect="blind")
    made.start(form, packed)
    finished(made, list(packed))
    made._blobs.put(b"left behind")
    made.ack(["k0"])
    blobs = lambda: len(list((tmp_path / "store/blobs").glob("??/*")))  # noqa: E731
    before = blobs()
    assert states(desk(effect="blind").poll(list(packed))) == ["unknown", "done", "done", "done"]
    assert blobs() == before - 1


def test_a_service_that_goes_down_takes_nothing_on_and_ends_what_it_began(desk, form, packed):
    made = desk(effect="blind", delay_s=0.5, batch=1)
    made.start(form, packed)
    time.sleep(0.2)
    made.close()
    with pytest.raises(UnavailableError, match="going down"):
        made.start(form, packed)
    assert made.rest(20)
    assert states(made.poll(list(packed))) == ["done", "unknown", "unknown", "unknown"]


def test_a_labeler_that_waits_for_people_cannot_be_served(form, tmp_path):
    people = read_part("labelers", {"kind": "external", "target": {"kind": "class", "classes": ["a", "b"]}})
    with pytest.raises(CapabilityError, match="must answer by itself, but got 'external'"):
        desk_module.Desk(people, tmp_path, None).describe(form)


def test_forms_are_bounded(desk, form, monkeypatch):
    monkeypatch.setattr(desk_module, "MAX_FORMS", 1)
    made = desk()
    made.describe(form)
    with pytest.raises(RequestError, match="one of at most 1 forms"):
        made.describe(form + " ")


def test_answers_of_one_labeler_are_not_taken_for_those_of_another(desk, form, packed):
    made = desk(effect="blind")
    made.start(form, packed)
    finished(made, list(packed))
    with pytest.raises(ConflictError, match="the labeler whose 4 attempts it holds"):
        desk(effect="blind", cost=2)
    made.ack(list(packed))
    desk(effect="blind", cost=2)


def test_what_cannot_be_read_is_not_guessed(desk, form, packed, tmp_path):
    made = desk()
    made.start(form, packed)
    (tmp_path / "store/attempts/k0.attempt").write_text("{")
    with pytest.raises(CorruptError, match=r"readable in k0\.attempt"):
        desk()


def test_a_form_alone_has_no_samples(pool):
    known = FormOnly(pool.spec)
    assert (known.ids(), known.held_out(), known.read([])) == ((), (), ())
    assert known.digest == FormOnly(pool.spec).digest
    with pytest.raises(CapabilityError, match="scaled by samples"):
        known.codec()
