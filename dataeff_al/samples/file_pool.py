"""A pool around one npz file of samples, for who works on a file without a campaign."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.samples.archive import read_arrays
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.npz import ANSWERS, BESIDE, INPUTS, Reading, columns_from
from dataeff_al.samples.types import SampleSpec


def file_pool(path: Path, *, answered: bool) -> ArrayPool:
    """All samples of a file; both ``x`` and ``mask`` are fields where the file holds both.

    ``answered``: the file's answers are read, too; otherwise they are left alone, whatever they are.

    Raises DataError when the file is missing, hostile or breaks the contract, CapabilityError when it has no answers
    but some are wanted.
    """
    arrays = read_arrays(path, only=(*INPUTS, *BESIDE, *(ANSWERS if answered else ())))
    try:
        columns = _columns(arrays, answered)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error
    return array_pool(columns, codec_for, to_learn=False)


def _columns(arrays: Mapping[str, np.ndarray], answered: bool) -> Columns:
    columns = columns_from(arrays)
    if answered and columns.answers is None:
        raise CapabilityError(f"answers must be in the file, under {', '.join(ANSWERS)}, but got {sorted(arrays)!r}.")
    inputs = {name: array for name, array in arrays.items() if name in INPUTS or name in BESIDE}
    for name in INPUTS:
        if name in arrays and name not in columns.spec.fields:
            columns = _with_fields(columns, columns_from(inputs, Reading(input=name)))
    return columns if answered else replace(columns, target=None, answers=None)


def _with_fields(columns: Columns, more: Columns) -> Columns:
    spec = SampleSpec({**more.spec.fields, **columns.spec.fields}, columns.spec.input)
    return replace(columns, spec=spec, fields={**more.fields, **columns.fields})
