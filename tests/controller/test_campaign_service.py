import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.outcome import model_card
from dataeff_al.campaign.predicting import RunModel
from dataeff_al.errors import (
    ConflictError,
    DataError,
    NotFoundError,
    RequestError,
    SpecError,
    StateError,
    UnavailableError,
)
from dataeff_al.rpc import Client, model_client
from dataeff_al.rpc.v1 import models_pb2
from dataeff_al.stores.arrays import pack
from services.controller.models import AT_ONCE, Models


def run_to_end(client, text):
    run = client.create(text)
    return run.id, list(client.watch(run.id))


def test_a_campaign_is_created_driven_and_watched_to_its_end(client, texts, controller):
    campaign, events = run_to_end(client, texts.quick())
    assert [event.n for event in events] == list(range(1, len(events) + 1))
    assert (events[0].kind, events[-1].kind) == ("created", "finished")
    info = client.get(campaign)
    assert (info.status, info.activity, info.ended, info.problem) == ("finished", "idle", True, "")
    assert (info.queries.spent, info.labels, info.events) == (10, 10, len(events))
    assert info.reached is False
    assert campaign in info.spec_yaml


def test_the_outcome_lies_in_a_folder_of_the_campaigns_own(client, texts, controller, tmp_path_factory):
    campaign, _ = run_to_end(client, texts.quick())
    folder = controller.families._folder_of(campaign)
    assert {"campaign.yaml", "summary.json", "model.safetensors"} <= {p.name for p in folder.iterdir()}


def test_the_model_can_be_downloaded_and_is_the_one_that_was_trained(client, texts, tmp_path):
    campaign, _ = run_to_end(client, texts.quick())
    card = client.download(campaign, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size == card.size
    assert card.card["labels"] == 10
    with pytest.raises(NotFoundError):
        client.download("nobody", tmp_path / "none")
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.fixture
def kept_blobs(controller):
    folder = controller.families._folder_of("any").parents[1] / "blobs"
    return lambda: {path.name for path in folder.glob("??/*")}


def test_the_model_predicts_for_those_who_do_not_have_it(client, texts, controller, kept_blobs, monkeypatch):
    campaign, _ = run_to_end(client, texts.quick())
    x, before = np.random.default_rng(0).random((7, 1, 8, 8), dtype=np.float32), kept_blobs()
    found = client.predict(campaign, {"x": x, "unheard_of": np.zeros(7)})
    assert found["classes"].tolist() == [str(digit) for digit in range(10)]
    np.testing.assert_array_equal(found["label"], found["probabilities"].argmax(axis=1))
    state = controller.families.standing.state(campaign)
    spec = spec_of(state.created)
    content = controller.families.hosts.blobs.get(model_card(spec, state)["digest"])
    model = RunModel(Parts(spec, Path(), None), model_card(spec, state), content)
    np.testing.assert_allclose(found["probabilities"], model(x), rtol=1e-6)
    # A large request is sent in parts, and nothing of any stays.
    monkeypatch.setattr(model_client, "BLOCK_BYTES", 600)
    in_parts = client.predict(campaign, {"x": x})
    np.testing.assert_allclose(in_parts["probabilities"], found["probabilities"], rtol=1e-6)
    assert in_parts["classes"].tolist() == found["classes"].tolist()
    assert kept_blobs() == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"x": np.zeros((2, 1, 9, 9), np.float32)}, r"'x' must be \(n, 1, 8, 8\) float32, but got \(2, 1, 9, 9\)"),
        ({"x": np.zeros((2, 1, 8, 8))}, "float32, but got .* float64"),
        ({"x": np.full((2, 1, 8, 8), np.nan, np.float32)}, "'x' must be finite"),
        ({"x": np.full((2, 1, 8, 8), 7, np.float32)}, "'x' must lie in 0 to 1"),
        ({"mask": np.zeros((2, 8, 8), np.uint8)}, "samples must have 'x', but got"),
        ({"x": np.zeros((0, 1, 8, 8), np.float32)}, "at least 1"),
        ({"x": np.float32(1)}, "at least 1"),
        ({"x": np.zeros((2, 3)), "y": np.zeros((3, 3))}, "of one length"),
        ({}, "at least 1"),
    ],
)
def test_samples_of_another_form_get_no_prediction(fields, words, client, predicted):
    with pytest.raises(DataError, match=words):
        client.predict(predicted, fields)


