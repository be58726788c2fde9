"""Builds the ``table`` pool from csv or npz."""

import math
from pathlib import Path

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.npz import float32, read_columns
from dataeff_al.samples.pools.sources import csv_rows, existing_file
from dataeff_al.samples.pools.spec import TableParams
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.samples.types import FieldSpec, SampleSpec, TargetSpec

MAX_CLASSES = 10_000


def build(params: TableParams, context: PoolContext) -> ArrayPool:
    """Rows ``(d,)`` float32, with a class or values to learn where the file holds some.

    Raises DataError, naming line and column, when a cell is not a finite number.
    """
    path = existing_file(params.file, context.base_dir)
    columns = _csv_columns(path, params) if path.suffix.lower() == ".csv" else _npz_columns(path, params)
    return array_pool(columns, codec_for)


def _npz_columns(path: Path, params: TableParams) -> Columns:
    if params.label or params.values or params.id or params.group:
        raise DataError(f"label, values, id and group name columns of a csv, but got them for {path.name!r}.")
    columns = read_columns(path)
    if columns.spec.input_field.kind != "values":
        raise DataError(
            f"a table must hold 'x' (n, d), but got {columns.spec.input!r} {columns.spec.input_field.shape}."
        )
    return columns


def _csv_columns(path: Path, params: TableParams) -> Columns:
    rows = csv_rows(path)
    header = [name.strip() for name in next(rows, [])]
    _check_header(path, header, params)
    places = {name: place for place, name in enumerate(header)}
    cells = list(rows)
    if not cells:
        raise DataError(f"{path.name} must hold at least one row below its header, but got 0.")
    named = {name for name in (params.label, params.id, params.group) if name} | set(params.values)
    features = [name for name in header if name not in named]
    if not features:
        raise DataError(f"{path.name} must hold at least one column of features, but got {header!r}.")
    x = _numbers(path, cells, places, features)
    ids = _texts(cells, places, params.id) or [f"row-{row:06d}" for row in range(len(cells))]
    target, answers = _answers(path, cells, places, params)
    form = FieldSpec(x.shape[1:], "float32", "values", channels=tuple(features))
    groups = _texts(cells, places, params.group) or ids
    return Columns(SampleSpec({"x": form}, "x"), ids, groups, {"x": x}, target, answers)


def _check_header(path: Path, header: list[str], params: TableParams) -> None:
    if len(set(header)) < len(header) or not all(header):
        raise DataError(f"{path.name} must have a header of distinct names, but got {header!r}.")
    for name in (params.label, params.id, params.group, *params.values):
        if name is not None and name not in header:
            raise DataError(f"{path.name} must have a column {name!r}, but got {header!r}.")


def _answers(
    path: Path, cells: list[list[str]], places: dict[str, int], params: TableParams
) -> tuple[TargetSpec | None, np.ndarray | None]:
    if params.values:
        y = _numbers(path, cells, places, params.values)
        return TargetSpec("y", "values", y.shape[1:], channels=tuple(params.values)), y
    if params.label is None:
        return None, None
    texts = _texts(cells, places, params.label)
    classes = sorted(set(texts), key=_class_order)
    if len(classes) > MAX_CLASSES or "" in classes:
        raise DataError(f"{params.label!r} must name at most {MAX_CLASSES} classes, but got {len(classes)} or blanks.")
    codes = {name: code for code, name in enumerate(classes)}
    labels = np.array([codes[text] for text in texts], np.int64)
    return TargetSpec("label", "class", (), classes=tuple(classes)), labels


def _class_order(name: str) -> tuple[int, float, str]:
    """Numbers by size, then words by spelling."""
    try:
        value = float(name)
    except ValueError:
        return 1, 0.0, name
    return (0, value, name) if math.isfinite(value) else (1, 0.0, name)


def _texts(cells: list[list[str]], places: dict[str, int], name: str | None) -> list[str]:
    return [] if name is None else [row[places[name]].strip() for row in cells]


def _numbers(path: Path, cells: list[list[str]], places: dict[str, int], names: list[str]) -> np.ndarray:
    values = np.empty((len(cells), len(names)), np.float64)
    for column, name in enumerate(names):
        for row, line in enumerate(cells):
            values[row, column] = _number(path, line[places[name]], row, name)
    return float32(path.name, values)


def _number(path: Path, text: str, row: int, name: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(f"{path.name} row {row + 1}: {name!r} must be a finite number, but got {text[:40]!r}.")
    return value
