"""Columns of classified images, which most image pools share."""

from collections.abc import Sequence

import numpy as np

from dataeff_al.samples.columns import Columns
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}


def image_columns(
    ids: Sequence[str],
    images: np.ndarray,
    labels: np.ndarray | None,
    classes: tuple[str, ...] = (),
    groups: Sequence[str] | None = None,
) -> Columns:
    """Images ``(n, c, h, w)``, float32 in [0, 1] or uint8 read as such, with classes ``(n,)`` or None."""
    form = FieldSpec(images.shape[1:], "float32", "intensity", channels=CHANNELS[images.shape[1]], range=(0.0, 1.0))
    return Columns(
        spec=SampleSpec({"x": form}, "x"),
        ids=ids,
        groups=ids if groups is None else groups,
        fields={"x": images},
        target=None if labels is None else TargetSpec("label", "class", (), classes=classes),
        answers=None if labels is None else labels.astype(np.int64),
        scale={"x": 1 / 255} if images.dtype == np.uint8 else {},
    )
