"""Direct solution on the ring of elements, line by line.

The mesh is a ring of columns; column ``e`` lies between the radial node lines ``e`` and ``e + 1`` and holds a middle
line. Centres of elements are eliminated inside each element, middle lines inside each column; what is left is a cyclic
block-tridiagonal system over the lines. Lines 1, 2, ... are eliminated in turn, each coupled to the next line and to
line 0, which closes the ring and is solved last. The order is fixed, so there is no symbolic work and no pivoting: the
condensed matrix is symmetric positive definite.

Blocks are worked on where they stay in the processor's cache, and written to the factor when they are done.

Storage (lanes): ``ring`` ``(columns + 2, n, 3 n + 2)`` with rows ``[own | next | line 0 | load, pad]``, ``middles``
``(columns + 1, m, m + 2 n + 2)`` with rows ``[own | left | right | load, pad]``, ``centres``
``(columns, radial, 2, 20)``; n = 2 (2 radial + 1) unknowns on a line, m = 2 (radial + 1) on a middle line.
"""

import numpy as np

from labelers.fem_stress.blocks import (
    back_substitute,
    eliminate,
    move_factor,
    solve_symmetric,
    subtract_product,
    subtract_rows,
)
from labelers.fem_stress.compiled import kernel
from labelers.fem_stress.simd import load, splat, store

KE = 20
"""Width of an element's block row: 18 unknowns, the load, one pad."""


@kernel
def line_at(e: int, columns: int, radial: int) -> int:
    """Entry of line ``e``'s block while it is worked on: line 0 at its own place, others in turn behind the ring."""
    n = 4 * radial + 2
    line = e % columns
    return (columns + line % 2 if line else 0) * n * (3 * n + 2)


@kernel
def begin_column(e: int, columns: int, radial: int, ring: np.ndarray, middles: np.ndarray) -> None:
    """Clear the blocks that column ``e`` is the first to add to."""
    n, m = 4 * radial + 2, 2 * radial + 2
    block, middle = n * (3 * n + 2), m * (m + 2 * n + 2)
    if e == 0:
        clear(ring, 0, block)
    if e < columns - 1:
        clear(ring, line_at(e + 1, columns, radial), block)
    clear(middles, columns * middle, middle)


@kernel
def clear(a: np.ndarray, at: int, count: int) -> None:
    """Set ``count`` entries to zero."""
    zero = splat(0.0)
    for i in range(count):
        store(a, at + i, zero)


@kernel
def add_block(c: np.ndarray, at: int, ld: int, ke: np.ndarray, row: int, column: int, rows: int, columns: int) -> None:
    """Add part of the element's matrix to a block."""
    for i in range(rows):
        for j in range(columns):
            here = at + i * ld + j
            store(c, here, load(c, here) + load(ke, (row + i) * KE + column + j))


@kernel
def add_transposed(
    c: np.ndarray, at: int, ld: int, ke: np.ndarray, row: int, column: int, rows: int, columns: int
) -> None:
    """Add the transpose of part of the element's matrix to a block."""
    for i in range(rows):
        for j in range(columns):
            here = at + j * ld + i
            store(c, here, load(c, here) + load(ke, (row + i) * KE + column + j))


@kernel
def scatter(
    ke: np.ndarray,
    e: int,
    k: int,
    columns: int,
    radial: int,
    ring: np.ndarray,
    middles: np.ndarray,
    centres: np.ndarray,
) -> None:
    """Eliminate the element's centre and add the rest to the blocks of its middle line and its two lines."""
    n, m = 4 * radial + 2, 2 * radial + 2
    wide, mwide = 3 * n + 2, m + 2 * n + 2
    eliminate(ke, 0, KE, 2, KE)
    for i in range(2 * KE):
        store(centres, ((e * radial + k) * 2) * KE + i, load(ke, i))
    subtract_product(ke, 2 * KE + 2, KE, ke, 2, KE, ke, 2, KE, 2, 16, 18, False)
    mid, left, right = columns * m * mwide, line_at(e, columns, radial), line_at(e + 1, columns, radial)
    row = mid + 2 * k * mwide
    add_block(middles, row + 2 * k, mwide, ke, 2, 2, 4, 4)
    add_block(middles, row + m + 4 * k, mwide, ke, 2, 6, 4, 6)
    add_block(middles, row + m + n + 4 * k, mwide, ke, 2, 12, 4, 6)
    add_block(middles, row + m + 2 * n, mwide, ke, 2, 18, 4, 1)
    lrow, rrow = left + 4 * k * wide, right + 4 * k * wide
    add_block(ring, lrow + 4 * k, wide, ke, 6, 6, 6, 6)
    add_block(ring, lrow + 3 * n, wide, ke, 6, 18, 6, 1)
    add_block(ring, rrow + 4 * k, wide, ke, 12, 12, 6, 6)
    add_block(ring, rrow + 3 * n, wide, ke, 12, 18, 6, 1)
    if e == 0:
        add_transposed(ring, rrow + 2 * n + 4 * k, wide, ke, 6, 12, 6, 6)
    else:
        offset = 2 * n if e == columns - 1 else n
        add_block(ring, lrow + offset + 4 * k, wide, ke, 6, 12, 6, 6)


