"""The compiled parts of a label against what they stand for, and the check that each answer must pass."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from dataeff_al.samples.protocol import PoolContext
from dataeff_al.vessel.spec import VESSEL_SECTIONS, VesselSectionsParams
from dataeff_al.vessel.validity import unsound
from labelers.fem_stress import compiled, workspace
from labelers.fem_stress.blend import blend
from labelers.fem_stress.compiled import cache_folder, drop_unused, kernel_digest
from labelers.fem_stress.from_mask import prepare_mask
from labelers.fem_stress.locate import locate
from labelers.fem_stress.outline import LUMEN_MOMENTS, trace
from labelers.fem_stress.settings import HYPERELASTIC_TISSUES, StressSettings

POOL = VESSEL_SECTIONS.factory()(VesselSectionsParams(size=24), PoolContext(Path(), None, 7))
MASKS = [sample.fields["mask"] for sample in POOL.read(POOL.ids())]
PIXEL = 5 / 64
SETTINGS = {"linear": StressSettings(), "hyperelastic": StressSettings(tissues=HYPERELASTIC_TISSUES)}


def test_masks_of_the_pool_are_plainly_sound_and_their_outline_is_right():
    for mask in MASKS:
        sound, outline = trace(mask)
        rows, columns = np.nonzero(mask == 1)
        assert sound
        assert np.array_equal(outline[:7], np.bincount(mask.ravel(), minlength=7))
        assert np.allclose(outline[LUMEN_MOMENTS : LUMEN_MOMENTS + 2], [rows.sum(), columns.sum()])


@settings(max_examples=150, deadline=None)
@given(
    number=st.integers(0, len(MASKS) - 1),
    spots=st.lists(st.tuples(st.integers(0, 63), st.integers(0, 63), st.integers(0, 7), st.integers(1, 9)), max_size=4),
)
def test_what_is_plainly_sound_breaks_no_rule(number, spots):
    mask = MASKS[number].copy()
    for row, column, code, size in spots:
        mask[row : row + size, column : column + size] = code
    assert trace(mask)[0] == (unsound(mask) is None)


def test_blended_parameters_are_the_weighted_mean_of_the_tissue_around():
    values = np.array([[0.0, 0.0], [0.0, 0.0], [3.0, 1.0], [5.0, 2.0], [7.0, 9.0], [11.0, 4.0], [13.0, 6.0]])
    kernel = np.outer([1, 2, 1], [1, 2, 1])
    for mask in MASKS[:6]:
        index, table = blend(mask, values, trace(mask)[1])
        tissue = (mask > 1).astype(float)
        weight = ndimage.convolve(tissue, kernel, mode="constant")
        for i in range(2):
            mean = ndimage.convolve(values[mask, i] * tissue, kernel, mode="constant") / np.maximum(weight, 1)
            assert np.allclose(table[index, i][mask > 1], mean[mask > 1])
            near = ndimage.binary_dilation(mask > 1, np.ones((3, 3))) & (mask < 2)
            assert np.allclose(table[index, i][near], mean[near])
        reached = ndimage.binary_dilation(mask > 1, np.ones((3, 3)), iterations=3)
        assert np.array_equal(index > 0, reached)


@pytest.mark.parametrize("theory", SETTINGS)
def test_an_answer_that_is_spoiled_a_little_is_out_of_balance(theory, monkeypatch):
    problem = prepare_mask(MASKS[0], PIXEL, SETTINGS[theory]).problem
    space = workspace.workspace(*SETTINGS[theory].mesh)
    assert space.solve([problem])[0].reason is None
    judge = workspace.out_of_balance

    def spoiled(nodes, u, *rest):
        u[8 * 1000] += 1e-4
        judge(nodes, u, *rest)

    monkeypatch.setattr(workspace, "out_of_balance", spoiled)
    assert "balance" in (space.solve([problem])[0].reason or "")


@pytest.mark.parametrize("spoil", [np.nan, np.inf])
def test_an_answer_that_is_not_finite_is_never_given(spoil, monkeypatch):
    problem = prepare_mask(MASKS[0], PIXEL, SETTINGS["linear"]).problem
    judge = workspace.out_of_balance

    def spoiled(nodes, u, *rest):
        u[8 * 1000] = spoil
        judge(nodes, u, *rest)

    monkeypatch.setattr(workspace, "out_of_balance", spoiled)
    one, two = workspace.workspace(8, 96).solve([problem, problem])
    assert one.reason
    assert two.reason is None


def test_points_are_found_where_the_search_finds_them():
    from labelers.fem_stress.point_search import guess, radius_table

    case = prepare_mask(MASKS[3], PIXEL, SETTINGS["linear"])
    nodes, radial = case.problem.nodes, 8
    element, where = np.empty(len(case.points), dtype=np.int64), np.empty((len(case.points), 2))
    guess(case.points, case.centre, *radius_table(nodes, case.centre), True, element, where)
    found, there = locate(nodes, case.centre, case.points, True)
    same = element == found[:, 0] * radial + found[:, 1]
    inside = np.abs(there[:, 0]) < 1
    assert same.mean() > 0.99
    assert np.abs(where - there)[same & inside].max() < 0.02


def test_the_digest_of_kernels_follows_kernels_alone(tmp_path):
    (tmp_path / "simd.py").write_text("A = 1\n")
    (tmp_path / "labeler.py").write_text("B = 1\n")
    first = kernel_digest(tmp_path)
    (tmp_path / "labeler.py").write_text("B = 2\n")
    assert kernel_digest(tmp_path) == first
    (tmp_path / "simd.py").write_text("A = 2\n")
    assert kernel_digest(tmp_path) != first


def test_machine_code_goes_where_it_can_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    folder = cache_folder([blocked, tmp_path / "cache"], "name")
    assert folder == tmp_path / "cache" / "name"
    assert cache_folder([blocked], "name") is None


def test_machine_code_of_other_versions_is_dropped_once_unused(tmp_path):
    for name in ("old", "recent", "own"):
        (tmp_path / name).mkdir()
    os.utime(tmp_path / "old", (0, 0))
    drop_unused(tmp_path / "own", 14)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own", "recent"]


PROGRAM = """
from labelers.fem_stress.compiled import kernel

@kernel
def twice(x):
    return 2 * x

assert twice(21.0) == 42.0
print(sum(twice.stats.cache_hits.values()))
"""


def test_processes_may_compile_at_the_same_time_and_find_it_compiled_later(tmp_path):
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONPATH": str(Path.cwd())}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)

    both = [start(), start()]
    said = [each.communicate(timeout=120)[0].strip() for each in both]
    said.append(start().communicate(timeout=120)[0].strip())
    assert [each.returncode for each in both] == [0, 0]
    assert said[-1] == "1"
    assert compiled.NAME in {path.name for path in (tmp_path / "cache").iterdir()}
