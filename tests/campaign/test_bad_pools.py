"""Pools and paradigms that cannot work end in one sentence, before a label is paid for."""

import json
from pathlib import Path

import numpy as np
import pytest

COUNTED = Path(__file__).parent / "data" / "counted.py"
CAMPAIGN = """
version: 1
name: bad
seed: 5
pool: {kind: npz, file: pool.npz}
evaluation: {validation: 6, test: 6}
initial: {random: 4}
generator: {kind: pca, latent_dim: 2}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 3}
labeler: {kind: counted}
sampler: {kind: margin}
budget: {unit: label, total: 8, per_round: 4}
stop: {metric: accuracy}
"""
LEARNER = """
from dataeff_al.registry import Params, Plugin
class TreeParams(Params):
    pass
def build(params, context):
    raise AssertionError("a learner that is refused must not be built")
TREE = Plugin(kind="learners", name="tree", summary="no gradient", params=TreeParams, build=build,
              offers=lambda params: frozenset({"probabilities"}))
"""


def images(n=40):
    """Bars on the left or on the right, no two alike."""
    rng = np.random.default_rng(0)
    x, label = 0.2 * rng.random((n, 1, 8, 8)), np.arange(n) % 2
    for row, side in enumerate(label):
        x[row, 0, 1:7, 1 + 4 * side] += 0.7
    return x.astype(np.float32), label


@pytest.fixture
def run(command_line, tmp_path):
    """``run(x, label, "sampler={kind: snn}")``: the code, what was said, and how many labels were paid for."""

    def start(x, label, *settings, verb="run", plugins=(COUNTED,)):
        np.savez(tmp_path / "pool.npz", x=x, label=label)
        (tmp_path / "bad.yaml").write_text(CAMPAIGN)
        options = [part for setting in settings for part in ("--set", setting)]
        named = [part for plugin in plugins for part in ("--plugin", plugin)]
        more = ("--inline", "--no-report", "--out", "run") if verb == "run" else ()
        done = command_line(tmp_path, verb, "bad.yaml", *more, *named, *options)
        invoices = tmp_path / "invoices"
        return done["code"], done["err"], len(list(invoices.iterdir())) if invoices.exists() else 0

    return start


def _spoilt():
    x, label = images()
    x[3, 0, 2, 2] = np.nan
    return x, label


@pytest.mark.parametrize(
    ("pool", "sentence"),
    [
        (_spoilt(), "'x' must be finite, but got something else in 1 sample(s), first '000003'"),
        ((np.full_like(images()[0], 0.5), images()[1]), "'x' must carry information, but got 40 constant sample(s)"),
        ((images()[0], np.zeros(40, np.int64)), "'label' must show at least two classes, but got '0' everywhere"),
        ((images()[0][:15], images()[1][:15]), "at least the 20 samples that the campaign asks for"),
    ],
)
def test_pools_that_can_teach_nothing_are_refused_before_a_label_is_paid_for(run, pool, sentence):
    code, said, paid = run(*pool)
    assert code in (1, 2)
    assert sentence in said
    assert said.count("\n") == 1
    assert paid == 0


def test_a_pool_of_copies_is_told_to_hold_copies(run):
    x, label = images(9)
    code, said, paid = run(np.tile(x, (4, 1, 1, 1)), np.tile(label, 4), "evaluation.validation=1", "evaluation.test=1")
    assert (code, paid) == (1, 0)
    assert "(8), but got" in said
    assert "copies of other samples were set apart" in said


def test_copies_are_asked_for_once(run, tmp_path):
    x, label = images(40)
    code, _, _ = run(np.tile(x, (2, 1, 1, 1)), np.tile(label, 2), "budget.total=20", "stop.target=null")
    assert code == 0
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["labels"]["total"] == 20
    invoices = [path.suffix for path in (tmp_path / "invoices").iterdir()]
    assert len(set(invoices)) == len(invoices) == 32


@pytest.mark.parametrize(
    ("generator", "sentence"),
    [
        ("{kind: conv_vae, latent_dim: 2, steps: 2, width: 4}", "a generator must learn more than the mean image"),
        ("{kind: alpha_gan, latent_dim: 2, steps: 2, width: 4}", "a generator must learn more than the mean image"),
        ("{kind: contrastive, steps: 1, width: 4, hidden: 8}", "must be below that of knowing nothing"),
    ],
)
def test_no_label_is_paid_for_when_the_generator_learnt_nothing(run, generator, sentence):
    x = np.random.default_rng(0).random((40, 1, 8, 8)).astype(np.float32)
    code, said, paid = run(x, images()[1], f"generator={generator}")
    assert (code, paid) == (1, 0)
    assert sentence in said


@pytest.mark.parametrize("verb", ["validate", "run"])
def test_a_walk_needs_a_learner_with_gradients(run, tmp_path, verb):
    plugin = tmp_path / "tree.py"
    plugin.write_text(LEARNER)
    changes = ("learner={kind: tree}", "sampler={kind: snn}")
    code, said, paid = run(*images(), *changes, verb=verb, plugins=(COUNTED, plugin))
    assert (code, paid) == (2, 0)
    assert "snn needs 'gradient' (a learner with a differentiable loss), but got parts that offer only" in said
