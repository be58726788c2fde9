import subprocess
import sys

import numpy as np
import pytest

from dataeff_al import registry
from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.pools import cifar10
from dataeff_al.samples.protocol import AnsweredPool, PoolContext
from dataeff_al.testing.pools import check_pool


def npz_images(folder, draw_images):
    rng = np.random.default_rng(0)
    np.savez(folder / "a.npz", x=rng.random((7, 2, 5, 6), dtype=np.float32), label=np.arange(7) % 3)
    return {"file": "a.npz"}


def npz_masks(folder, draw_images):
    rng = np.random.default_rng(0)
    stress = np.where(rng.random((6, 1, 8, 8)) < 0.3, np.nan, 5).astype(np.float32)
    np.savez(folder / "a.npz", mask=rng.integers(0, 4, (6, 8, 8), dtype=np.uint8), stress=stress, pixel_size_mm=0.1)
    return {"file": "a.npz"}


def npz_volumes(folder, draw_images):
    rng = np.random.default_rng(0)
    x = rng.normal(40, 100, (4, 1, 3, 5, 6)).astype(np.float32)
    np.savez(folder / "a.npz", x=x, mask=(x[:, 0] > 40).astype(np.uint8), group=np.array(["a", "a", "b", "c"]))
    return {"file": "a.npz"}


def csv_table(folder, draw_images):
    lines = [f"{row},{row * 0.5},{'even' if row % 2 == 0 else 'odd'},p{row // 2}" for row in range(9)]
    (folder / "t.csv").write_text("\n".join(["age,height,parity,patient", *lines]))
    return {"file": "t.csv", "label": "parity", "group": "patient"}


def folder_of_images(folder, draw_images):
    draw_images(folder / "pictures", ["cat", "dog"], 3, side=9)
    return {"folder": "pictures", "colour": "grey", "resize": [6, 7], "group_before": "_"}


def cifar_folders(folder, draw_images):
    for part in ("train", "test"):
        draw_images(folder / "cifar" / part, cifar10.CLASSES, 2, seed=len(part))
    return {"folder": "cifar", "size": 13}


def no_files(**params):
    return lambda folder, draw_images: params


CASES = {
    "cifar10": ("cifar10", cifar_folders),
    "digits": ("digits", no_files(size=60)),
    "image_folder": ("image_folder", folder_of_images),
    "npz of images": ("npz", npz_images),
    "npz of masks": ("npz", npz_masks),
    "npz of volumes": ("npz", npz_volumes),
    "table": ("table", csv_table),
    "phantoms": ("phantoms", no_files(cases=4)),
    "phantom slices": ("phantoms", no_files(cases=3, unit="slice")),
}


@pytest.mark.parametrize("case", CASES)
def test_every_built_in_pool_keeps_the_contract(case, build, size, tmp_path, draw_images):
    name, prepare = CASES[case]
    params = prepare(tmp_path, draw_images)
    pool = build(name, **params)
    assert isinstance(pool, AnsweredPool)
    check_pool(pool, build(name, **params))
    assert size(name, **params) == len(pool.ids())


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_the_real_image_sets_keep_the_contract(name, data_root, tmp_path):
    plugin = registry.get("pools", name)
    params, context = plugin.params(size=40), PoolContext(tmp_path, data_root, 7)
    pool = plugin.factory()(params, context)
    check_pool(pool)
    assert len(pool.ids()) == 10_040
    answers = [int(answer["label"]) for answer in pool.answers(pool.held_out())]
    assert len(answers) == 10_000
    assert np.bincount(answers).min() > 800


def test_the_light_specs_load_no_engine():
    code = (
        "import sys; import dataeff_al.samples.pools.spec, labelers.dataset.spec; "
        "heavy = {'torch', 'scipy', 'sklearn', 'matplotlib', 'ray', 'PIL'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["npz", "table"])
def test_a_missing_file_is_refused_by_size_and_by_build(name, build, size):
    for act in (build, size):
        with pytest.raises(DataError, match="must exist"):
            act(name, file="nowhere.npz")


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_data_set_that_is_not_at_hand_is_refused(name, build, size, tmp_path):
    (tmp_path / "empty").mkdir()
    for act in (build, size):
        with pytest.raises(DataError, match="DATAEFF_DATA must be set"):
            act(name)
        with pytest.raises(DataError, match="must exist"):
            act(name, folder="nowhere")
    with pytest.raises(DataError):
        build(name, folder="empty")


class Broken:
    """A pool with one part replaced."""

    def __init__(self, pool, **changed):
        self._pool, self._changed = pool, changed

    def __getattr__(self, name):
        return self._changed[name] if name in self._changed else getattr(self._pool, name)


def test_the_suite_catches_pools_that_break_the_contract(build):
    good = build("phantoms", cases=3)
    check_pool(good)
    ids = list(good.ids())
    shared = good.read(ids)
    by_id = {sample.id: sample for sample in shared}
    broken = {
        "ids must be unique": {"ids": lambda: [*ids, ids[0]]},
        "digest must be": {"digest": "abc"},
        "must not change the pool": {"read": lambda asked: [by_id[sample_id] for sample_id in asked]},
        "must carry its pool's group": {"group": lambda sample_id: "everybody"},
        "must raise DataError": {"read": lambda asked: good.read([i for i in asked if i in by_id or "/" in i])},
    }
    for sentence, changed in broken.items():
        with pytest.raises(AssertionError, match=sentence):
            check_pool(Broken(build("phantoms", cases=3), **changed))


def test_the_suite_catches_a_group_on_both_sides_of_the_held_out_border(build):
    columns = build("digits", size=20).columns
    one = Columns(columns.spec, columns.ids, ["one"] * 20, columns.fields)
    with pytest.raises(AssertionError, match="both held-out and other"):
        check_pool(array_pool(one, codec_for, columns.ids[:2]))


def test_a_pool_with_another_seed_fails_the_rebuilt_check(build):
    with pytest.raises(AssertionError, match="same digest"):
        check_pool(build("phantoms", cases=3, seed=1), build("phantoms", cases=3, seed=2))


def test_answers_and_held_out_ids_are_part_of_the_digest(build):
    first = build("digits", size=20)
    columns = first.columns
    swapped = Columns(
        columns.spec, columns.ids, columns.groups, columns.fields, columns.target, columns.answers[::-1].copy()
    )
    digests = {
        first.digest,
        array_pool(swapped, codec_for).digest,
        array_pool(columns, codec_for, columns.ids[:2]).digest,
    }
    assert len(digests) == 3
