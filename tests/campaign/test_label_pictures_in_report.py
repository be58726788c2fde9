"""A labeler's pictures reach the report, through the record; what measures is asked of the last step."""

import numpy as np
import pytest

from dataeff_al import Campaign, registry
from dataeff_al.campaign.run_folder import RunFolder, states_of
from dataeff_al.digests import Ref
from dataeff_al.labeling.packing import unpack_label, unpack_request
from dataeff_al.labeling.types import Label, LabelerInfo, LabelFailure
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.samples.types import TargetSpec
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store
from services.inline import remake

PNG = b"\x89PNG\r\n\x1a\n picture of "
CLASSES = tuple(str(digit) for digit in range(10))


class GuessParams(Params):
    """Parameters of a labeler that calls everything a seven, is sure of every other sample and draws, or fails to."""

    draws: bool = True


class Guess:
    def __init__(self, params, context):
        self._draws = params.draws
        target = TargetSpec("label", "class", (), CLASSES)
        self.info = LabelerInfo("guess", "1", target, "pure", cost=0, max_cost=0)

    def label(self, batch):
        return [self._answer(int(str(request.sample.id)[-4:]) % 3) for request in batch]

    def _answer(self, kind):
        return LabelFailure("too dark") if kind == 2 else Label({"label": np.int64(7)}, cost=0, confidence=1.0 - kind)

    def plot(self, sample, label, path):
        path.write_bytes(PNG + str(sample.id).encode() if self._draws else b"")

    def plot_failure(self, sample, failure, path):
        assert self._draws, "no ink"
        path.write_bytes(PNG + failure.reason.encode())


GUESS = LabelerPlugin(
    kind="labelers",
    name="guess",
    summary="Calls everything a seven.",
    params=GuessParams,
    build=f"{__name__}:Guess",
    max_cost=lambda _: 0,
)


def campaign(labeler):
    return f"""
version: 1
name: drawn
seed: 3
pool: {{kind: digits, size: 60}}
evaluation: {{validation: 4, test: 5}}
initial: {{random: 12}}
learner: {{kind: small_cnn, width: 4, hidden: 8}}
trainer: {{kind: standard, steps: 1}}
labeler: {labeler}
sampler: {{kind: margin}}
budget: {{unit: label, total: 20, per_round: 8}}
stop: {{metric: accuracy}}
"""


ESCALATE = "{kind: escalate, accept: 0.9, steps: [{kind: guess}, {kind: dataset}]}"


@pytest.fixture(scope="module")
def known():
    registry.register(GUESS)


@pytest.fixture(scope="module")
def ran(known, tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "run"
    assert Campaign(campaign(ESCALATE), folder).run().status
    return folder


def state_of(folder):
    run = RunFolder(folder)
    with run.reading() as store:
        return run, states_of(store)[0]


def test_the_report_shows_what_was_answered_and_what_was_passed_on(ran):
    text = (ran / "report.html").read_text("utf-8")
    assert "How the labels came about" in text
    assert text.count("answered by guess, sure at 1.00</figcaption>") == 3
    assert text.count("answered by dataset</figcaption>") == 3
    files = sorted((ran / "figures").glob("label_*.png"))
    assert len(files) == 6
    assert all(file.read_bytes().startswith(PNG) for file in files)


def test_pictures_are_in_the_record_and_a_report_made_again_has_them(ran):
    store = open_store(ran, writer=False)
    try:
        assert fsck(store, FileBlobs(ran / "blobs")).ok
    finally:
        store.close()
    before = (ran / "report.html").read_text("utf-8")
    assert remake(ran).read_text("utf-8") == before


def test_what_measures_was_answered_by_the_last_step_alone(ran):
    run, state = state_of(ran)
    for purpose, wanted in (("validation", {"dataset"}), ("test", {"dataset"}), ("initial", {"guess", "dataset"})):
        queries = state.labelled(purpose)
        assert {unpack_label(run.blobs.get(Ref(q.label))).notes["answered_by"] for q in queries} == wanted
        measures = {unpack_request(run.blobs.get(Ref(q.request)), "").measures for q in queries}
        assert measures == {purpose != "initial"}
        assert purpose == "initial" or not any(query.picture for query in queries)


def test_who_answers_all_alike_is_not_told_what_measures(known, tmp_path):
    Campaign(campaign("{kind: dataset}"), tmp_path / "run").run()
    run, state = state_of(tmp_path / "run")
    requests = [unpack_request(run.blobs.get(Ref(q.request)), "") for q in state.labelled("validation", "test")]
    assert requests
    assert not any(request.measures for request in requests)
    assert "How the labels came about" not in (tmp_path / "run" / "report.html").read_text("utf-8")


def test_refusals_are_shown_and_drawing_that_fails_costs_no_report(known, tmp_path):
    Campaign(campaign("{kind: guess}"), tmp_path / "run").run()
    text = (tmp_path / "run" / "report.html").read_text("utf-8")
    assert "given up: too dark</figcaption>" in text
    silent = Campaign(campaign("{kind: guess, draws: false}"), tmp_path / "silent").run()
    assert "How the labels came about" not in silent.report.read_text("utf-8")
    assert silent.summary["labels"]


def test_a_picture_that_is_gone_costs_no_report(ran):
    _, state = state_of(ran)
    refs = {query.picture for query in state.queries.values() if query.picture}
    places = [ran / "blobs" / ref[:2] / ref[2:] for ref in refs]
    kept = {place: place.read_bytes() for place in places}
    assert kept
    try:
        for place in places:
            place.unlink()
        assert "How the labels came about" not in remake(ran).read_text("utf-8")
    finally:
        for place, content in kept.items():
            place.write_bytes(content)