@pytest.fixture(scope="module")
def predicted(target, texts):
    with Client(target) as client:
        yield run_to_end(client, texts.quick())[0]


def test_what_is_no_packing_gets_no_prediction(client, predicted, kept_blobs):
    before = kept_blobs()
    for content, error in ((b"", DataError), (b"dalarr01", DataError), (b"x" * (2**25 + 1), RequestError)):
        request = models_pb2.PredictRequest(campaign=predicted, samples=content)
        with pytest.raises(error):
            client._connection.call(client._models.Predict, request)
    assert kept_blobs() == before


def test_nothing_predicts_before_a_model_was_trained(client, texts):
    ward = client.create(texts.ward())
    with pytest.raises(StateError, match="must have trained a model"):
        client.predict(ward.id, {"x": np.zeros((1, 1, 8, 8), np.float32)})
    with pytest.raises(NotFoundError):
        client.predict("nobody", {"x": np.zeros((1, 1, 8, 8), np.float32)})


def test_a_crowd_that_asks_for_predictions_is_told_to_wait(controller, predicted):
    models = Models(controller.families)
    content = pack({"x": np.zeros((1, 1, 8, 8), np.float32)})
    with ThreadPoolExecutor(AT_ONCE) as crowd, models._place():
        waiting = [crowd.submit(models.predict, predicted, content) for _ in range(AT_ONCE)]
        refused = next(iter(wait(waiting, return_when=FIRST_COMPLETED).done))
        assert isinstance(refused.exception(), UnavailableError)
    assert sum(future.exception() is None for future in waiting) == AT_ONCE - 1


def test_twins_and_repeats_belong_to_their_campaign(client, texts):
    text = texts.quick() + "compare: [{sampler: {kind: margin}}]\nrepeats: 2\n"
    campaign, events = run_to_end(client, text)
    family = {campaign, f"{campaign}.margin", f"{campaign}~1", f"{campaign}~1.margin"}
    assert {event.campaign for event in events} == family
    assert set(client.get(campaign).members) == family - {campaign}
    assert client.get(f"{campaign}.margin").parent == campaign
    assert {event.campaign for event in client.watch(f"{campaign}.margin")} == {f"{campaign}.margin"}


def test_a_taken_name_gets_a_suffix(client, texts):
    text = texts.quick()
    first, second = client.create(text), client.create(text)
    assert second.id.startswith(f"{first.id}-")
    assert second.name == first.name


def test_the_same_create_twice_creates_once(client, texts):
    text = texts.quick()
    first = client.create(text, request_id="create-once")
    assert client.create(text, request_id="create-once").id == first.id
    with pytest.raises(ConflictError):
        client.create(texts.quick(), request_id="create-once")
    with pytest.raises(ConflictError):
        client.create(text, ["seed=4"], request_id="create-once")


