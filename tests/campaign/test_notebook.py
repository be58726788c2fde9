import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from dataeff_al import Campaign, registry
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import (
    CapabilityError,
    ConflictError,
    DataError,
    LockedError,
    NotFoundError,
    SpecError,
    StateError,
)
from dataeff_al.labeling.types import Label, LabelFailure
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.fsck import fsck
from dataeff_al.stores.open import open_store

CLASSES = ", ".join(f'"{digit}"' for digit in range(10))
BY_HAND = f"""
version: 1
name: by-hand
seed: 3
pool: {{kind: digits, size: 120}}
evaluation: {{validation: 4, test: 5}}
initial: {{random: 6}}
learner: {{kind: small_cnn, width: 8, hidden: 16}}
trainer: {{kind: standard, steps: 4}}
labeler: {{kind: external, target: {{kind: class, classes: [{CLASSES}]}}, cost: 2}}
sampler: {{kind: margin}}
budget: {{unit: minute, total: 20, per_round: 2}}
stop: {{metric: accuracy}}
"""
TRUTH = {f"digit-{row:04d}": int(digit) for row, digit in enumerate(load_digits().target)}


def answered(questions):
    return {attempt: TRUTH[sample.id] for attempt, sample in questions}


def answer_all(campaign, at_once=6):
    while questions := campaign.ask(at_once):
        campaign.tell(answered(questions))


