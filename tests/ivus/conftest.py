import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dataeff_al.vessel.ivus_contours import ARCHIVE
from labelers.ivus.simulator.recording import SyntheticPullback, simulate_vessel
from labelers.ivus.simulator.settings import CLEAN, settings_for


@pytest.fixture(scope="session")
def clean20() -> SyntheticPullback:
    return simulate_vessel(5, settings_for(20, CLEAN), np.random.default_rng(3))


@pytest.fixture(scope="session")
def rough20() -> SyntheticPullback:
    return simulate_vessel(6, settings_for(20), np.random.default_rng(4))


@pytest.fixture(scope="session")
def rough40() -> SyntheticPullback:
    return simulate_vessel(4, replace(settings_for(40), beams=256), np.random.default_rng(5))


@pytest.fixture
def real_archive() -> Path:
    root = os.environ.get("DATAEFF_DATA")
    path = Path(root or "") / ARCHIVE
    if not root or not path.is_file():
        pytest.skip("DATAEFF_DATA names no folder with real contours")
    return path
