"""Samples, labels and predictions in npz files, by the contract's keys and units.

Inputs: ``x`` images or volumes ``(n, c, [d,] h, w)`` float32, or a table ``(n, d)`` float32; ``mask``
``(n, [d,] h, w)`` uint8 class codes. Answers: ``label`` ``(n,)`` int64, ``mask``, ``stress`` ``(n, k, h, w)`` float32
kPa with NaN outside tissue, ``y`` ``(n, k)`` float32. Beside them: ``id`` and ``group`` ``(n,)``, ``pixel_size_mm``
``()`` or ``(n,)``, ``channels``, ``classes``, ``range`` ``(2,)``. Keys that are not listed here are left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.archive import LIMITS, Limits, read_arrays, read_headers
from dataeff_al.samples.columns import Columns, check_form
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec

InputKey = Literal["x", "mask"]
AnswerKey = Literal["label", "mask", "stress", "y"]
INPUTS: tuple[InputKey, ...] = ("x", "mask")
ANSWERS: tuple[AnswerKey, ...] = ("stress", "mask", "label", "y")
BESIDE = ("id", "group", "pixel_size_mm", "channels", "classes", "range")
MAX_CLASSES = 65_536
X_KINDS: Mapping[int, Literal["intensity", "values"]] = {2: "values", 4: "intensity", 5: "intensity"}


@dataclass(frozen=True)
class Reading:
    """How to read a file. What is None is found out: see :func:`read_columns`."""

    input: InputKey | None = None
    answer: AnswerKey | None = None
    range: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()


AS_FOUND = Reading()


@dataclass(frozen=True)
class SampleFile:
    """The content of a file: its samples, their form, and the answers when it holds some."""

    spec: SampleSpec
    samples: Sequence[Sample]
    target: TargetSpec | None = None
    answers: Sequence[Mapping[str, np.ndarray]] = ()


def count_samples(path: Path) -> int:
    """The number of samples in a file, from its headers alone. Raises DataError when it is missing or not one."""
    headers = read_headers(path)
    shapes = [headers[name].shape for name in INPUTS if name in headers]
    if not shapes or not shapes[0]:
        raise DataError(f"{path.name} must hold 'x' or 'mask', but got {sorted(headers)!r}.")
    return shapes[0][0]


def read_samples(path: Path, reading: Reading = AS_FOUND, limits: Limits = LIMITS) -> SampleFile:
    """Read a file as samples. Raises DataError as :func:`read_columns` does."""
    return samples_of(read_columns(path, reading, limits))


def samples_of(columns: Columns) -> SampleFile:
    """Columns as samples, one by one."""
    rows = {name: columns.rows(name, slice(None)) for name in columns.fields}
    names = zip(columns.ids, columns.groups, strict=True)
    samples = [
        Sample(SampleId(sample_id), {name: values[row, ...] for name, values in rows.items()}, group)
        for row, (sample_id, group) in enumerate(names)
    ]
    if columns.target is None or columns.answers is None:
        return SampleFile(columns.spec, samples)
    answers = [{columns.target.name: np.array(answer)} for answer in columns.answers]
    return SampleFile(columns.spec, samples, columns.target, answers)


def read_columns(path: Path, reading: Reading = AS_FOUND, limits: Limits = LIMITS) -> Columns:
    """Read a file as checked columns.

    Unless told, the input is ``mask`` in a file with ``stress``, else ``x``, else ``mask``; the answer is the first of
    ``stress``, ``mask``, ``label``, ``y`` that is not the input. Raises DataError when the file is missing, hostile, or
    breaks the contract: unknown dtype, wrong rank, NaN or infinity, lengths that differ, an id twice, a grid that
    differs between input and answer.
    """
    arrays = read_arrays(path, limits, only=(*INPUTS, *ANSWERS, *BESIDE))
    try:
        return columns_from(arrays, reading)
    except DataError as error:
        raise DataError(f"{path.name}: {error}") from error


def columns_from(arrays: Mapping[str, np.ndarray], reading: Reading = AS_FOUND) -> Columns:
    """Checked columns of arrays under the contract's keys. Raises DataError as :func:`read_columns` does."""
    empty = [name for name in (*INPUTS, *ANSWERS) if name in arrays and not arrays[name].size]
    if empty:
        raise DataError(f"{empty[0]!r} must hold at least one number, but got {arrays[empty[0]].shape}.")
    source = _input_key(arrays, reading)
    answer = _answer_key(arrays, reading, source)
    if answer == source:
        raise DataError(f"input and answer must differ, but got {source!r} for both.")
    values, spec = _x(arrays, reading) if source == "x" else _codes(arrays, reading)
    ids = names_of(arrays, "id", len(values)) or [f"{row:06d}" for row in range(len(values))]
    target, answers = _answers(arrays, reading, answer) if answer else (None, None)
    fields, specs = _pixel_sizes(arrays, source, values, spec)
    groups = names_of(arrays, "group", len(values)) or ids
    columns = Columns(SampleSpec(specs, source), ids, groups, fields, target, answers)
    check_form(columns)
    _check_grid(columns)
    return columns


