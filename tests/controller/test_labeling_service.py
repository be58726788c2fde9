from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dataeff_al.campaign.given import use_plugins
from dataeff_al.errors import ConflictError, DataError, NotFoundError, RequestError, StateError
from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.types import Label, LabelFailure, Times
from dataeff_al.rpc.types import Lease
from dataeff_al.rpc.v1 import labeling_pb2
from tests.campaign.test_passed_on import HALF_SURE, SPEC, TRUTH


@pytest.fixture
def ward(client, texts):
    """A campaign that waits for labels."""
    run = client.create(texts.ward())
    list(client.watch(run.id, until_idle=True))
    return run.id


def label(code=3, cost=2, work_s=0.0):
    return Label({"label": np.int64(code)}, cost=cost, times=Times(work_s=work_s))


def answer_all(client, ward):
    """Answer whatever is asked until nothing is."""
    while leases := client.ask(ward, 256):
        for lease in leases:
            client.tell(lease, label(int(lease.request.sample.fields["x"].sum()) % 10))
        list(client.watch(ward, until_idle=True))


def test_leases_hold_samples_and_deadlines(client, ward):
    leases = client.ask(ward, 3)
    assert len(leases) == len({lease.attempt for lease in leases}) == 3
    assert all(lease.request.sample.fields["x"].shape == (1, 8, 8) for lease in leases)
    assert all(lease.campaign == ward and lease.deadline > 0 for lease in leases)


def test_nobody_gets_what_another_has(client, ward):
    mine, theirs = client.ask(ward, 3), client.ask(ward, 256)
    assert len(theirs) == 17
    assert not {lease.query for lease in mine} & {lease.query for lease in theirs}
    assert client.ask(ward, 1) == []


def test_many_who_ask_at_once_get_different_queries(client, ward):
    with ThreadPoolExecutor(8) as threads:
        given = [lease.query for leases in threads.map(lambda _: client.ask(ward, 2), range(8)) for lease in leases]
    assert len(given) == len(set(given)) == 16


def test_the_same_ask_many_times_at_once_gives_the_same_leases(client, ward):
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: client.ask(ward, 3, request_id="ask-8"), range(8)))
    assert len(given[0]) == 3
    assert all(leases == given[0] for leases in given)
    assert len(client.ask(ward, 256)) == 17


def test_many_who_tell_at_once_are_all_paid(client, ward):
    leases = client.ask(ward, 14)
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda lease: client.tell(lease, label()), leases))
    assert {receipt.booking for receipt in receipts} == {"posted"}
    info = client.get(ward)
    assert info.queries.spent + info.evaluation.spent == 2 * 14


def test_the_form_and_what_is_leased_can_be_had(client, ward):
    form = client.describe(ward)
    assert (form.cost, form.instructions, form.target.classes[:2]) == (2, "", ("0", "1"))
    assert form.samples.input_field.shape == (1, 8, 8)
    assert client.list_leased(ward) == []
    leases = client.ask(ward, 3)
    assert {lease.attempt: lease for lease in client.list_leased(ward)} == {lease.attempt: lease for lease in leases}
    client.tell(leases[0], label())
    assert len(client.list_leased(ward)) == 2


def test_the_same_ask_gives_the_same_leases(client, ward):
    first = client.ask(ward, 2, request_id="ask-1")
    assert client.ask(ward, 2, request_id="ask-1") == first
    with pytest.raises(ConflictError):
        client.ask(ward, 3, request_id="ask-1")


def test_a_whole_campaign_is_answered_from_outside(client, ward):
    answer_all(client, ward)
    info = client.get(ward)
    assert (info.status, info.outcome) == ("finished", "exhausted")
    assert info.queries.spent + info.queries.reserved <= info.queries.total
    assert info.evaluation.spent == 30


def test_a_label_is_paid_at_its_cost_and_told_once(client, ward):
    lease = client.ask(ward, 256)[0]
    before = client.get(ward)
    first = client.tell(lease, label(cost=3), request_id="t")
    assert first.booking == "posted"
    assert client.tell(lease, label(cost=3), request_id="t") == first
    assert client.tell(lease, label(cost=3)) == replace(first, repeated=True)
    info = client.get(ward)
    paid = (info.queries.spent + info.evaluation.spent) - (before.queries.spent + before.evaluation.spent)
    assert paid == 3
    with pytest.raises(ConflictError):
        client.tell(lease, label(code=4))
    with pytest.raises(ConflictError):
        client.tell(lease, label(code=4), request_id="t")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (label(code=17), "codes from 0 to 9"),
        (label(cost=4), "cost must be at most 3"),
        (label(cost=-1), "whole number from 0"),
        (Label({"mask": np.int64(1)}), "must hold 'label'"),
        (Label({"label": np.zeros((2, 2), np.int64)}), "must have shape"),
        (Label({"label": np.float32(1)}), "whole numbers"),
    ],
)
def test_a_label_of_another_form_is_refused_and_may_be_mended(client, ward, wrong, words):
    lease = client.ask(ward, 1)[0]
    with pytest.raises(DataError, match=words):
        client.tell(lease, wrong)
    assert client.tell(lease, label()).booking == "posted"


