"""The outline of a mask in one pass: areas, the lumen's centroid, and whether the section is plainly sound.

The rules of a sound section are those of :mod:`dataeff_al.vessel.validity`, which words them. Here they are tested by
the runs of each row: a region whose runs hang together as a tree is one part without holes.
"""

from typing import Final

import numpy as np

from labelers.fem_stress.compiled import kernel

CODES: Final = 7
LUMEN_MOMENTS: Final = 7
REACHES: Final = 9
BOX: Final = 11
"""Entries of an outline: pixels by code (7,), sums of the lumen's rows and columns, the greatest distance of a lumen
and of a vessel pixel from the lumen's centroid, first and last row and column of the vessel."""
RAYS: Final = 96
PER_PIXEL: Final = 3
BACKSTEP: Final = 4
"""Samples by which a ray may step back into a tissue that it left: those of 1.5 pixels."""


@kernel
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def _is_tree(runs: np.ndarray, count: int) -> bool:
    """Whether runs (row, first, last) by rising row are one part without holes, joined where they share a column."""
    parent = np.arange(count)
    links, above, here = 0, 0, 0
    for n in range(count):
        if n == 0 or runs[n, 0] != runs[n - 1, 0]:
            above, here = here, n
        for m in range(above, here):
            if runs[m, 0] == runs[n, 0] - 1 and runs[m, 1] <= runs[n, 2] and runs[n, 1] <= runs[m, 2]:
                a, b = _root(parent, m), _root(parent, n)
                if a == b:
                    return False
                parent[a] = b
                links += 1
    return links == count - 1


@kernel
def _runs(mask: np.ndarray, lumen: np.ndarray, vessel: np.ndarray, outline: np.ndarray) -> tuple[int, int]:
    """Find the runs of lumen and of vessel, count the codes and sum the lumen's positions; -1 for an unknown code."""
    h, w = mask.shape
    lumens = vessels = 0
    for i in range(h):
        j = 0
        while j < w:
            code, first = mask[i, j], j
            while j < w and mask[i, j] == code:
                j += 1
            if code >= CODES:
                return -1, -1
            outline[code] += j - first
            if code == 1:
                lumen[lumens, 0], lumen[lumens, 1], lumen[lumens, 2] = i, first, j - 1
                lumens += 1
                outline[LUMEN_MOMENTS] += i * (j - first)
                outline[LUMEN_MOMENTS + 1] += (first + j - 1) * (j - first) / 2
            if code > 0:
                if first > 0 and mask[i, first - 1] > 0:
                    vessel[vessels - 1, 2] = j - 1
                else:
                    vessel[vessels, 0], vessel[vessels, 1], vessel[vessels, 2] = i, first, j - 1
                    vessels += 1
    return lumens, vessels


@kernel
def _reach(runs: np.ndarray, count: int, row: float, column: float) -> float:
    """Greatest distance of a pixel from a point."""
    worst = 0.0
    for n in range(count):
        y = runs[n, 0] - row
        x = max(abs(runs[n, 1] - column), abs(runs[n, 2] - column))
        worst = max(worst, x * x + y * y)
    return np.sqrt(worst)


@kernel
def _touches_outside(mask: np.ndarray, lumen: np.ndarray, count: int) -> bool:
    """Whether a lumen pixel has a side in common with outside; runs must keep clear of the border."""
    for n in range(count):
        i, first, last = lumen[n]
        if mask[i, first - 1] == 0 or mask[i, last + 1] == 0:
            return True
        open_ = False
        for j in range(first, last + 1):
            open_ |= (mask[i - 1, j] == 0) | (mask[i + 1, j] == 0)
        if open_:
            return True
    return False


@kernel
def _is_star(mask: np.ndarray, row: float, column: float, reach: float) -> bool:
    """Whether no ray from the centroid steps back, by more than BACKSTEP samples, into what it has left."""
    h, w = mask.shape
    for n in range(RAYS):
        s, c = np.sin(2 * np.pi * n / RAYS), np.cos(2 * np.pi * n / RAYS)
        furthest, back = 0, 0
        for step in range(int(reach * PER_PIXEL) + 2 * PER_PIXEL):
            i, j = int(np.rint(row + step / PER_PIXEL * s)), int(np.rint(column + step / PER_PIXEL * c))
            code = mask[i, j] if 0 <= i < h and 0 <= j < w else 0
            kind = 2 if code == 0 else (0 if code == 1 else 1)
            if step == 0 and kind != 0:
                return False
            back += kind < furthest
            furthest = max(furthest, kind)
        if back > BACKSTEP:
            return False
    return True


@kernel
def trace(mask: np.ndarray) -> tuple[bool, np.ndarray]:
    """Whether the mask ``(h, w)`` uint8 is plainly a sound section, and its outline."""
    h, w = mask.shape
    outline = np.zeros(15)
    for j in range(w):
        if mask[0, j] or mask[h - 1, j]:
            return False, outline
    lumen, vessel = np.empty((h * (w // 2 + 1), 3), dtype=np.int32), np.empty((h * (w // 2 + 1), 3), dtype=np.int32)
    lumens, vessels = _runs(mask, lumen, vessel, outline)
    if lumens <= 0:
        return False, outline
    outline[BOX], outline[BOX + 1] = vessel[0, 0], vessel[vessels - 1, 0]
    outline[BOX + 2], outline[BOX + 3] = vessel[:vessels, 1].min(), vessel[:vessels, 2].max()
    if outline[BOX + 2] == 0 or outline[BOX + 3] == w - 1:
        return False, outline
    row, column = outline[LUMEN_MOMENTS] / outline[1], outline[LUMEN_MOMENTS + 1] / outline[1]
    outline[REACHES] = _reach(lumen, lumens, row, column)
    outline[REACHES + 1] = _reach(vessel, vessels, row, column)
    sound = _is_tree(lumen, lumens) and _is_tree(vessel, vessels) and not _touches_outside(mask, lumen, lumens)
    return sound and _is_star(mask, row, column, outline[REACHES + 1]), outline
