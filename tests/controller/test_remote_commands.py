"""``ask``, ``tell``, ``settle`` and ``export`` on a campaign at a controller, as on one in a folder."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file

from dataeff_al.campaign.commands import Lose
from dataeff_al.rpc import Client
from services.cli.main import run


@pytest.fixture(scope="module")
def process(tmp_path_factory, start_shared):
    """A controller in a process of its own."""
    return start_shared(tmp_path_factory.mktemp("remote") / "store")


@pytest.fixture
def said(capsys):
    """Runs a command that must end well; what it said, as JSON where that was asked for."""

    def one(*arguments, code=0):
        capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == code, capsys.readouterr().err
        out = capsys.readouterr().out
        return json.loads(out) if "--json" in arguments else out

    return one


def waiting(target, text):
    with Client(target) as client:
        campaign = client.create(text).id
        list(client.watch(campaign, until_idle=True))
    return campaign


def answer(questions, answers, more=0):
    with np.load(questions) as file:
        assert file["x"].shape == (len(file["id"]), 1, 8, 8)
        assert {"group", "range", "sample"} <= set(file.files)
        np.savez(answers, id=file["id"], label=(file["x"].sum((1, 2, 3)).astype(int) + more) % 10)


def test_a_campaign_at_a_controller_is_answered_through_files_to_its_end(process, texts, tmp_path, said):
    campaign, at = waiting(process.target, texts.ward()), ("--target", process.target)
    questions, answers, rounds = tmp_path / "q.npz", tmp_path / "a.npz", []
    while asked := said("ask", campaign, "-n", 300, "--out", questions, "--json", *at)["asked"]:
        rounds.append(asked)
        answer(questions, answers)
        assert said("tell", campaign, "--in", answers, "--json", *at)["told"] == asked
        with Client(process.target) as client:
            list(client.watch(campaign, until_idle=True))
    assert rounds[0] == 20
    assert "No query waits" in said("ask", campaign, "--out", questions, *at)
    model = tmp_path / "model.safetensors"
    said("export", campaign, "--format", "safetensors", "--out", model, *at)
    assert load_file(model)
    assert json.loads(model.with_suffix(".json").read_text(encoding="utf-8"))["labels"] == sum(rounds) - 15
    said("export", campaign, "--format", "dataset", "--out", tmp_path / "d.npz", *at, code=2)


def test_answers_are_told_once_and_leases_are_found_again(process, texts, tmp_path, said, capsys):
    campaign, at = waiting(process.target, texts.ward()), ("--target", process.target)
    first, again, answers = tmp_path / "q.npz", tmp_path / "again.npz", tmp_path / "a.npz"
    assert "holding id (n,) and label (n,)" in said("ask", campaign, "-n", 3, "--out", first, *at)
    assert said("ask", campaign, "--again", "--out", again, "--json", *at)["asked"] == 3
    with np.load(first) as one, np.load(again) as other:
        assert set(one["id"]) == set(other["id"])
    answer(first, answers)
    for told in (3, 0):
        found = said("tell", campaign, "--in", answers, "--json", *at)
        assert (found["told"], found["repeated"]) == (told, 3 - told)
    answer(first, answers, more=1)
    assert run(["tell", campaign, "--in", str(answers), *at]) == 1
    assert "must keep its first answer" in capsys.readouterr().err
    np.savez(answers, id=np.array(["nobody"]), label=np.array([1]))
    assert run(["tell", campaign, "--in", str(answers), *at]) == 1
    assert "must belong to campaign" in capsys.readouterr().err
    assert said("ask", campaign, "--again", "--out", again, "--json", *at)["asked"] == 0


def test_only_campaigns_whose_labeler_is_outside_are_asked(process, texts, tmp_path, capsys):
    campaign = waiting(process.target, texts.quick())
    assert run(["ask", campaign, "--out", str(tmp_path / "q.npz"), "--target", process.target]) == 1
    assert "only where the labeler is external" in capsys.readouterr().err


def test_attempts_of_unknown_outcome_are_settled_at_a_controller(controller, client, target, texts, said, capsys):
    campaign, at = waiting(target, texts.ward()), ("--target", target)
    lost, paid, *_ = (lease.attempt for lease in client.ask(campaign, 3))
    assert "No attempt waits" in said("settle", campaign, *at)
    for attempt in (lost, paid):
        controller.families.submit(campaign, Lose(attempt, "the line broke"))
    rows = said("settle", campaign, "--json", *at)
    assert {row["attempt"] for row in rows} == {lost, paid}
    assert {row["reason"] for row in rows} == {"the line broke"}
    assert all(row["payload"] and row["purpose"] == "validation" for row in rows)
    assert said("settle", campaign, lost, "--as", "lost", "--json", *at) == [lost]
    assert run(["settle", campaign, "nobody", "--as", "lost", *at]) == 1
    assert "must be of unknown outcome" in capsys.readouterr().err
    assert said("settle", campaign, "--all", "--as", "wasted", "--json", *at) == [paid]
    assert client.get(campaign).evaluation.wasted == 3


def test_a_controller_predicts_a_file(process, texts, tmp_path, said):
    with Client(process.target) as client:
        campaign = client.create(texts.quick()).id
        list(client.watch(campaign))
    x = np.random.default_rng(2).random((5, 1, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "x.npz", x=x, id=np.array(list("vwxyz")), mask=np.zeros((5, 8, 8), np.uint8))
    files = ("--in", tmp_path / "x.npz", "--out", tmp_path / "y.npz")
    told = said("predict", campaign, *files, "--target", process.target, "--json")
    assert told == {"predicted": 5, "out": str(tmp_path / "y.npz")}
    with np.load(tmp_path / "y.npz") as file:
        assert file["id"].tolist() == list("vwxyz")
        np.testing.assert_array_equal(file["label"], file["probabilities"].argmax(axis=1))
    assert run(["predict", "nobody", *map(str, files), "--target", process.target]) == 1
