"""Tissue parameters of a mask's pixels, blended over about one pixel at interfaces.

Most pixels lie inside one tissue: they share that tissue's row of a table. Only the others get a row of their own.
"""

from typing import Final

import numpy as np

from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.outline import BOX, CODES
from labelers.fem_stress.reference import ANGULAR, RADIAL, SHAPE

FILL: Final = 0
"""The row that stands for pixels far from tissue; the code of outside, which has no parameters of its own."""
CLAIMED: Final = -1
MIXED: Final = 255
RINGS: Final = 2
"""Pixels beyond the first around the tissue to which the blend is carried on, so that it can be sampled there."""


@kernel
def _blended(sources: np.ndarray, i: int, j: int, least: int, table: np.ndarray, row: int) -> int:
    """The row of pixel (i, j) from its neighbours ``sources`` that are at least ``least``; 0 when there are none.

    Neighbours that agree share their row; else ``row`` becomes their 1-2-1 mean.
    """
    h, w = sources.shape
    common, alike = 0, True
    for a in range(max(i - 1, 0), min(i + 2, h)):
        for b in range(max(j - 1, 0), min(j + 2, w)):
            source = sources[a, b]
            if source >= least:
                alike &= common == 0 or common == source
                common = source
    if alike:
        return common
    total = 0.0
    table[row] = 0.0
    for a in range(max(i - 1, 0), min(i + 2, h)):
        for b in range(max(j - 1, 0), min(j + 2, w)):
            source = sources[a, b]
            if source >= least:
                weight = (2.0 if a == i else 1.0) * (2.0 if b == j else 1.0)
                total += weight
                for m in range(table.shape[1]):
                    table[row, m] += weight * table[source, m]
    table[row] /= total
    return row


@kernel
def _alike(mask: np.ndarray, i: int, left: int, right: int, columns: np.ndarray) -> None:
    """The code of each column of three pixels about row ``i``, MIXED where they differ."""
    for j in range(left, right):
        c = mask[i, j]
        columns[j] = c if c == mask[i - 1, j] and c == mask[i + 1, j] else MIXED


@kernel
def _extend(
    index: np.ndarray, table: np.ndarray, rows: int, fresh: np.ndarray, first: int, last: int
) -> tuple[int, int]:
    """Give rows to the pixels without one that touch ``fresh[first:last]``; the new ends of table and list."""
    h, w = index.shape
    end = last
    for n in range(first, last):
        y, x = fresh[n] // w, fresh[n] % w
        for i in range(max(y - 1, 0), min(y + 2, h)):
            for j in range(max(x - 1, 0), min(x + 2, w)):
                if index[i, j] == FILL:
                    index[i, j] = CLAIMED
                    fresh[end] = i * w + j
                    end += 1
    found = np.empty(end - last, dtype=np.int32)
    for n in range(last, end):
        found[n - last] = _blended(index, fresh[n] // w, fresh[n] % w, 1, table, rows)
        rows += found[n - last] == rows
    for n in range(last, end):
        index[fresh[n] // w, fresh[n] % w] = found[n - last]
    return rows, end


@kernel
def blend(mask: np.ndarray, values: np.ndarray, outline: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows ``(h, w)`` int32 into a table ``(rows, k)`` of parameters, from ``values`` ``(7, k)`` by tissue code.

    Parameters of a pixel are the mean of the tissue pixels about it with weights 1-2-1 in either direction. The mask
    ``(h, w)`` uint8 must keep clear of the border; ``outline``: as :func:`labelers.fem_stress.outline.trace` says.
    """
    h, w = mask.shape
    index = np.zeros((h, w), dtype=np.int32)
    table = np.empty((CODES + h * w, values.shape[1]))
    table[:CODES] = values
    table[FILL] = 0.0
    for code in range(2, CODES):
        table[FILL] += values[code] * (outline[code] / outline[2:CODES].sum())
    rows, columns = CODES, np.full(w, 0, dtype=np.uint8)
    fresh, end = np.empty(h * w, dtype=np.int32), 0
    left, right = max(int(outline[BOX + 2]) - 1, 1), min(int(outline[BOX + 3]) + 2, w - 1)
    for i in range(max(int(outline[BOX]) - 1, 1), min(int(outline[BOX + 1]) + 2, h - 1)):
        _alike(mask, i, left - 1, right + 1, columns)
        for j in range(left, right):
            here = columns[j]
            if here != MIXED and columns[j - 1] == here and columns[j + 1] == here:
                index[i, j] = here if here > 1 else FILL
                continue
            row = _blended(mask, i, j, 2, table, rows)
            index[i, j] = row
            rows += row == rows
            if mask[i, j] < 2 and row != FILL:
                fresh[end] = i * w + j
                end += 1
    first = 0
    for _ in range(RINGS):
        last = end
        rows, end = _extend(index, table, rows, fresh, first, last)
        first = last
    return index, table[:rows]


@kernel
def sample_moduli(
    nodes: np.ndarray,
    index: np.ndarray,
    table: np.ndarray,
    pixel: float,
    place: np.ndarray,
) -> np.ndarray:
    """Moduli ``(columns, radial, k, 9)`` at the Gauss points by bilinear interpolation of the pixels' parameters.

    ``place``: row and column of the point (0, 0) mm in pixels.
    """
    lines, columns, radial = nodes.shape[0], nodes.shape[0] // 2, nodes.shape[1] // 2
    h, w = index.shape
    out = np.empty((columns, radial, table.shape[1], 9))
    for e in range(columns):
        for k in range(radial):
            for g in range(9):
                x = y = 0.0
                for n in range(9):
                    line, ring = (2 * e + ANGULAR[n]) % lines, 2 * k + RADIAL[n]
                    x += SHAPE[g, n] * nodes[line, ring, 0]
                    y += SHAPE[g, n] * nodes[line, ring, 1]
                row = min(max(place[0] + y / pixel, 0.0), h - 1.0)
                column = min(max(place[1] + x / pixel, 0.0), w - 1.0)
                i, j = min(int(row), h - 2), min(int(column), w - 2)
                a, b = row - i, column - j
                p, q, r, s = index[i, j], index[i, j + 1], index[i + 1, j], index[i + 1, j + 1]
                for m in range(table.shape[1]):
                    if p == q and p == r and p == s:
                        out[e, k, m, g] = table[p, m]
                    else:
                        top = table[p, m] * (1 - b) + table[q, m] * b
                        out[e, k, m, g] = top * (1 - a) + (table[r, m] * (1 - b) + table[s, m] * b) * a
    return out
