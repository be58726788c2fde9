"""Builds the ``digits`` pool: real handwritten digits that ship with scikit-learn.

Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998), the test part.
"""

import numpy as np
from sklearn.datasets import load_digits

from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.pools.classes import image_columns
from dataeff_al.samples.pools.spec import DigitsParams
from dataeff_al.samples.protocol import PoolContext

CLASSES = tuple(str(digit) for digit in range(10))


def build(params: DigitsParams, _: PoolContext) -> ArrayPool:
    """Digits ``(1, 8, 8)`` in [0, 1] from counts of 0 to 16 ink pixels, with their class."""
    data = load_digits()
    images = (data.images[: params.size, None] / 16).astype(np.float32)
    ids = [f"digit-{row:04d}" for row in range(len(images))]
    return array_pool(image_columns(ids, images, data.target[: params.size], CLASSES), codec_for)
