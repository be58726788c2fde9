import os
from pathlib import Path

import nibabel
import numpy as np
import pytest

from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.views import built

CASES = ("anna_1", "anna_2", "bert_1", "carl_1")
STRUCTURES = {"Left Lobe": [3], "Right Lobe": [4], "Stem": [9, 10]}


def head_of(number, shape=(20, 24, 16)):
    """Intensities and codes of a small head: two lobes left and right, a stem in the middle."""
    rng = np.random.default_rng(number)
    at = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"), -1)
    head = (at**2).sum(-1) < 0.7
    codes = np.zeros(shape, np.int16)
    codes[((at - [-0.35, 0, 0]) ** 2).sum(-1) < 0.06] = 3
    codes[((at - [0.35, 0, 0]) ** 2).sum(-1) < 0.06] = 4
    codes[((at - [0, -0.3, -0.3]) ** 2).sum(-1) < 0.03] = 9
    image = np.where(head, 100.0 + 40.0 * (codes > 0) + 5.0 * rng.standard_normal(shape), 0.0)
    return image.astype(np.float32), codes


def write(path, array, affine):
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(array, affine), path)


@pytest.fixture
def scans(tmp_path):
    """A folder of four cases of three patients at 2 x 2 x 3 mm."""
    for number, case in enumerate(CASES):
        image, codes = head_of(number)
        affine = np.diag([2.0, 2.0, 3.0, 1.0])
        write(tmp_path / "scans" / f"{case}_t1.nii.gz", image, affine)
        write(tmp_path / "scans" / f"{case}_seg.nii.gz", codes, affine)
    return tmp_path


@pytest.fixture
def pool_of(scans):
    """The pool of the folder, with other settings where they are given."""

    def make(**changes):
        settings = {
            "folder": "scans",
            "images": ["{case}_t1.nii.gz"],
            "labels": "{case}_seg.nii.gz",
            "structures": STRUCTURES,
            "patient_before": "_",
            **changes,
        }
        return built("pools", "nifti", PoolContext(scans, None, 0), **settings)

    return make


@pytest.fixture
def data_root():
    root = os.environ.get("DATAEFF_DATA")
    if not root:
        pytest.skip("DATAEFF_DATA is not set: no real scans")
    return Path(root)
