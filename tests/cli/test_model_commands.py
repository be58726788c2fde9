import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from sklearn.datasets import load_digits

from dataeff_al import Campaign
from dataeff_al.campaign import exporting_onnx
from dataeff_al.samples.npz import read_samples
from dataeff_al.vessel.tissues import TISSUES
from services.cli.main import run

DIGITS = """
version: 1
name: digits
seed: 5
pool: {kind: digits, size: 150}
evaluation: {validation: 10, test: 12}
initial: {random: 10}
generator: {kind: pca, latent_dim: 3}
learner: {kind: small_cnn, width: 8, hidden: 16}
trainer: {kind: standard, steps: 6}
labeler: {kind: dataset}
sampler: {kind: snn}
budget: {unit: label, total: 16, per_round: 3}
stop: {metric: accuracy}
compare: [{sampler: {kind: random}}]
"""
STRESS = """
version: 1
name: stress
seed: 5
pool: {kind: npz, file: sections.npz}
evaluation: {validation: 2, test: 3}
initial: {random: 4}
learner: {kind: unet}
trainer: {kind: standard, steps: 2, ensemble: rounds}
labeler: {kind: dataset}
sampler: {kind: random}
budget: {unit: label, total: 6, per_round: 2}
stop: {metric: nmse}
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A finished run over digits."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    Campaign(DIGITS, out=folder).run()
    return folder


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A file of digits under names of their own."""
    path = tmp_path_factory.mktemp("images") / "x.npz"
    x = (load_digits().images[200:206, None] / 16).astype(np.float32)
    np.savez(path, x=x, id=np.array(list("uvwxyz")), group=np.array(list("aabbcc")))
    return path


@pytest.fixture(scope="module")
def stress(tmp_path_factory):
    """A finished run over small vessel sections, whose pool is a file beside the campaign file."""
    folder = tmp_path_factory.mktemp("stress")
    sections(folder / "sections.npz", 20)
    (folder / "stress.yaml").write_text(STRESS, encoding="utf-8")
    Campaign(folder / "stress.yaml", out=folder / "runs" / "stress").run()
    return folder / "runs" / "stress"


def sections(path, n, side=16, pixel_size_mm=0.2):
    """Rings of different width with a made-up stress that grows towards the lumen."""
    rng = np.random.default_rng(n)
    radius = np.hypot(*np.meshgrid(np.arange(side) - side / 2 + 0.5, np.arange(side) - side / 2 + 0.5))
    inner, outer = rng.uniform(2, 3.5, (n, 1, 1)), rng.uniform(5, 7, (n, 1, 1))
    mask = np.where(radius < inner, 1, np.where(radius < outer, 2, 0)).astype(np.uint8)
    mask[(mask == 2) & (rng.random(mask.shape) < 0.2)] = 4
    field = np.where(mask > 1, 60 / (radius + inner), np.nan)[:, None].astype(np.float32)
    channels = np.array(["first_principal"])
    pixel = np.array(pixel_size_mm)
    np.savez(path, mask=mask, stress=field, channels=channels, classes=np.array(TISSUES), pixel_size_mm=pixel)


def program(*given):
    code = "from services.cli.main import main; main()"
    return subprocess.run([sys.executable, "-c", code, *map(str, given)], capture_output=True, text=True, check=False)


def test_a_run_predicts_a_file_of_samples(digits, images, tmp_path):
    done = program("predict", digits, "--in", images, "--out", tmp_path / "y.npz")
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 samples predicted" in done.stdout
    with np.load(tmp_path / "y.npz") as file:
        assert file["id"].tolist() == list("uvwxyz")
        assert file["group"].tolist() == list("aabbcc")
        assert file["probabilities"].shape == (6, 10)
        np.testing.assert_array_equal(file["label"], file["probabilities"].argmax(axis=1))
        np.testing.assert_allclose(file["confidence"], file["probabilities"].max(axis=1))
        again = Campaign(digits).run().model(np.load(images)["x"])
        np.testing.assert_array_equal(file["probabilities"], again)