def _input_key(arrays: Mapping[str, np.ndarray], reading: Reading) -> InputKey:
    found = [name for name in INPUTS if name in arrays]
    if reading.input is not None and reading.input in found:
        return reading.input
    if reading.input is not None or not found:
        wanted = repr(reading.input) if reading.input else " or ".join(map(repr, INPUTS))
        raise DataError(f"a file of samples must hold {wanted}, but got {sorted(arrays)!r}.")
    return found[-1] if "stress" in arrays and reading.answer in (None, "stress") else found[0]


def _answer_key(arrays: Mapping[str, np.ndarray], reading: Reading, source: str) -> AnswerKey | None:
    if reading.answer is not None and reading.answer not in arrays:
        raise DataError(f"the answers must be in {reading.answer!r}, but got {sorted(arrays)!r}.")
    found = (name for name in ANSWERS if name in arrays and name != source)
    return reading.answer or next(found, None)


def _x(arrays: Mapping[str, np.ndarray], reading: Reading) -> tuple[np.ndarray, FieldSpec]:
    raw = arrays["x"]
    if raw.ndim not in X_KINDS:
        raise DataError(f"'x' must be (n, d), (n, c, h, w) or (n, c, d, h, w), but got {raw.shape}.")
    values, kind = float32("x", raw), X_KINDS[raw.ndim]
    if kind == "values":
        return values, FieldSpec(values.shape[1:], "float32", "values", channels=_texts(arrays, "channels"))
    bounds = reading.range or _declared_range(arrays) or _usual_range(raw)
    channels = () if "stress" in arrays else _texts(arrays, "channels")
    return values, FieldSpec(values.shape[1:], "float32", "intensity", channels=channels, range=bounds)


def _declared_range(arrays: Mapping[str, np.ndarray]) -> tuple[float, float] | None:
    if "range" not in arrays:
        return None
    bounds = arrays["range"]
    if bounds.shape != (2,) or bounds.dtype.kind not in "fiu" or not bounds[0] < bounds[1]:
        raise DataError(f"'range' must be two rising numbers, but got {bounds.tolist()!r}.")
    return float(bounds[0]), float(bounds[1])


