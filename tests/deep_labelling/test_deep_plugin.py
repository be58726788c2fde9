from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from dataeff_al import registry
from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.labeling.types import Label, LabelerContext, LabelFailure, Request
from dataeff_al.samples.file_pool import file_pool
from dataeff_al.samples.pools.shapes import drawn_shapes
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.labelers import check_labeler
from services.cli.main import main

QUICK = {"steps": 30, "detector_steps": 40, "members": 2, "batch": 8}


def write(path, count, seed, codes=lambda mask: mask.astype(np.uint8)):
    images, masks = drawn_shapes(count, 64, np.random.default_rng(seed))
    np.savez(path, x=images[:, None], mask=codes(masks))
    return images, masks


def plugin():
    return registry.get("labelers", "deep_labelling")


def labeler(folder, pool=None, **params):
    pool = pool or file_pool(folder / "images.npz", answered=False)
    return plugin().factory()(plugin().params(**(QUICK | params)), LabelerContext(pool, folder, None))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("deep")
    write(path / "train.npz", 8, 0)
    images, _ = drawn_shapes(4, 64, np.random.default_rng(1))
    np.savez(path / "images.npz", x=images[:, None])
    return path


@pytest.fixture(scope="module")
def built(folder):
    return labeler(folder, annotated="train.npz", save="kept.safetensors")


def asked(one, pool):
    return one.label([Request(key=str(sample.id), sample=sample) for sample in pool.read(pool.ids())])


def test_it_keeps_the_labeler_contract(built, folder):
    pool = file_pool(folder / "images.npz", answered=False)
    check_labeler(built, pool.read(pool.ids()))


def test_answers_carry_their_expected_dice_and_a_kept_model_gives_the_same(built, folder):
    pool = file_pool(folder / "images.npz", answered=False)
    outcomes = asked(built, pool)
    labels = [outcome for outcome in outcomes if isinstance(outcome, Label)]
    assert len(labels) >= 3
    assert all(0 <= label.confidence <= 1 for label in labels)
    again = asked(labeler(folder, model="kept.safetensors"), pool)
    for one, other in zip(outcomes, again, strict=True):
        assert type(one) is type(other)
        assert not isinstance(one, Label) or np.array_equal(one.target["mask"], other.target["mask"])


def test_answers_and_refusals_are_drawn(built, folder, tmp_path):
    pool = file_pool(folder / "images.npz", answered=False)
    sample = pool.read(pool.ids())[0]
    outcome = next(one for one in asked(built, pool) if isinstance(one, Label))
    built.plot(sample, outcome, tmp_path / "label.png")
    built.plot_failure(sample, LabelFailure("its orbit did not close"), tmp_path / "failure.png")
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.glob("*.png"))
    assert len(list(tmp_path.glob("*.png"))) == 2