def test_predicted_stress_is_nan_outside_tissue(stress, tmp_path):
    sections(tmp_path / "x.npz", 5)
    assert run(["predict", str(stress), "--in", str(tmp_path / "x.npz"), "--out", str(tmp_path / "y.npz")]) == 0
    with np.load(tmp_path / "y.npz") as file, np.load(tmp_path / "x.npz") as given:
        assert file["stress"].shape == (5, 1, 16, 16)
        assert file["stress"].dtype == np.float32
        np.testing.assert_array_equal(np.isfinite(file["stress"][:, 0]), given["mask"] > 1)
        assert file["channels"].tolist() == ["first_principal"]
        assert file["pixel_size_mm"] == 0.2


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((2, 1, 9, 9), np.float32)}, "'x' must be (n, 1, 8, 8) as the model was trained"),
        ({"x": np.zeros((2, 64), np.float32)}, "must be (n, 1, 8, 8)"),
        ({"x": np.full((2, 1, 8, 8), 16, np.float32)}, "'x' must lie in 0 to 1"),
        ({"x": np.full((2, 1, 8, 8), np.nan, np.float32)}, "'x' must be finite"),
        ({"mask": np.zeros((2, 8, 8), np.uint8)}, "must hold 'x'"),
    ],
)
def test_samples_of_another_form_are_refused_in_one_sentence(arrays, words, digits, tmp_path, capsys):
    np.savez(tmp_path / "x.npz", **arrays)
    assert run(["predict", str(digits), "--in", str(tmp_path / "x.npz"), "--out", str(tmp_path / "y.npz")]) == 1
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "y.npz").exists()


def test_another_pixel_size_is_refused(stress, tmp_path, capsys):
    sections(tmp_path / "x.npz", 3, pixel_size_mm=0.1)
    assert run(["predict", str(stress), "--in", str(tmp_path / "x.npz"), "--out", str(tmp_path / "y.npz")]) == 1
    assert "'pixel_size_mm' must be 0.2 as the model was trained, but got 0.1." in capsys.readouterr().err


def test_a_model_is_exported_with_its_card(digits, tmp_path):
    assert run(["export", str(digits), "--format", "safetensors", "--out", str(tmp_path / "mine.safetensors")]) == 0
    content = (tmp_path / "mine.safetensors").read_bytes()
    card = json.loads((tmp_path / "mine.json").read_text(encoding="utf-8"))
    assert card["digest"] == hashlib.sha256(content).hexdigest()
    assert load_file(tmp_path / "mine.safetensors")
    assert run(["export", str(digits), "--format", "safetensors", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "model.safetensors").read_bytes() == content


def test_a_changed_model_is_not_used(digits, images, tmp_path, capsys):
    copy = tmp_path / "run"
    copy.mkdir()
    for name in ("campaign.yaml", "model.json", "model.safetensors"):
        (copy / name).write_bytes((digits / name).read_bytes())
    spoiled = bytearray((copy / "model.safetensors").read_bytes())
    spoiled[-1] ^= 1
    (copy / "model.safetensors").write_bytes(spoiled)
    assert run(["predict", str(copy), "--in", str(images), "--out", str(tmp_path / "y.npz")]) == 1
    assert "must have the digest" in capsys.readouterr().err
    (copy / "model.safetensors").unlink()
    assert run(["export", str(copy), "--format", "safetensors", "--out", str(tmp_path / "m")]) == 1
    assert "the run must have trained a model" in capsys.readouterr().err


@pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in exporting_onnx.PACKAGES),
    reason="the packages of the extra onnx are not installed",
)
@pytest.mark.parametrize("name", ["digits", "stress"])
def test_the_onnx_graph_predicts_what_the_run_predicts(name, request, images, tmp_path, capfd):
    import onnxruntime

    folder, out = request.getfixturevalue(name), tmp_path / "model.onnx"
    assert run(["export", str(folder), "--format", "onnx", "--out", str(out)]) == 0
    assert capfd.readouterr().err == ""
    card = json.loads((tmp_path / "model.onnx.json").read_text(encoding="utf-8"))
    assert card["largest_relative_difference"] < 1e-4
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    model = Campaign(folder).run().model
    if name == "digits":
        given = np.load(images)["x"]
        tensor = given
    else:
        sections(tmp_path / "x.npz", 5)
        given = np.load(tmp_path / "x.npz")["mask"]
        tensor = (given[:, None] == np.arange(len(TISSUES))[:, None, None]).astype(np.float32)
    (found,) = session.run(None, {"x": tensor})
    wanted = model(given)
    known = np.isfinite(wanted)
    np.testing.assert_allclose(found[known], wanted[known], rtol=1e-4, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir() if "onnx" in path.name) == ["model.onnx", "model.onnx.json"]