def test_many_creates_at_once_under_one_request_create_once(target, texts):
    text, found = texts.quick(), []

    def create():
        with Client(target) as client:
            found.append(client.create(text, request_id="stampede").id)

    threads = [threading.Thread(target=create) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert len(set(found)) == 1


def test_a_bad_file_is_refused_with_every_problem(client):
    with pytest.raises(SpecError) as caught:
        client.create("version: 1\nname: X Y\nseed: no\n")
    paths = {problem.path for problem in caught.value.problems}
    assert {"name", "seed", "pool", "budget"} <= paths
    assert list(caught.value.problems) == client.validate("version: 1\nname: X Y\nseed: no\n")


def test_more_problems_than_fit_into_a_refusal_are_fetched(client):
    keys = "".join(f"unknown_key_number_{n}: 1\n" for n in range(99))
    with pytest.raises(SpecError) as caught:
        client.create(keys)
    assert len(caught.value.problems) >= 90


def test_settings_change_the_file(client, texts):
    run = client.create(texts.ward(), ["budget.total=45"])
    assert client.get(run.id).queries.total == 45


def test_lists_come_page_by_page_in_order_of_creation(client, texts):
    made = [client.create(texts.ward()).id for _ in range(3)]
    assert [info.id for info in client.list(page_size=2) if info.id in made] == made
    assert [info.id for info in client.list()] == [info.id for info in client.list(page_size=1)]
    assert all(info.spec_yaml == "" for info in client.list())


def test_a_paused_campaign_goes_on_when_it_is_resumed(client, texts, eventually):
    run = client.create(texts.slow())
    eventually(lambda: client.get(run.id).queries.spent > 0)
    paused = client.pause(run.id, "lunch", request_id="p")
    assert (paused.status, paused.reason) == ("paused", "lunch")
    events = list(client.watch(run.id, until_idle=True))
    assert client.get(run.id).activity == "idle"
    assert client.pause(run.id, "lunch", request_id="p").status == "paused"
    with pytest.raises(ConflictError):
        client.pause(run.id, "supper", request_id="p")
    assert client.resume(run.id).status == "running"
    more = list(client.watch(run.id, {run.id: len(events)}))
    assert more[0].n == len(events) + 1
    assert client.get(run.id).outcome == "exhausted"


def test_a_repeated_pause_does_not_undo_a_resume(client, texts):
    run = client.create(texts.ward())
    client.pause(run.id, request_id="first")
    client.resume(run.id, request_id="second")
    assert client.pause(run.id, request_id="first").status == "running"


def test_a_cancelled_campaign_ends_and_stays_ended(client, texts, eventually):
    run = client.create(texts.slow())
    eventually(lambda: client.get(run.id).queries.spent > 0)
    client.cancel(run.id, "enough")
    assert list(client.watch(run.id))[-1].kind == "cancelled"
    info = client.get(run.id)
    assert (info.status, info.queries.reserved) == ("cancelled", 0)
    for refused in (client.pause, client.resume):
        with pytest.raises(StateError):
            refused(run.id)
    with pytest.raises(StateError):
        client.extend(run.id, 5)
    assert client.cancel(run.id).status == "cancelled"


def test_an_extended_campaign_goes_on_after_its_end(client, texts):
    campaign, events = run_to_end(client, texts.quick())
    extended = client.extend(campaign, 5, request_id="more")
    assert extended.queries.total == 15
    assert list(client.watch(campaign, {campaign: len(events)}))[-1].kind == "finished"
    assert client.extend(campaign, 5, request_id="more").queries.total == 15
    assert client.get(campaign).labels == 15


def test_settling_what_is_not_unknown_is_refused(client, texts):
    run = client.create(texts.ward())
    list(client.watch(run.id, until_idle=True))
    lease = client.ask(run.id, 1)[0]
    with pytest.raises(StateError):
        client.settle(run.id, lease.attempt, "lost")
    with pytest.raises(NotFoundError):
        client.settle(run.id, "nobody", "lost")


@pytest.mark.parametrize("call", ["get", "pause", "resume", "cancel"])
def test_an_unknown_campaign_is_not_found(client, call):
    with pytest.raises(NotFoundError):
        getattr(client, call)("nobody")
    with pytest.raises(NotFoundError):
        getattr(client, call)("nobody.twin")


def test_watching_an_unknown_campaign_is_not_found(client):
    with pytest.raises(NotFoundError):
        list(client.watch("nobody"))


def test_a_cursor_must_be_one(client, texts):
    run = client.create(texts.ward())
    for after in ({"stranger": 1}, {run.id: -1}, {run.id: 10**9}):
        with pytest.raises(RequestError):
            list(client.watch(run.id, after))


def test_a_watch_from_any_cursor_gives_exactly_the_rest(client, texts):
    campaign, events = run_to_end(client, texts.quick())
    for n in range(len(events) + 1):
        rest = list(client.watch(campaign, {campaign: n}))
        assert [event.n for event in rest] == [event.n for event in events[n:]]


def test_a_target_that_is_down_is_one_sentence(free_port):
    with Client(f"127.0.0.1:{free_port()}") as client, pytest.raises(UnavailableError) as caught:
        client.get("x")
    assert "must be reachable" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_watch_gives_up_after_its_patience(free_port):
    with Client(f"127.0.0.1:{free_port()}") as client, pytest.raises(UnavailableError):
        list(client.watch("x", patience_s=0))
