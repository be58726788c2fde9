"""The real scans, read once a process; the benchmarks that want them need DATAEFF_DATA."""

import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from dataeff_al.errors import DataError
from dataeff_al.priors.protocol import Prior
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import SampleId
from dataeff_al.testing.views import built, labelled, learner_maker
from dataeff_al.view import View
from dataeff_al.volumes.pool import AnsweredCasePool

DEEP = ["Thalamus Proper", "Caudate", "Putamen", "Pallidum", "Hippocampus", "Amygdala", "Accumbens Area"]
FIRST = [*(f"* {name}" for name in DEEP), "Brain Stem"]


def data_root() -> Path:
    """The shared data folder. Raises DataError when DATAEFF_DATA does not say where it is."""
    root = os.environ.get("DATAEFF_DATA")
    if not root:
        raise DataError("DATAEFF_DATA must name the folder of the real scans, but got nothing.")
    return Path(root)


@lru_cache(maxsize=2)
def brains(spacing_mm: float, *, aligned: bool = False) -> AnsweredCasePool:
    """Eight brains with the structures that all of them hold; the partial source is what FSL FIRST segments.

    ``aligned``: all are laid onto the first one by their images.
    """
    return _pool(
        folder="brain-malf-oasis",
        images=["{case}_SS.nii.gz"],
        labels="{case}_glm.nii.gz",
        table="label_names.csv",
        in_cases=8,
        spacing_mm=spacing_mm,
        plane="coronal",
        partial=[{"name": "first", "structures": FIRST}],
        groups={"sub-cortical": FIRST},
        places="aligned" if aligned else True,
    )


@lru_cache(maxsize=2)
def tumours(spacing_mm: float, unit: str = "volume") -> AnsweredCasePool:
    """Six gliomas with the regions that the challenge measures."""
    return _pool(
        folder="brats-deepmedic",
        images=["*/{case}/Flair_subtrMeanDivStd.nii.gz", "*/{case}/T1c_subtrMeanDivStd.nii.gz"],
        labels="*/{case}/OTMultiClass.nii.gz",
        brain="*/{case}/brainmask.nii.gz",
        structures={"oedema": [2], "core": [1, 3], "enhancing": [4]},
        regions={"WT": ["oedema", "core", "enhancing"], "CT": ["core", "enhancing"], "ET": ["enhancing"]},
        spacing_mm=spacing_mm,
        intensity="zscore",
        unit=unit,
        places=False,
    )


def _pool(**settings: Any) -> AnsweredCasePool:
    root = data_root()
    pool: AnsweredCasePool = built("pools", "nifti", PoolContext(root, root, 0), **settings)
    return pool


def view_of(
    pool: AnsweredCasePool,
    full: Sequence[str],
    rest: Sequence[str],
    learner: dict[str, Any],
    priors: Sequence[Prior] = (),
) -> View:
    """A view in which ``full`` are annotated, ``rest`` are not, and nothing validates."""
    settings = dict(learner)
    kind = settings.pop("kind")
    return View(
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        generator=None,
        latents=None,
        learner=None,
        new_learner=learner_maker(kind, pool, priors=priors, **settings),
        priors=priors,
        labelled=labelled(pool, [SampleId(name) for name in full]),
        validation=[],
        unlabelled=[SampleId(name) for name in rest],
        pending=[],
        round=0,
    )
