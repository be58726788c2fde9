"""Samples and labels as named arrays, and the declared form that they must keep."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NewType

import numpy as np

SampleId = NewType("SampleId", str)


@dataclass(frozen=True)
class FieldSpec:
    """The declared form of one named array of one sample (no leading ``n``).

    ``kind`` says what the numbers are: ``intensity`` (images, volumes ``(c, [d,] h, w)`` float32), ``codes`` (class
    codes ``([d,] h, w)`` uint8, named by ``classes``) or ``values`` (a table row ``(d,)`` float32). ``spacing_mm``:
    distance of neighbouring places along each axis of the grid, where it is known.
    """

    shape: tuple[int, ...]
    dtype: str
    kind: Literal["intensity", "codes", "values"]
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    unit: str = ""
    range: tuple[float, float] | None = None
    pixel_size_mm: float | None = None
    spacing_mm: tuple[float, ...] | None = None


@dataclass(frozen=True)
class SampleSpec:
    """The declared form of a pool's samples; ``input`` names the field that models eat (``x`` or ``mask``)."""

    fields: Mapping[str, FieldSpec]
    input: str

    @property
    def input_field(self) -> FieldSpec:
        """The field that models eat."""
        return self.fields[self.input]


@dataclass(frozen=True)
class Sample:
    """One sample: a stable id, named arrays of any rank, and the group (patient, vessel, case) that no split breaks."""

    id: SampleId
    fields: Mapping[str, np.ndarray]
    group: str


@dataclass(frozen=True)
class TargetSpec:
    """The declared form of a label.

    ``kind``: ``class`` (``label`` scalar int64), ``mask`` (``mask`` ``([d,] h, w)`` uint8 class codes), ``field``
    (``stress`` and the like, ``(k, [d,] h, w)`` float32 in ``unit``, NaN where not valid) or ``values`` (``(k,)``
    float32). ``name`` is the key in :attr:`Label.target <dataeff_al.labeling.types.Label>`. ``undefined_in``: classes
    of the input where a field has no value whatever the label says (outside tissue, say). ``regions``: unions of
    classes that are measured as one (a whole tumour); ``groups``: classes over which metrics average (the cortex).
    """

    name: str
    kind: Literal["class", "mask", "field", "values"]
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    unit: str = ""
    undefined_in: tuple[str, ...] = ()
    regions: tuple[tuple[str, tuple[str, ...]], ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Invalid:
    """A decoded sample that the validity gate refused, with the rule that it broke."""

    reason: str


@dataclass(frozen=True)
class TensorSpec:
    """The form of one network input without the leading ``n``: ``(c, [d,] h, w)`` or ``(d,)``.

    ``kind`` tells a generator which likelihood fits: ``intensity`` in [0, 1], ``codes`` = class probabilities over
    channel 0, ``values`` = standardised numbers.
    """

    shape: tuple[int, ...]
    kind: Literal["intensity", "codes", "values"]
    metadata: Mapping[str, str] = field(default_factory=dict)