def test_what_is_no_label_is_refused(client, ward):
    lease = client.ask(ward, 1)[0]
    send = client._connection.call
    for packed in (b"", b"nonsense", b"dalarr01" + b"\xff" * 40, pack_outcome(LabelFailure("no"))):
        request = labeling_pb2.TellRequest(request_id="r", campaign=lease.campaign, attempt=lease.attempt, label=packed)
        with pytest.raises(DataError):
            send(client._labeling.Tell, request)


def test_a_lease_is_renewed(client, ward):
    lease = client.ask(ward, 1)[0]
    renewed = client.renew(ward, [lease.attempt])
    assert renewed.attempts == (lease.attempt,)
    assert renewed.deadline >= lease.deadline
    client.tell(lease, label())
    assert client.renew(ward, [lease.attempt]).attempts == ()
    with pytest.raises(NotFoundError):
        client.renew(ward, ["nobody"])
    with pytest.raises(RequestError):
        client.renew(ward, [])


def test_a_declined_query_is_given_up_unless_others_may_try(client, ward):
    gone, back = client.ask(ward, 2)
    client.decline(gone, "unreadable")
    client.decline(back, "not my field", others_may_try=True)
    left = {lease.query: lease for lease in client.ask(ward, 256)}
    assert gone.query not in left
    assert left[back.query].attempt != back.attempt


def test_a_late_label_is_kept(client, ward):
    lease = client.ask(ward, 1)[0]
    client.decline(lease, "unreadable")
    assert client.tell(lease, label()).booking == "extra"
    assert client.get(ward).extra == 2


def test_labels_are_still_taken_from_a_paused_campaign(client, ward):
    lease = client.ask(ward, 1)[0]
    client.pause(ward)
    with pytest.raises(StateError):
        client.ask(ward, 1)
    assert client.tell(lease, label()).booking == "posted"


def test_a_lease_that_runs_out_goes_back_to_the_queue(client, texts, eventually):
    run = client.create(texts.ward().replace("kind: external,", "kind: external, lease_s: 0.5,"))
    list(client.watch(run.id, until_idle=True))
    gone = {lease.query: lease for lease in client.ask(run.id, 256)}
    again = []
    eventually(lambda: bool(again.extend(client.ask(run.id, 1)) or again))
    assert again[0].query in gone
    assert again[0].attempt != gone[again[0].query].attempt
    assert client.tell(gone[again[0].query], label()).booking == "posted"


def test_a_campaign_with_another_labeler_is_not_asked(client, texts):
    run = client.create(texts.quick())
    with pytest.raises(StateError, match="external"):
        client.ask(run.id, 1)


def test_strangers_are_not_found(client, ward):
    lease = client.ask(ward, 1)[0]
    with pytest.raises(NotFoundError):
        client.ask("nobody", 1)
    with pytest.raises(NotFoundError):
        client.tell(replace(lease, attempt="nobody"), label())
    with pytest.raises(NotFoundError):
        client.decline(Lease("nobody", ward, "", 0.0, b""), "why")


@pytest.mark.parametrize("count", [0, -1, 257, 2**31 - 1])
def test_a_count_has_bounds(client, ward, count):
    with pytest.raises(RequestError):
        client.ask(ward, count)


@pytest.mark.parametrize("work_s", [-1.0, float("nan"), float("inf"), 1e12])
def test_a_time_has_bounds(client, ward, work_s):
    lease = client.ask(ward, 1)[0]
    with pytest.raises(RequestError):
        client.tell(lease, label(work_s=work_s))


@pytest.fixture
def halves(client):
    """A campaign whose labeler leaves what it is unsure of to those outside."""
    use_plugins([HALF_SURE])
    run = client.create(SPEC)
    list(client.watch(run.id, until_idle=True))
    return run.id


def test_what_a_labeler_passes_on_is_leased_with_its_draft(client, halves):
    form = client.describe(halves)
    assert (form.cost, form.instructions) == (2, "Look.")
    leases = client.ask(halves, 256)
    drafts = [lease.request.draft for lease in leases]
    assert {int(draft.target["label"]) for draft in drafts if draft is not None} == {7}
    assert None in drafts
    assert {lease.attempt for lease in client.list_leased(halves)} == {lease.attempt for lease in leases}
    renewed = client.renew(halves, [leases[0].attempt])
    assert renewed.deadline >= leases[0].deadline
    client.decline(leases[0], "tea", others_may_try=True)
    again = client.ask(halves, 256)
    assert [lease.query for lease in again] == [leases[0].query]
    assert again[0].packed == leases[0].packed


def test_nobody_outside_answers_for_the_labeler(client, halves):
    told = [event for event in client.watch(halves, until_idle=True) if event.kind == "told"]
    attempt = told[0].data["attempt"]
    with pytest.raises(StateError, match="leased by ask"):
        client.decline(Lease(attempt, halves, "", 0.0, b""), "mine")
    with pytest.raises(StateError, match="leased by ask"):
        client.tell(Lease(attempt, halves, "", 0.0, b""), label())


def test_a_campaign_of_labeler_and_people_is_answered_to_its_end(client, halves):
    while leases := client.ask(halves, 256):
        for lease in leases:
            client.tell(lease, label(TRUTH[lease.request.sample.id]))
        list(client.watch(halves, until_idle=True))
    info = client.get(halves)
    assert (info.status, info.queries.reserved) == ("finished", 0)