def _usual_range(raw: np.ndarray) -> tuple[float, float]:
    if raw.dtype.kind in "ub":
        return 0.0, float(np.iinfo(raw.dtype).max) if raw.dtype.kind == "u" else 1.0
    finite = raw[np.isfinite(raw)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if low < high else (low, low + 1)


def _codes(arrays: Mapping[str, np.ndarray], reading: Reading) -> tuple[np.ndarray, FieldSpec]:
    values = _mask(arrays["mask"])
    return values, FieldSpec(values.shape[1:], "uint8", "codes", classes=_classes(arrays, reading, values))


def _mask(raw: np.ndarray) -> np.ndarray:
    if raw.ndim not in (3, 4):
        raise DataError(f"'mask' must be (n, h, w) or (n, d, h, w), but got {raw.shape}.")
    if raw.dtype.kind not in "bui" or raw.min() < 0 or raw.max() > 255:
        raise DataError(f"'mask' must hold class codes 0 to 255, but got {raw.dtype} {raw.min()!s} to {raw.max()!s}.")
    return raw.astype(np.uint8)


def _answers(arrays: Mapping[str, np.ndarray], reading: Reading, name: AnswerKey) -> tuple[TargetSpec, np.ndarray]:
    raw = arrays[name]
    if name == "label":
        return _label(arrays, reading, raw)
    if name == "mask":
        values = _mask(raw)
        return TargetSpec("mask", "mask", values.shape[1:], classes=_classes(arrays, reading, values)), values
    if raw.ndim not in ((2,) if name == "y" else (4, 5)):
        raise DataError(f"{name!r} must be (n, k) for 'y' and (n, k, [d,] h, w) for 'stress', but got {raw.shape}.")
    values, named = float32(name, raw), _texts(arrays, "channels")
    channels = named if len(named) == raw.shape[1] else tuple(f"{name}_{k}" for k in range(raw.shape[1]))
    if name == "y":
        return TargetSpec("y", "values", values.shape[1:], channels=channels), values
    nowhere = _undefined(arrays, reading, values)
    return TargetSpec("stress", "field", values.shape[1:], channels=channels, unit="kPa", undefined_in=nowhere), values


def _undefined(arrays: Mapping[str, np.ndarray], reading: Reading, values: np.ndarray) -> tuple[str, ...]:
    """Classes of the input in which no sample's field has a value anywhere; none without such an input."""
    if "mask" not in arrays or arrays["mask"].shape != (len(values), *values.shape[2:]):
        return ()
    codes = _mask(arrays["mask"])
    valid = set(np.unique(codes[np.isfinite(values).any(axis=1)]).tolist())
    classes = _classes(arrays, reading, codes)
    return tuple(classes[code] for code in np.unique(codes).tolist() if code not in valid)


def _label(arrays: Mapping[str, np.ndarray], reading: Reading, raw: np.ndarray) -> tuple[TargetSpec, np.ndarray]:
    if raw.ndim != 1 or raw.dtype.kind not in "bui":
        raise DataError(f"'label' must be (n,) int64, but got {raw.shape} {raw.dtype}.")
    if raw.min() < 0 or raw.max() >= MAX_CLASSES:
        raise DataError(f"'label' must be 0 to {MAX_CLASSES - 1}, but got {raw.min()} to {raw.max()}.")
    return TargetSpec("label", "class", (), classes=_classes(arrays, reading, raw)), raw.astype(np.int64)


def _classes(arrays: Mapping[str, np.ndarray], reading: Reading, codes: np.ndarray) -> tuple[str, ...]:
    named = reading.classes or _texts(arrays, "classes")
    return named or tuple(str(code) for code in range(max(2, int(codes.max()) + 1)))


def float32(name: str, raw: np.ndarray) -> np.ndarray:
    """``raw`` as float32. Raises DataError when it is text or leaves the range of float32."""
    if raw.dtype.kind not in "fiub":
        raise DataError(f"{name!r} must be float32, but got dtype {raw.dtype}.")
    with np.errstate(over="ignore"):
        values = raw.astype(np.float32)
    if raw.dtype.itemsize > 4 and not np.array_equal(np.isinf(values), np.isinf(raw)):
        raise DataError(f"{name!r} must fit float32, but got {np.nanmax(np.abs(raw))!s}.")
    return values


def _texts(arrays: Mapping[str, np.ndarray], key: str) -> tuple[str, ...]:
    if key not in arrays:
        return ()
    texts = arrays[key]
    if texts.ndim != 1 or texts.dtype.kind not in "US":
        raise DataError(f"{key!r} must be a list of names, but got {texts.shape} {texts.dtype}.")
    return tuple(_text(text) for text in texts.tolist())


def names_of(arrays: Mapping[str, np.ndarray], key: str, n: int) -> list[str]:
    """Names ``(n,)`` as text, or nothing when the key is absent. Raises DataError when they are not ``n`` names."""
    if key not in arrays:
        return []
    names = arrays[key]
    if names.shape != (n,) or names.dtype.kind not in "USiu":
        raise DataError(f"{key!r} must be ({n},) names or whole numbers, but got {names.shape} {names.dtype}.")
    return [_text(name) for name in names.tolist()]


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _pixel_sizes(
    arrays: Mapping[str, np.ndarray], source: str, values: np.ndarray, spec: FieldSpec
) -> tuple[dict[str, np.ndarray], dict[str, FieldSpec]]:
    if "pixel_size_mm" not in arrays:
        return {source: values}, {source: spec}
    sizes = float32("pixel_size_mm", arrays["pixel_size_mm"])
    if sizes.shape not in ((), (1,), (len(values),)):
        raise DataError(f"'pixel_size_mm' must be one positive number, or ({len(values)},), but got {sizes.shape}.")
    wrong = np.ravel(sizes)[~np.ravel(np.isfinite(sizes) & (sizes > 0))]
    if wrong.size:
        raise DataError(f"'pixel_size_mm' must be one positive number, or many, but got {float(wrong[0])!r}.")
    first = float(arrays["pixel_size_mm"].flat[0])
    if (sizes == sizes.flat[0]).all():
        return {source: values}, {source: replace(spec, pixel_size_mm=first)}
    each = FieldSpec((), "float32", "values", unit="mm")
    return {source: values, "pixel_size_mm": sizes}, {source: spec, "pixel_size_mm": each}


def _check_grid(columns: Columns) -> None:
    target, field = columns.target, columns.spec.input_field
    if target is None or target.kind not in ("mask", "field") or field.kind == "values":
        return
    grid = field.shape if field.kind == "codes" else field.shape[1:]
    answer = target.shape if target.kind == "mask" else target.shape[1:]
    if grid != answer:
        raise DataError(f"{target.name!r} must stand on the grid of the input {grid}, but got {answer}.")