def test_the_command_line_labels_a_file(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    out = tmp_path / "masks.npz"
    settings = [text for key, value in (QUICK | {"members": 1}).items() for text in ("--set", f"{key}={value}")]
    files = ["--in", "images.npz", "--out", str(out)]
    with pytest.raises(SystemExit) as ended:
        main(["label", "deep_labelling", "--set", "annotated=train.npz", *settings, *files])
    assert ended.value.code == 0, capsys.readouterr().err
    with np.load(out) as found:
        assert found["mask"].shape == (4, 64, 64)
        assert found["confidence"].shape == (4,)


def test_nested_regions_have_policies_of_their_own(tmp_path):
    y, x = np.mgrid[:64, :64]
    centres = np.random.default_rng(0).uniform(28, 36, (8, 2))
    away = np.stack([np.hypot(x - cx, y - cy) for cx, cy in centres])
    codes = np.where(away < 8, 2, np.where(away < 14, 1, 0)).astype(np.uint8)
    images = np.array([0.2, 0.5, 0.9], np.float32)[codes]
    np.savez(tmp_path / "train.npz", x=images[:, None], mask=codes)
    np.savez(tmp_path / "images.npz", x=images[:2, None])
    regions = [{"name": "outer", "codes": [1, 2], "paint": 1}, {"name": "inner", "codes": [2], "paint": 2}]
    one = labeler(tmp_path, annotated="train.npz", regions=regions, steps=40, detector_steps=40, members=1)
    outcomes = asked(one, file_pool(tmp_path / "images.npz", answered=False))
    assert all(isinstance(outcome, Label) for outcome in outcomes)
    for outcome, truth in zip(outcomes, codes, strict=False):
        agree = [((outcome.target["mask"] == code) & (truth == code)).sum() / (truth == code).sum() for code in (1, 2)]
        assert min(agree) > 0.6


def test_groups_of_the_pool_may_be_learnt_from_but_not_the_held_out_ones(folder):
    shapes = registry.get("pools", "shapes")
    pool = shapes.factory()(shapes.params(size=12), PoolContext(Path(), None, 7))
    one = labeler(folder, pool, annotated_groups=["case-0000", "case-0001"])
    assert one.info.target.classes == ("background", "region")
    assert plugin().needs(plugin().params(annotated_groups=["a"])) == {"answers"}
    with pytest.raises(DataError, match="must be groups of the pool, but got 'nobody'"):
        labeler(folder, pool, annotated_groups=["nobody"])
    held_out = type(pool)(pool.columns, pool._codec, pool.ids()[:4])
    with pytest.raises(DataError, match="held out for the test, but got 'case-0000'"):
        labeler(folder, held_out, annotated_groups=["case-0000"])
    with pytest.raises(CapabilityError, match="known masks"):
        labeler(folder, annotated_groups=["a"])


def test_files_that_cannot_be_learnt_from_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match="come with 'mask'"):
        labeler(folder, annotated="images.npz")
    with pytest.raises(DataError):
        labeler(folder, annotated="missing.npz")
    np.savez(tmp_path / "images.npz", x=np.zeros((1, 1, 64, 64), np.float32))
    for codes, said in UNUSABLE:
        write(tmp_path / "train.npz", 4, 0, codes)
        with pytest.raises(DataError, match=said):
            labeler(tmp_path, annotated="train.npz")
    with pytest.raises(DataError, match="folder to save a model in must be there, but got 'nowhere/kept'"):
        labeler(folder, annotated="train.npz", save="nowhere/kept")


UNUSABLE = [
    (lambda mask: np.zeros(mask.shape, np.uint8), "must hold one of the codes .1., but got none of 4"),
    (lambda mask: mask.astype(np.uint8) * 255, "codes up to 254, but got 255; a mask of one region is 0 and 1"),
    (lambda mask: np.ones(mask.shape, np.uint8), "none: image 0: a region must not touch the image's border"),
]


def test_training_that_fails_is_not_done_again_for_every_image(folder, monkeypatch):
    def fail(*_):
        calls.append(1)
        raise DataError("the disk must have room.")

    calls = []
    monkeypatch.setattr("labelers.deep_labelling.labeler.trained", fail)
    one, pool = labeler(folder, annotated="train.npz"), file_pool(folder / "images.npz", answered=False)
    for _ in range(3):
        with pytest.raises(DataError, match="must have room"):
            asked(one, pool)
    assert calls == [1]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"annotated": "a.npz", "model": "b"},
        {"model": "b", "regions": [{"name": n, "codes": [1], "paint": p} for n, p in (("a", 1), ("b", 2))]},
        {"annotated": "a", "regions": [{"name": n, "codes": [1], "paint": 1} for n in "ab"]},
        {"annotated": "a", "regions": [{"name": "a/b", "codes": [1], "paint": 1}]},
    ],
)
def test_parameters_that_contradict_each_other_are_refused(params):
    with pytest.raises(ValidationError):
        plugin().params(**params)
