import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from dataeff_al import registry
from dataeff_al.errors import DataError
from dataeff_al.samples.file_pool import file_pool
from dataeff_al.samples.npz import read_samples
from services.cli.main import run

LABELERS = '''
import numpy as np
from pathlib import Path
from dataeff_al.labeling.types import Deferred, Label, LabelerInfo, LabelFailure
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.samples.file_pool import file_pool
from dataeff_al.samples.types import TargetSpec


class FussyParams(Params):
    refuse_above: float = 2.0
    stop_after: int = 1000


class Fussy:
    """Answers the mean of each sample; refuses bright ones, raises on 'boom', is unsure of 'hm', and may be stopped."""

    def __init__(self, params, context):
        self.params, self.answered = params, 0
        target = TargetSpec("y", "values", (1,), channels=("mean",), unit="ink")
        self.info = LabelerInfo(name="fussy", version="1", target=target, effect="blind", preferred_batch=1)

    def label(self, batch):
        return [self.one(request) for request in batch]

    def one(self, request):
        if self.answered >= self.params.stop_after:
            raise KeyboardInterrupt
        self.answered += 1
        if request.sample.id == "boom":
            raise ZeroDivisionError("boom")
        mean = float(np.mean(request.sample.fields["x"]))
        if mean > self.params.refuse_above:
            return LabelFailure("too bright")
        label = Label({"y": np.array([mean])})
        return Deferred(label, 0.25, "faint") if request.sample.id == "hm" else label

    def plot(self, sample, label, path):
        path.write_text(f"{sample.id} {float(label.target['y'][0]):.3f}")


def read_text(params, path):
    rows = np.loadtxt(path, dtype=np.float32, ndmin=2)
    np.savez(path.with_suffix(".tmp.npz"), x=rows)
    return file_pool(path.with_suffix(".tmp.npz"), answered=False)


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="fussy",
    summary="means",
    params=FussyParams,
    build=Fussy,
    reader="dataeff_al_plugin_fussy:read_text",
)
'''


@pytest.fixture(autouse=True)
def _no_plugin_stays(monkeypatch):
    monkeypatch.setattr(registry, "_extra", dict(registry._extra))


@pytest.fixture
def digits(tmp_path):
    """A file of five digits whose ids say what the fussy labeler does with them."""
    data = load_digits()
    images = (data.images[:5, None] / 16).astype(np.float32)
    ids = np.array(["0", "boom", "2", "hm", "4"])
    np.savez(tmp_path / "x.npz", x=images, id=ids, group=np.array(list("aabbb")), label=data.target[:5])
    return tmp_path / "x.npz"


@pytest.fixture
def fussy(tmp_path):
    (tmp_path / "fussy.py").write_text(LABELERS, encoding="utf-8")
    return ["--plugin", str(tmp_path / "fussy.py")]


def label(name, source, out, *more):
    return run(["label", name, "--in", str(source), "--out", str(out), *more])


