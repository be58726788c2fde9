import json
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits

from services.cli.main import run

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
labeler:
  kind: external
  target: {{kind: class, classes: [{CLASSES}]}}
  instructions: Look twice at sevens.
sampler: {{kind: margin}}
budget: {{unit: look, total: 8, per_round: 2}}
stop: {{metric: accuracy}}
"""


@pytest.fixture
def folder(tmp_path):
    """A run that waits for its first answers."""
    (tmp_path / "by-hand.yaml").write_text(BY_HAND, encoding="utf-8")
    out = tmp_path / "run"
    assert run(["run", str(tmp_path / "by-hand.yaml"), "--inline", "--out", str(out), "--json"]) == 4
    return out


def program(*given):
    code = "from services.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *map(str, given)], capture_output=True, text=True, check=False)


def answer(questions, answers, wrong=0):
    """Play the human: answer every question of a file."""
    with np.load(questions) as file:
        rows = [int(name.removeprefix("digit-")) for name in file["sample"]]
        np.testing.assert_array_equal(file["x"][:, 0] * 16, load_digits().images[rows])
        labels = (load_digits().target[rows] + wrong) % 10
        np.savez(answers, id=file["id"], label=labels)
    return len(rows)


def test_a_campaign_is_answered_through_files_to_its_end(folder, tmp_path):
    asked = program("ask", folder, "-n", 4, "--out", tmp_path / "q.npz")
    assert (asked.returncode, asked.stderr) == (0, "")
    assert "Look twice at sevens." in asked.stdout
    assert "label (n,): 0, 1, 2" in asked.stdout
    assert answer(tmp_path / "q.npz", tmp_path / "a.npz") == 4
    told = program("tell", folder, "--in", tmp_path / "a.npz")
    assert (told.returncode, told.stderr) == (0, "")
    assert "4 new answers, 0 known before." in told.stdout
    rounds = 0
    while run(["ask", str(folder), "-n", "20", "--out", str(tmp_path / f"q{rounds}.npz")]) == 0:
        if not (tmp_path / f"q{rounds}.npz").exists():
            break
        answer(tmp_path / f"q{rounds}.npz", tmp_path / "a.npz")
        assert run(["tell", str(folder), "--in", str(tmp_path / "a.npz")]) == 0
        rounds += 1
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert rounds == 2
    assert summary["labels"] == {"initial": 6, "bought": 2, "total": 8}
    assert (folder / "report.html").is_file()
    assert run(["fsck", str(folder)]) == 0


def test_asked_again_are_the_questions_that_have_no_answer(folder, tmp_path, capsys):
    assert run(["ask", str(folder), "-n", "3", "--out", str(tmp_path / "q.npz")]) == 0
    assert run(["ask", str(folder), "--again", "--out", str(tmp_path / "again.npz")]) == 0
    with np.load(tmp_path / "q.npz") as first, np.load(tmp_path / "again.npz") as again:
        np.testing.assert_array_equal(first["id"], again["id"])
    answer(tmp_path / "q.npz", tmp_path / "a.npz")
    assert run(["tell", str(folder), "--in", str(tmp_path / "a.npz")]) == 0
    capsys.readouterr()
    assert run(["ask", str(folder), "--again", "--out", str(tmp_path / "none.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["asked"] == 0
    assert not (tmp_path / "none.npz").exists()


def test_told_twice_is_told_once_and_otherwise_is_refused(folder, tmp_path, capsys):
    run(["ask", str(folder), "-n", "3", "--out", str(tmp_path / "q.npz")])
    answer(tmp_path / "q.npz", tmp_path / "a.npz")
    capsys.readouterr()
    for told in (3, 0):
        assert run(["tell", str(folder), "--in", str(tmp_path / "a.npz"), "--json"]) == 0
        assert json.loads(capsys.readouterr().out) == {"told": told, "repeated": 3 - told, "status": "running"}
    answer(tmp_path / "q.npz", tmp_path / "b.npz", wrong=1)
    assert run(["tell", str(folder), "--in", str(tmp_path / "b.npz")]) == 1
    assert "must keep its first answer" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"label": np.zeros((3, 2), np.int64)}, "'label' must be (n, *()), but got (3, 2)"),
        ({"label": np.full(3, 10)}, "codes below 10"),
        ({"mask": np.zeros((3, 8, 8), np.uint8)}, "must hold 'label'"),
        ({"label": np.ones(3, np.int64), "id": np.array(["a", "b", "c"])}, "a leased query of this run, but got 'a'"),
    ],
)
def test_answers_of_another_form_are_refused_whole(arrays, words, folder, tmp_path, capsys):
    run(["ask", str(folder), "-n", "3", "--out", str(tmp_path / "q.npz")])
    with np.load(tmp_path / "q.npz") as file:
        np.savez(tmp_path / "a.npz", **{"id": file["id"], **arrays})
    capsys.readouterr()
    assert run(["tell", str(folder), "--in", str(tmp_path / "a.npz")]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    run(["ask", str(folder), "--again", "--out", str(tmp_path / "q.npz"), "--json"])
    assert json.loads(capsys.readouterr().out)["asked"] == 3


def test_only_a_run_whose_labeler_is_outside_can_be_asked(tmp_path, capsys):
    text = BY_HAND[: BY_HAND.index("labeler:")] + "labeler: {kind: dataset}\n" + BY_HAND[BY_HAND.index("sampler:") :]
    (tmp_path / "known.yaml").write_text(text, encoding="utf-8")
    out = tmp_path / "run"
    assert run(["run", str(tmp_path / "known.yaml"), "--inline", "--out", str(out), "--json"]) == 0
    capsys.readouterr()
    assert run(["ask", str(out), "--out", str(tmp_path / "q.npz")]) == 2
    assert "answers from outside, such as external, but got 'dataset'" in capsys.readouterr().err
    assert run(["ask", str(tmp_path), "--out", str(tmp_path / "q.npz")]) == 1
    assert "a run's folder must hold campaign.yaml" in capsys.readouterr().err
    assert run(["ask", str(out), "--out", str(tmp_path / "no" / "q.npz")]) == 1
    assert "in an existing folder" in capsys.readouterr().err
