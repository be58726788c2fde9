"""Samples that somebody brings to a model, and its predictions, as blobs."""

import secrets

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.labeling.npz_writing import prediction_arrays
from dataeff_al.samples.columns import Columns, check_form
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec
from dataeff_al.stores.arrays import pack, unpack


def brought(content: bytes, spec: SampleSpec) -> bytes:
    """Packed fields ``(n, ...)`` checked against a pool's form, under a digest that nothing else has.

    Fields that the pool does not have are left out. Raises DataError when the others have another form, or the one that
    models eat is missing.
    """
    given, _ = unpack(content)
    if spec.input not in given:
        raise DataError(f"samples must have {spec.input!r}, but got {sorted(given)}.")
    fields = {name: array for name, array in given.items() if name in spec.fields}
    for name, array in fields.items():
        _check_rows(name, array, spec.fields[name])
    known = SampleSpec({name: spec.fields[name] for name in fields}, spec.input)
    names = [str(row) for row in range(len(fields[spec.input]))]
    check_form(Columns(known, names, names, fields))
    return pack(fields, {"once": secrets.token_hex(16)})


def _check_rows(name: str, array: np.ndarray, form: FieldSpec) -> None:
    if array.dtype != np.dtype(form.dtype) or array.shape[1:] != form.shape or not array.ndim:
        wanted = f"({', '.join(map(str, ('n', *form.shape)))}) {form.dtype}"
        raise DataError(f"{name!r} must be {wanted}, but got {array.shape} {array.dtype}.")


def samples_in(content: bytes) -> list[Sample]:
    """The samples that :func:`brought` packed, in order."""
    fields, _ = unpack(content)
    count = min(len(array) for array in fields.values())
    return [
        Sample(SampleId(str(row)), {name: array[row] for name, array in fields.items()}, str(row))
        for row in range(count)
    ]


def pack_predictions(target: TargetSpec, predicted: np.ndarray, *, about: str) -> bytes:
    """Predictions under the contract's keys; names stand beside the arrays."""
    arrays = prediction_arrays(target, predicted)
    names = {key: array.tolist() for key, array in arrays.items() if array.dtype.kind == "U"}
    return pack({key: array for key, array in arrays.items() if key not in names}, {**names, "about": about})


def unpack_predictions(content: bytes) -> dict[str, np.ndarray]:
    """The arrays that :func:`pack_predictions` packed, names included. Raises DataError when they are none."""
    arrays, meta = unpack(content)
    return arrays | {key: np.array(names) for key, names in meta.items() if key != "about"}