def test_known_answers_are_written_under_the_keys_of_the_contract(digits, tmp_path):
    command = [sys.executable, "-c", "from services.cli.main import main; main()", "label", "dataset"]
    command += ["--in", str(digits), "--out", str(tmp_path / "y.npz"), "--plot", str(tmp_path / "plots"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"labelled": 5, "failed": 0, "out": str(tmp_path / "y.npz")}
    with np.load(tmp_path / "y.npz") as file:
        assert sorted(file) == ["classes", "group", "id", "label"]
        np.testing.assert_array_equal(file["label"], load_digits().target[:5])
        assert file["label"].dtype == np.int64
        assert file["id"].tolist() == ["0", "boom", "2", "hm", "4"]
        assert file["group"].tolist() == list("aabbb")
    pictures = sorted((tmp_path / "plots").iterdir())
    assert [path.name for path in pictures] == [
        "0000-0.png",
        "0001-boom.png",
        "0002-2.png",
        "0003-hm.png",
        "0004-4.png",
    ]
    with Image.open(pictures[0]) as picture:
        assert min(picture.size) > 200


def test_each_failure_is_told_and_stands_as_a_missing_answer(digits, tmp_path, fussy, capsys):
    assert label("fussy", digits, tmp_path / "y.npz", *fussy, "--set", "refuse_above=0.32") == 0
    said = capsys.readouterr()
    assert "boom: infra: labeler 'fussy' raised ZeroDivisionError('boom')\n" in said.err
    assert "hm: unsure at 0.25: faint\n" in said.err
    assert "4: refused: too bright\n" not in said.err
    means = load_digits().images[:5].mean(axis=(1, 2)) / 16
    refused = means > 0.32
    assert said.err.count("too bright") == refused[[0, 2, 3, 4]].sum() > 0
    with np.load(tmp_path / "y.npz") as file:
        missing = np.isnan(file["y"][:, 0])
        assert missing.tolist() == (refused | np.array([0, 1, 0, 0, 0], bool)).tolist()
        np.testing.assert_allclose(file["y"][~missing, 0], means[~missing], rtol=1e-6)
        assert file["y"].dtype == np.float32
        assert np.isnan(file["confidence"]).tolist() == [True, True, True, False, True]
        assert file["confidence"][3] == np.float32(0.25)


def test_nothing_labelled_is_a_failure(digits, tmp_path, fussy, capsys):
    assert label("fussy", digits, tmp_path / "y.npz", *fussy, "--set", "refuse_above=-1") == 1
    assert "0 of 5 samples labelled" in capsys.readouterr().out
    with np.load(tmp_path / "y.npz") as file:
        assert np.isnan(file["y"]).all()


def test_answers_that_were_paid_for_survive_an_interruption(digits, tmp_path, fussy, capsys):
    assert label("fussy", digits, tmp_path / "y.npz", *fussy, "--set", "stop_after=3") == 1
    assert capsys.readouterr().err.endswith("Interrupted.\n")
    with np.load(tmp_path / "y.npz") as file:
        assert np.isnan(file["y"][:, 0]).tolist() == [False, True, False, True, True]


def test_a_labeler_draws_its_own_pictures_and_only_so_many(digits, tmp_path, fussy):
    assert label("fussy", digits, tmp_path / "y.npz", *fussy, "--plot", str(tmp_path / "p"), "--plots", "2") == 0
    names = sorted(path.name for path in (tmp_path / "p").iterdir())
    assert names == ["0000-0.png", "0002-2.png"]
    assert (tmp_path / "p" / names[0]).read_text(encoding="utf-8").startswith("0 0.")


def test_a_labeler_may_read_its_own_files(tmp_path, fussy, capsys):
    (tmp_path / "rows.txt").write_text("1 2 3\n4 5 6\n", encoding="utf-8")
    assert label("fussy", tmp_path / "rows.txt", tmp_path / "y.npz", *fussy, "--set", "refuse_above=9") == 0
    with np.load(tmp_path / "y.npz") as file:
        assert file["y"][:, 0].tolist() == [2, 5]
    assert label("dataset", tmp_path / "rows.txt", tmp_path / "y.npz") == 2
    assert "reads npz files of samples, but got 'rows.txt'" in capsys.readouterr().err


def test_stress_is_nan_outside_tissue_and_in_samples_that_are_no_section(tmp_path, capsys):
    grid = np.hypot(*np.meshgrid(np.arange(32) - 15.5, np.arange(32) - 15.5))
    ring = np.where(grid < 6, 1, np.where(grid < 12, 2, 0)).astype(np.uint8)
    np.savez(tmp_path / "x.npz", mask=np.stack([ring, np.zeros_like(ring)]), pixel_size_mm=np.array(0.1))
    out = tmp_path / "y.npz"
    given = ["--set", "lumen_pressure_kpa=12", "--set", "channels=[von_mises]", "--with-samples"]
    assert label("fem_stress", tmp_path / "x.npz", out, *given, "--plot", str(tmp_path / "plots")) == 0
    assert "000001: refused: " in capsys.readouterr().err
    with np.load(out) as file:
        assert file["channels"].tolist() == ["von_mises"]
        assert file["pixel_size_mm"] == 0.1
        assert np.isfinite(file["stress"][0, 0]).tolist() == (ring == 2).tolist()
        assert np.isnan(file["stress"][1]).all()
    assert read_samples(out).target.unit == "kPa"
    names = sorted(path.name for path in (tmp_path / "plots").iterdir())
    assert names == ["0000-000000.png", "0001-000001.png"]
    with Image.open(tmp_path / "plots" / names[0]) as answer, Image.open(tmp_path / "plots" / names[1]) as refusal:
        assert answer.size[0] > 900
        assert refusal.size[0] > 600


@pytest.mark.parametrize(
    ("name", "more", "words"),
    [
        ("datset", [], "Did you mean 'dataset'?"),
        ("dataset", ["--set", "delay=1"], "--set delay: a key here must be one of cost, delay_s, kind"),
        ("dataset", ["--set", "delay_s=-1"], "--set delay_s: must be at least 0.0, but got -1"),
        ("dataset", ["--set", "delay_s"], "must have the form key.path=value"),
        ("external", ["--set", "target.kind=class", "--set", "target.classes=[a, b]"], "one that can be called"),
        ("fem_stress", [], "with a mask"),
    ],
)
def test_wrong_use_is_one_sentence_and_writes_nothing(name, more, words, digits, tmp_path, capsys):
    assert label(name, digits, tmp_path / "y.npz", *more) in (1, 2)
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "y.npz").exists()


def test_a_file_without_answers_is_refused_before_anything_is_asked(digits, tmp_path, capsys):
    np.savez(tmp_path / "plain.npz", x=read_samples(digits).samples[0].fields["x"][None])
    assert label("dataset", tmp_path / "plain.npz", tmp_path / "y.npz") == 2
    assert "answers must be in the file" in capsys.readouterr().err
    assert label("dataset", digits, tmp_path / "no" / "y.npz") == 1
    assert "in an existing folder" in capsys.readouterr().err
    assert label("dataset", digits, tmp_path / "y.npz", "--plot", str(digits)) == 1
    assert "pictures must go to a folder" in capsys.readouterr().err
    assert not (tmp_path / "y.npz").exists()


def test_one_sample_alone_can_be_labelled(tmp_path):
    np.savez(tmp_path / "x.npz", x=np.ones((1, 3), np.float32), label=np.array([1]))
    assert label("dataset", tmp_path / "x.npz", tmp_path / "y.npz") == 0


def test_a_pool_around_a_file_holds_every_input_and_answers_only_where_asked(tmp_path):
    masks = np.zeros((2, 8, 8), np.uint8)
    masks[:, 2:5] = 1
    x = np.random.default_rng(0).random((2, 1, 8, 8), np.float32)
    np.savez(tmp_path / "x.npz", x=x, mask=masks, label=np.array([-1, 7]))
    pool = file_pool(tmp_path / "x.npz", answered=False)
    assert set(pool.spec.fields) == {"x", "mask"}
    assert pool.spec.input == "x"
    assert not hasattr(pool, "answers")
    np.testing.assert_array_equal(pool.read(pool.ids())[1].fields["mask"], masks[1])
    assert file_pool(tmp_path / "x.npz", answered=True).target.kind == "mask"
    np.savez(tmp_path / "bad.npz", x=x * np.nan)
    with pytest.raises(DataError, match=r"bad\.npz"):
        file_pool(tmp_path / "bad.npz", answered=False)