def test_onnx_without_its_packages_names_the_extra(digits, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(exporting_onnx, "PACKAGES", ("onnx", "no_such_runtime"))
    assert run(["export", str(digits), "--format", "onnx", "--out", str(tmp_path / "m.onnx")]) == 2
    said = capsys.readouterr().err
    assert "dataeff-al[onnx]" in said
    assert "no_such_runtime" in said


def test_the_labelled_samples_are_exported_with_their_provenance(digits, tmp_path):
    out = tmp_path / "all.npz"
    assert run(["export", str(digits), "--format", "dataset", "--out", str(out)]) == 0
    truth = load_digits().target
    with np.load(out) as file:
        rows = [int(name.removeprefix("digit-")) for name in file["id"]]
        np.testing.assert_array_equal(file["label"], truth[rows])
        purposes, counts = np.unique(file["purpose"], return_counts=True)
        found = dict(zip(purposes.tolist(), counts.tolist(), strict=True))
        assert found == {"initial": 10, "acquire": 6, "validation": 10, "test": 12}
        acquired = file["purpose"] == "acquire"
        assert file["round"][acquired].tolist() == [1, 1, 1, 2, 2, 2]
        assert set(file["campaign"]) == {"digits"}
        assert (file["cost"] == 1).all()
        assert np.isfinite(file["latent"][acquired]).all()
        assert np.isnan(file["latent"][~acquired]).all()
        assert (file["parent"][acquired] != "").all()
    file = read_samples(out)
    np.testing.assert_array_equal(file.samples[0].fields["x"][0] * 16, load_digits().images[rows[0]])


def test_an_exported_set_can_be_narrowed_and_widened(digits, tmp_path):
    given = ["export", str(digits), "--format", "dataset", "--out", str(tmp_path / "some.npz")]
    assert run([*given, "--part", "training"]) == 0
    with np.load(tmp_path / "some.npz") as file:
        assert set(file["purpose"]) == {"initial", "acquire"}
    assert run([*given, "--part", "training", "--twins"]) == 0
    with np.load(tmp_path / "some.npz") as file:
        assert set(file["campaign"]) == {"digits", "digits.random"}
        assert len(set(file["id"])) == len(file["id"]) > 16
    assert run([*given, "--part", "evaluation"]) == 0
    with np.load(tmp_path / "some.npz") as file:
        assert set(file["purpose"]) == {"validation", "test"}


def test_exported_stress_can_be_the_pool_and_the_first_labels_of_another_campaign(stress, tmp_path):
    out = tmp_path / "mine.npz"
    assert run(["export", str(stress), "--format", "dataset", "--part", "training", "--out", str(out)]) == 0
    pool = stress.parent.parent / "sections.npz"
    (tmp_path / "sections.npz").write_bytes(pool.read_bytes())
    text = STRESS.replace("{random: 4}", "{labels: mine.npz}").replace("total: 6", "total: 2")
    (tmp_path / "next.yaml").write_text(text, encoding="utf-8")
    result = Campaign(tmp_path / "next.yaml", out=tmp_path / "next").run()
    assert result.summary["labels"] == {"initial": 6, "bought": 2, "total": 8}


@pytest.mark.parametrize("form", ["safetensors", "onnx", "dataset"])
def test_a_folder_that_is_no_run_is_refused(form, tmp_path, capsys):
    assert run(["export", str(tmp_path), "--format", form, "--out", str(tmp_path / "x")]) == 1
    assert "a run's folder must hold campaign.yaml" in capsys.readouterr().err


def test_an_unknown_format_names_the_known_ones(capsys):
    assert run(["export", str(Path.cwd()), "--format", "pickle", "--out", "x"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in ("safetensors", "onnx", "dataset"))
