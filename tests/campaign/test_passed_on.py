"""Labelers that answer what they are sure of and leave the rest, with a draft, to people."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from dataeff_al import Campaign
from dataeff_al.campaign.state_json import blocks_of, head_of, state_from
from dataeff_al.errors import CapabilityError, StateError
from dataeff_al.labeling.types import Label, LabelerInfo, LabelFailure
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.samples.types import TargetSpec
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store

CLASSES = tuple(str(digit) for digit in range(10))
TRUTH = {f"digit-{row:04d}": int(digit) for row, digit in enumerate(load_digits().target)}
NAMES = ", ".join(f'"{name}"' for name in CLASSES)
PEOPLE = f"{{kind: external, cost: 2, lease_s: 5000, target: {{kind: class, classes: [{NAMES}]}}, instructions: Look.}}"
SPEC = f"""
version: 1
name: halves
seed: 3
pool: {{kind: digits, size: 90}}
evaluation: {{validation: 4, test: 5}}
initial: {{random: 9}}
learner: {{kind: small_cnn, width: 4, hidden: 8}}
trainer: {{kind: standard, steps: 1}}
labeler: {{kind: escalate, accept: 0.9, steps: [{{kind: half_sure}}, {PEOPLE}]}}
sampler: {{kind: random}}
budget: {{unit: minute, total: 60, per_round: 9}}
stop: {{metric: accuracy}}
"""


class HalfSure:
    """Sure of every third digit, guesses a seven at another third, and cannot say anything of the rest."""

    def __init__(self, params, context):
        target = TargetSpec("label", "class", (), CLASSES)
        self.info = LabelerInfo("half_sure", "1", target, "pure", cost=1, max_cost=1)

    def label(self, batch):
        return [self._answer(str(request.sample.id)) for request in batch]

    def _answer(self, name):
        kind = int(name[-4:]) % 3
        if kind == 2:
            return LabelFailure("too dark")
        return Label({"label": np.int64(7 if kind else TRUTH[name])}, cost=1, confidence=0.2 if kind else 1.0)


HALF_SURE = LabelerPlugin(
    kind="labelers",
    name="half_sure",
    summary="Sure of a third.",
    params=Params,
    build=f"{__name__}:HalfSure",
    max_cost=lambda _: 1,
)


def begun(folder, text=SPEC):
    return Campaign(text, out=folder, plugins=[HALF_SURE])


def truth(questions):
    return {attempt: TRUTH[sample.id] for attempt, sample in questions}


def states(folder):
    store = open_store(folder, writer=False)
    try:
        report = fsck(store, FileBlobs(folder / "blobs"))
        assert report.ok, str(report)
    finally:
        store.close()
    return begun(folder)._states()


def test_what_a_labeler_is_unsure_of_waits_for_people_with_a_draft(tmp_path):
    campaign = begun(tmp_path / "run")
    questions = campaign.ask(100)
    assert campaign.instructions == "Look."
    unsure = [sample for _, sample in questions if "draft_label" in sample.fields]
    assert unsure
    assert {int(sample.fields["draft_label"]) for sample in unsure} == {7}
    assert all(int(str(sample.id)[-4:]) % 3 == 1 for sample in unsure)
    # Nine that measure, whatever the labeler would have said; of the others those that it was not sure of.
    first = [query for query in states(tmp_path / "run")[0].queries.values() if query.purpose == "initial"]
    sure = [query for query in first if int(query.payload[-4:]) % 3 == 0]
    assert len(questions) == 9 + len(first) - len(sure)
    assert all(query.label is not None for query in sure)
    assert [question.attempt for question in campaign.leased()] == [question.attempt for question in questions]


def test_a_campaign_of_both_comes_to_its_end_and_every_label_is_true(tmp_path):
    folder, answered = tmp_path / "run", 0
    while questions := begun(folder).ask(7):
        # Another process each time: everything is in the record.
        told = begun(folder).tell(truth(questions))
        answered += told.labels
    (state,) = states(folder)
    assert state.status == "finished"
    account = state.accounts["queries"]
    # A draft that people replaced is paid as well; nothing else is lost.
    assert account.spent + account.wasted > 60 - 2 * 3
    assert account.reserved == 0
    assert account.wasted > 0
    assert f"spent {account.spent}/60 minutes ({account.wasted} wasted)" in str(begun(folder).status)
    labelled = state.labelled("initial", "acquire")
    assert answered == sum(query.passed_on for query in state.queries.values() if query.label)
    assert {query.passed_on for query in labelled} == {True, False}
    again = state_from(state.id, head_of(state), blocks_of(state).values())
    assert again == state


def test_a_state_with_queries_handed_on_survives_its_snapshot(tmp_path):
    campaign = begun(tmp_path / "run")
    campaign.ask(3)
    (state,) = states(tmp_path / "run")
    assert len(state.handed) > 3
    again = state_from(state.id, head_of(state), blocks_of(state).values())
    assert again == state
    assert again.handed.first(100) == state.handed.first(100)


def test_drafts_are_in_the_file_of_questions_and_no_draft_is_no_answer(tmp_path):
    campaign = begun(tmp_path / "run")
    questions = campaign.ask(100)
    campaign.write_questions(tmp_path / "q.npz", questions)
    with np.load(tmp_path / "q.npz") as file:
        drafts = {str(name): int(draft) for name, draft in zip(file["sample"], file["draft_label"], strict=True)}
    shown = {str(sample.id): int(sample.fields.get("draft_label", -1)) for _, sample in questions}
    assert drafts == shown
    assert set(drafts.values()) == {-1, 7}


def test_people_may_give_back_what_was_passed_on(tmp_path):
    campaign = begun(tmp_path / "run")
    (question, *_) = campaign.ask(100)
    campaign.tell({question.attempt: LabelFailure("cannot be read", "refused")})
    (state,) = states(tmp_path / "run")
    assert state.queries[state.attempts[question.attempt].query].status == "dead_letter"


def test_people_do_not_answer_for_the_labeler(tmp_path):
    campaign = begun(tmp_path / "run")
    campaign.ask(1)
    (state,) = states(tmp_path / "run")
    sure = next(query for query in state.labelled("initial"))
    (attempt,) = (attempt.id for attempt in state.attempts.values() if attempt.query == sure.id)
    with pytest.raises(StateError, match="leased by ask"):
        campaign.tell({attempt: 3})


def test_people_have_their_own_time(tmp_path):
    campaign = begun(tmp_path / "run")
    (question,) = campaign.ask(1)
    (state,) = states(tmp_path / "run")
    others = [attempt.deadline for attempt in state.attempts.values() if attempt.id != question.attempt]
    assert state.attempts[question.attempt].deadline > max(others) + 3000


def test_nobody_is_asked_where_every_step_is_called(tmp_path):
    text = SPEC.replace(PEOPLE, "{kind: dataset}").replace("halves", "called")
    with pytest.raises(CapabilityError, match="answers from outside"):
        begun(tmp_path / "run", text).ask()