@kernel
def close_column(e: int, columns: int, radial: int, ring: np.ndarray, middles: np.ndarray) -> None:
    """Eliminate the middle line of column ``e``, then line ``e`` itself, which is complete now (but for line 0)."""
    n, m = 4 * radial + 2, 2 * radial + 2
    wide, mwide = 3 * n + 2, m + 2 * n + 2
    mid, left, right = columns * m * mwide, line_at(e, columns, radial), line_at(e + 1, columns, radial)
    wl, wr, wf = mid + m, mid + m + n, mid + m + 2 * n
    eliminate(middles, mid, mwide, m, mwide)
    move_factor(middles, mid, e * m * mwide, m, mwide)
    subtract_product(ring, left, wide, middles, wl, mwide, middles, wl, mwide, m, n, n, True)
    subtract_product(ring, right, wide, middles, wr, mwide, middles, wr, mwide, m, n, n, True)
    subtract_product(ring, left + 3 * n, wide, middles, wl, mwide, middles, wf, mwide, m, n, 2, False)
    subtract_product(ring, right + 3 * n, wide, middles, wr, mwide, middles, wf, mwide, m, n, 2, False)
    if e == 0:
        subtract_product(ring, right + 2 * n, wide, middles, wr, mwide, middles, wl, mwide, m, n, n, False)
        return
    offset = 2 * n if e == columns - 1 else n
    subtract_product(ring, left + offset, wide, middles, wl, mwide, middles, wr, mwide, m, n, n, False)
    eliminate(ring, left, wide, n, wide)
    if e < columns - 1:
        y, z = left + n, left + 2 * n
        subtract_product(ring, right, wide, ring, y, wide, ring, y, wide, n, n, n, True)
        subtract_product(ring, right + 2 * n, wide, ring, y, wide, ring, z, wide, n, n, n + 2, False)
    z = left + 2 * n
    subtract_product(ring, 0, wide, ring, z, wide, ring, z, wide, n, n, n, True)
    subtract_product(ring, 3 * n, wide, ring, z, wide, ring, z + n, wide, n, n, 2, False)
    move_factor(ring, left, e * n * wide, n, wide)


@kernel
def hold(ring: np.ndarray, wide: int, n: int, unknown: int) -> None:
    """Fix one unknown of line 0 at zero."""
    zero = splat(0.0)
    for i in range(n):
        here = i * wide + unknown if i < unknown else unknown * wide + i
        store(ring, here, zero)
    store(ring, unknown * wide + unknown, splat(1.0))
    store(ring, unknown * wide + 3 * n, zero)


@kernel
def solve_ring(
    columns: int, radial: int, ring: np.ndarray, middles: np.ndarray, centres: np.ndarray, free: bool, u: np.ndarray
) -> None:
    """Solve line 0, then all lines, middle lines and centres into ``u`` ``(2 columns, 2 radial + 1, 2)``.

    ``free``: no support but three unknowns of line 0 that stop rigid motion: the outermost node, and the innermost
    node across the line. The line lies along x, so these three always stop it.
    """
    n = 4 * radial + 2
    wide = 3 * n + 2
    if free:
        hold(ring, wide, n, n - 2)
        hold(ring, wide, n, n - 1)
        hold(ring, wide, n, 1)
    solve_symmetric(ring, 0, wide, n, 3 * n, u, 0)
    for line in range(columns - 1, 0, -1):
        at, x = line * n * wide, 2 * line * n
        for i in range(n):
            store(u, x + i, load(ring, at + i * wide + 3 * n))
        subtract_rows(ring, at + 2 * n, wide, n, n, u, 0, u, x)
        if line < columns - 1:
            subtract_rows(ring, at + n, wide, n, n, u, x + 2 * n, u, x)
        back_substitute(ring, at, wide, n, u, x)
        solve_column(line, columns, radial, middles, centres, u)
    solve_column(0, columns, radial, middles, centres, u)


@kernel
def solve_column(e: int, columns: int, radial: int, middles: np.ndarray, centres: np.ndarray, u: np.ndarray) -> None:
    """Middle line and centres of column ``e`` from its two lines. The free entries of ``u``'s middle line hold both."""
    n, m = 4 * radial + 2, 2 * radial + 2
    mwide = m + 2 * n + 2
    at, x = e * m * mwide, (2 * e + 1) * n
    left, right = 2 * e * n, ((2 * e + 2) % (2 * columns)) * n
    for i in range(m):
        store(u, x + i, load(middles, at + i * mwide + m + 2 * n))
    subtract_rows(middles, at + m, mwide, m, n, u, left, u, x)
    subtract_rows(middles, at + m + n, mwide, m, n, u, right, u, x)
    back_substitute(middles, at, mwide, m, u, x)
    for k in range(radial, 0, -1):
        store(u, x + 4 * k, load(u, x + 2 * k))
        store(u, x + 4 * k + 1, load(u, x + 2 * k + 1))
    for k in range(radial):
        c, here = ((e * radial + k) * 2) * KE, x + 4 * k + 2
        store(u, here, load(centres, c + 18))
        store(u, here + 1, load(centres, c + KE + 18))
        for i in range(2):
            subtract_rows(centres, c + i * KE + 2, KE, 1, 2, u, x + 4 * k, u, here + i)
            subtract_rows(centres, c + i * KE + 4, KE, 1, 2, u, x + 4 * k + 4, u, here + i)
            subtract_rows(centres, c + i * KE + 6, KE, 1, 6, u, left + 4 * k, u, here + i)
            subtract_rows(centres, c + i * KE + 12, KE, 1, 6, u, right + 4 * k, u, here + i)
        back_substitute(centres, c, KE, 2, u, here)