def check(folder):
    store = open_store(folder, writer=False)
    try:
        return fsck(store, FileBlobs(folder / "blobs"))
    finally:
        store.close()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A campaign whose queries the test itself has answered, every call for itself."""
    out = tmp_path_factory.mktemp("by-hand") / "run"
    campaign = Campaign(BY_HAND, out=out)
    answer_all(campaign)
    return out, campaign.run()


@pytest.fixture
def campaign(tmp_path):
    with Campaign(BY_HAND, out=tmp_path / "run") as campaign:
        yield campaign


def test_a_campaign_answered_by_hand_ends_with_model_report_and_a_clean_record(finished):
    out, result = finished
    assert result.status == "finished"
    assert result.report == out / "report.html"
    assert result.summary["cost"] == {
        "unit": "minute",
        "budget": 20,
        "spent": 20,
        "reserved": 0,
        "wasted": 0,
        "evaluation": 18,
        "extra": 0,
    }
    assert result.summary["labels"] == {"initial": 6, "bought": 4, "total": 10}
    assert check(out).ok


def test_the_model_predicts_arrays(finished):
    images = (load_digits().images[:7, None] / 16).astype(np.float32)
    probabilities = finished[1].model(images)
    assert probabilities.shape == (7, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    with pytest.raises(DataError, match=r"must be \(n, 1, 8, 8\), but got \(7, 8, 8\)"):
        finished[1].model(images[:, 0])


def test_a_campaign_of_the_same_answers_ends_with_the_same_model_whoever_holds_the_record_how_long(finished, tmp_path):
    with Campaign(BY_HAND, out=tmp_path / "held") as campaign:
        answer_all(campaign, at_once=4)
        result = campaign.run()
    assert result.summary["digest"] == finished[1].summary["digest"]


def test_threads_of_torch_are_as_before(finished, tmp_path):
    before = torch.get_num_threads()
    Campaign(BY_HAND, out=tmp_path / "run").run()
    assert torch.get_num_threads() == before


def test_a_new_process_goes_on_in_the_middle_with_what_was_leased(finished, tmp_path):
    out = tmp_path / "run"
    first = Campaign(BY_HAND, out=out)
    first.tell(answered(first.ask(10)))
    lost = [attempt for attempt, _ in first.ask(3)]
    first.close()
    code = (
        "import sys; from dataeff_al import Campaign; c = Campaign(sys.argv[1]);"
        "print(*[attempt for attempt, _ in c.leased()]); print(c.status.leased, c.status.waiting)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [*lost, "3", "2"]
    again = Campaign(out)
    again.tell(answered(again.leased()))
    answer_all(again)
    assert again.run().summary["digest"] == finished[1].summary["digest"]
    assert check(out).ok


def test_a_failed_call_leaves_everything_as_it_was(campaign):
    (first, _), (second, _) = campaign.ask(2)
    for wrong in (np.zeros(3, int), np.zeros((), np.float32), 10, -1, "7", Label({"other": np.array(1)})):
        with pytest.raises(DataError, match="the answer to"):
            campaign.tell({first: 1, second: wrong})
    assert campaign.status.leased == 2
    assert campaign.tell({first: 1, second: 2}).labels == 2


def test_the_same_answer_twice_is_harmless_and_another_one_is_refused(campaign):
    ((attempt, sample),) = campaign.ask(1)
    assert campaign.tell({attempt: TRUTH[sample.id]}).labels == 1
    told = campaign.tell({attempt: TRUTH[sample.id]})
    assert (told.labels, told.repeated) == (0, 1)
    with pytest.raises(ConflictError, match="keep its first answer"):
        campaign.tell({attempt: (TRUTH[sample.id] + 1) % 10})
    assert check(campaign.folder).ok


def test_an_answer_needs_a_lease(campaign):
    with pytest.raises(NotFoundError, match="a leased query of this run, but got 'made-up'"):
        campaign.tell({"made-up": 3})
    with pytest.raises(StateError, match="at least 1"):
        campaign.ask(0)


def test_what_cannot_be_answered_is_given_up(campaign):
    ((attempt, sample),) = campaign.ask(1)
    told = campaign.tell({attempt: LabelFailure("smudged")})
    assert (told.labels, told.refused) == (0, 1)
    assert campaign.tell({attempt: LabelFailure("smudged")}).repeated == 1
    assert sample.id not in {other.id for _, other in campaign.ask(100)}
    assert check(campaign.folder).ok


def test_questions_are_distinct_until_they_are_answered(campaign):
    first, second = campaign.ask(4), campaign.ask(100)
    attempts = {attempt for attempt, _ in first + second}
    assert len(attempts) == 15
    assert campaign.ask(5) == []
    assert [attempt for attempt, _ in campaign.leased()] == [attempt for attempt, _ in first + second]


def test_answers_may_come_from_a_file_and_cost_what_the_labeler_declares(campaign, tmp_path):
    questions = campaign.ask(15)
    campaign.write_questions(tmp_path / "q.npz", questions)
    with np.load(tmp_path / "q.npz") as file:
        np.testing.assert_array_equal(file["x"], np.stack([sample.fields["x"] for _, sample in questions]))
        ids, labels = file["id"], np.array([TRUTH[key] for key in file["sample"]])
    labels[3] = -1
    np.savez(tmp_path / "a.npz", id=ids, label=labels)
    assert campaign.tell_file(tmp_path / "a.npz").labels == 14
    assert campaign.status.leased == 1
    assert campaign.status.spent == 12


def test_a_paused_campaign_takes_answers_and_leases_nothing(finished, tmp_path):
    out = tmp_path / "run"
    campaign = Campaign(BY_HAND, out=out)
    questions = campaign.ask(15)
    campaign.tell(answered(questions[:5]))
    program = "from dataeff_al.stores.open import open_store; from dataeff_al.campaign.ledger import Ledger;"
    program += "from dataeff_al.campaign.commands import Pause; import sys;"
    program += "Ledger(open_store(sys.argv[1], writer=True), 'by-hand').execute(Pause(reason='lunch'))"
    subprocess.run([sys.executable, "-c", program, str(out)], check=True)
    with pytest.raises(StateError, match="paused: lunch"):
        campaign.ask()
    assert campaign.tell(answered(questions[5:])).labels == 10
    assert campaign.status.status == "paused"
    campaign.run()
    assert campaign.status.status == "running"
    answer_all(campaign)
    assert campaign.run().summary["digest"] == finished[1].summary["digest"]


def test_a_campaign_with_a_called_labeler_runs_in_one_go_and_cannot_be_asked(tmp_path):
    data = CampaignSpec.parse(BY_HAND, tmp_path).canonical()
    given = {**data, "labeler": {"kind": "dataset"}, "compare": [{"sampler": {"kind": "random"}}]}
    campaign = Campaign({**given, "budget": {"unit": "label", "total": 8, "per_round": 2}}, out=tmp_path / "run")
    assert campaign.status.status == "new"
    with pytest.raises(CapabilityError, match="answers from outside, such as external, but got 'dataset'"):
        campaign.ask()
    seen = []
    result = Campaign(tmp_path / "run", observe=lambda _, events: seen.extend(events)).run()
    assert result.status == "finished"
    assert [twin["name"] for twin in result.summary["twins"]] == ["random"]
    assert seen
    with pytest.raises(CapabilityError):
        campaign.tell({"x": 1})


def test_twins_ask_too_and_the_run_is_over_when_they_are(tmp_path):
    text = BY_HAND + "compare: [{sampler: {kind: random}}]\n"
    with Campaign(text, out=tmp_path / "run") as campaign:
        campaign.tell(answered(campaign.ask(15)))
        assert campaign.status.waiting == 4
        answer_all(campaign, at_once=1)
        assert campaign.status.status == "finished"
        assert campaign.run().summary["twins"][0]["labels"]["total"] == 10
    assert check(tmp_path / "run").ok


def test_the_status_is_readable_everywhere(campaign):
    assert str(campaign.status) == "by-hand: new"
    campaign.ask(2)
    assert str(campaign.status).startswith("by-hand: running, spent 0/20 minutes, labels 0, queries waiting 13")
    assert "<td>13</td>" in campaign._repr_html_()
    assert "running" in repr(campaign)
    hostile = replace(campaign.status, reason="<script>", name="<b>")
    assert "<script>" not in hostile.html()
    assert "<b>" not in hostile.html()


def test_two_processes_do_not_drive_one_run(campaign):
    code = "import sys; from dataeff_al import Campaign; Campaign(sys.argv[1]).ask()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(campaign.folder)], capture_output=True, text=True, check=False
    )
    assert LockedError.__name__ in done.stderr


def test_another_campaign_does_not_take_the_folder(campaign, tmp_path):
    with pytest.raises(ConflictError, match="choose another folder"):
        Campaign(BY_HAND.replace("seed: 3", "seed: 4"), out=campaign.folder)
    assert "seed: 3" in (tmp_path / "run" / "campaign.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ("nowhere.yaml", NotFoundError, "must be a file, a run's folder or YAML text, but got 'nowhere.yaml'"),
        (BY_HAND.replace("margin", "margn"), SpecError, "Did you mean 'margin'"),
        ({"version": 1}, SpecError, "pool"),
    ],
)
def test_what_is_no_campaign_is_one_plain_error(given, error, words, tmp_path):
    with pytest.raises(error, match=words):
        Campaign(given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_finds_its_files_after_both_have_moved(tmp_path):
    here = tmp_path / "here"
    here.mkdir()
    data = load_digits()
    np.savez(here / "pool.npz", x=(data.images[:60, None] / 16).astype(np.float32), label=data.target[:60])
    text = BY_HAND.replace("{kind: digits, size: 120}", "{kind: npz, file: pool.npz}")
    (here / "mine.yaml").write_text(text, encoding="utf-8")
    campaign = Campaign(here / "mine.yaml", out=here / "runs" / "mine")
    questions = campaign.ask(2)
    there = tmp_path / "there"
    shutil.move(here, there)
    moved = Campaign(there / "runs" / "mine")
    assert moved.tell({attempt: 1 for attempt, _ in questions}).labels == 2


def test_a_labeler_of_ones_own_comes_with_its_file(tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "_extra", dict(registry._extra))
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN, encoding="utf-8")
    text = BY_HAND.replace(
        f"{{kind: external, target: {{kind: class, classes: [{CLASSES}]}}, cost: 2}}", "{kind: parity}"
    )
    result = Campaign(text.replace("total: 20", "total: 8"), out=tmp_path / "run", plugins=[file]).run()
    assert result.model(np.zeros((1, 1, 8, 8), np.float32)).shape == (1, 2)


PLUGIN = """
import numpy as np
from dataeff_al.labeling.types import Label, LabelerInfo
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.samples.types import TargetSpec


class Parity:
    def __init__(self, params, context):
        target = TargetSpec("label", "class", (), classes=("dark", "light"))
        self.info = LabelerInfo(name="parity", version="1", target=target, effect="pure")

    def label(self, batch):
        return [Label({"label": np.array(int(request.sample.fields["x"].mean() > 0.3))}) for request in batch]


PLUGIN = LabelerPlugin(kind="labelers", name="parity", summary="light or dark", params=Params, build=Parity)
"""
