import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dataeff_al import registry
from dataeff_al.samples.protocol import PoolContext


@pytest.fixture(scope="session")
def data_root():
    root = os.environ.get("DATAEFF_DATA")
    if not root:
        pytest.skip("DATAEFF_DATA is not set: the shared real data are not at hand")
    return Path(root)


@pytest.fixture
def build(tmp_path):
    """Builds a registered pool by name with strict parameters, relative to the test's own folder."""

    def build(name, seed=7, **params):
        plugin = registry.get("pools", name)
        return plugin.factory()(plugin.params(**params), PoolContext(tmp_path, None, seed))

    return build


@pytest.fixture
def size(tmp_path):
    def size(name, **params):
        plugin = registry.get("pools", name)
        return plugin.size(plugin.params(**params), tmp_path, None)

    return size


@pytest.fixture
def draw_images():
    """Writes ``count`` random images a class below ``folder`` and returns their pixels by relative name."""

    def draw(folder, classes, count, side=32, suffix=".png", seed=0):
        rng = np.random.default_rng(seed)
        pixels = {}
        for label in classes:
            (folder / label).mkdir(parents=True)
            for row in range(count):
                name = f"{label}/case{row % 2}_{row}{suffix}"
                pixels[name] = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
                Image.fromarray(pixels[name]).save(folder / name)
        return pixels

    return draw
