"""Dense block kernels over lanes: the elimination of one block row of the ring.

A block row is a matrix ``(rows, width)`` of lanes, ``[D | the rest]`` with the symmetric ``D`` in its upper triangle.
Eliminating it turns it into ``[R | R^-T rest]`` with ``D = R^T R``.
"""

import numpy as np

from labelers.fem_stress.compiled import inlined, kernel
from labelers.fem_stress.simd import load, splat, sqrt, store, stream


@inlined
def _tile24(
    c: np.ndarray,
    c_at: int,
    ld_c: int,
    a: np.ndarray,
    a_at: int,
    ld_a: int,
    b: np.ndarray,
    b_at: int,
    ld_b: int,
    count: int,
) -> None:
    """``C[0:2, 0:4] -= sum_k A[k, 0:2]^T B[k, 0:4]`` with eight sums held in registers."""
    s00, s01, s02, s03 = load(c, c_at), load(c, c_at + 1), load(c, c_at + 2), load(c, c_at + 3)
    low = c_at + ld_c
    s10, s11, s12, s13 = load(c, low), load(c, low + 1), load(c, low + 2), load(c, low + 3)
    for _ in range(count):
        a0, a1 = load(a, a_at), load(a, a_at + 1)
        b0, b1, b2, b3 = load(b, b_at), load(b, b_at + 1), load(b, b_at + 2), load(b, b_at + 3)
        s00, s01, s02, s03 = s00 - a0 * b0, s01 - a0 * b1, s02 - a0 * b2, s03 - a0 * b3
        s10, s11, s12, s13 = s10 - a1 * b0, s11 - a1 * b1, s12 - a1 * b2, s13 - a1 * b3
        a_at += ld_a
        b_at += ld_b
    store(c, c_at, s00)
    store(c, c_at + 1, s01)
    store(c, c_at + 2, s02)
    store(c, c_at + 3, s03)
    store(c, low, s10)
    store(c, low + 1, s11)
    store(c, low + 2, s12)
    store(c, low + 3, s13)


@inlined
def _tile44(
    c: np.ndarray,
    c_at: int,
    ld_c: int,
    a: np.ndarray,
    a_at: int,
    ld_a: int,
    b: np.ndarray,
    b_at: int,
    ld_b: int,
    count: int,
) -> None:
    """``C[0:4, 0:4] -= sum_k A[k, 0:4]^T B[k, 0:4]`` with sixteen sums held in registers."""
    one, two, three = c_at + ld_c, c_at + 2 * ld_c, c_at + 3 * ld_c
    s00, s01, s02, s03 = load(c, c_at), load(c, c_at + 1), load(c, c_at + 2), load(c, c_at + 3)
    s10, s11, s12, s13 = load(c, one), load(c, one + 1), load(c, one + 2), load(c, one + 3)
    s20, s21, s22, s23 = load(c, two), load(c, two + 1), load(c, two + 2), load(c, two + 3)
    s30, s31, s32, s33 = load(c, three), load(c, three + 1), load(c, three + 2), load(c, three + 3)
    for _ in range(count):
        b0, b1, b2, b3 = load(b, b_at), load(b, b_at + 1), load(b, b_at + 2), load(b, b_at + 3)
        a0, a1 = load(a, a_at), load(a, a_at + 1)
        s00, s01, s02, s03 = s00 - a0 * b0, s01 - a0 * b1, s02 - a0 * b2, s03 - a0 * b3
        s10, s11, s12, s13 = s10 - a1 * b0, s11 - a1 * b1, s12 - a1 * b2, s13 - a1 * b3
        a2, a3 = load(a, a_at + 2), load(a, a_at + 3)
        s20, s21, s22, s23 = s20 - a2 * b0, s21 - a2 * b1, s22 - a2 * b2, s23 - a2 * b3
        s30, s31, s32, s33 = s30 - a3 * b0, s31 - a3 * b1, s32 - a3 * b2, s33 - a3 * b3
        a_at += ld_a
        b_at += ld_b
    for at, v0, v1, v2, v3 in (
        (c_at, s00, s01, s02, s03),
        (one, s10, s11, s12, s13),
        (two, s20, s21, s22, s23),
        (three, s30, s31, s32, s33),
    ):
        store(c, at, v0)
        store(c, at + 1, v1)
        store(c, at + 2, v2)
        store(c, at + 3, v3)


@inlined
def _tile22(
    c: np.ndarray,
    c_at: int,
    ld_c: int,
    a: np.ndarray,
    a_at: int,
    ld_a: int,
    b: np.ndarray,
    b_at: int,
    ld_b: int,
    count: int,
) -> None:
    low = c_at + ld_c
    s00, s01, s10, s11 = load(c, c_at), load(c, c_at + 1), load(c, low), load(c, low + 1)
    for _ in range(count):
        a0, a1, b0, b1 = load(a, a_at), load(a, a_at + 1), load(b, b_at), load(b, b_at + 1)
        s00, s01, s10, s11 = s00 - a0 * b0, s01 - a0 * b1, s10 - a1 * b0, s11 - a1 * b1
        a_at += ld_a
        b_at += ld_b
    store(c, c_at, s00)
    store(c, c_at + 1, s01)
    store(c, low, s10)
    store(c, low + 1, s11)


@kernel
def subtract_product(
    c: np.ndarray,
    c_at: int,
    ld_c: int,
    a: np.ndarray,
    a_at: int,
    ld_a: int,
    b: np.ndarray,
    b_at: int,
    ld_b: int,
    count: int,
    rows: int,
    columns: int,
    upper: bool,
) -> None:
    """``C -= A^T B`` for even ``rows`` and ``columns``; ``upper``: only tiles on and above the diagonal.

    ``C`` is ``(rows, columns)``, ``A`` ``(count, rows)``, ``B`` ``(count, columns)``, each given by its array, the
    entry of its first element and its leading dimension.
    """
    column = 0
    while column + 4 <= columns:
        last = min(rows, column + 4) if upper else rows
        row = 0
        while row + 4 <= last:
            _tile44(c, c_at + row * ld_c + column, ld_c, a, a_at + row, ld_a, b, b_at + column, ld_b, count)
            row += 4
        if row < last:
            _tile24(c, c_at + row * ld_c + column, ld_c, a, a_at + row, ld_a, b, b_at + column, ld_b, count)
        column += 4
    while column < columns:
        last = min(rows, column + 2) if upper else rows
        for row in range(0, last, 2):
            _tile22(c, c_at + row * ld_c + column, ld_c, a, a_at + row, ld_a, b, b_at + column, ld_b, count)
        column += 2


@kernel
def _pivot_pair(m: np.ndarray, at: int, ld: int, i: int, columns: int) -> None:
    """Factor rows i and i + 1, from which all rows above are subtracted already."""
    first, second = at + i * ld, at + (i + 1) * ld
    pivot = sqrt(load(m, first + i))
    inverse = splat(1.0) / pivot
    cross = load(m, first + i + 1) * inverse
    pivot2 = sqrt(load(m, second + i + 1) - cross * cross)
    inverse2 = splat(1.0) / pivot2
    store(m, first + i, pivot)
    store(m, first + i + 1, cross)
    store(m, second + i + 1, pivot2)
    for c in range(i + 2, columns):
        top = load(m, first + c) * inverse
        store(m, first + c, top)
        store(m, second + c, (load(m, second + c) - cross * top) * inverse2)


@kernel
def _pivot_four(m: np.ndarray, at: int, ld: int, i: int, columns: int) -> None:
    """Factor rows i to i + 3, from which all rows above are subtracted already; the strip is passed over once."""
    r0, r1, r2, r3 = at + i * ld, at + (i + 1) * ld, at + (i + 2) * ld, at + (i + 3) * ld
    p0 = sqrt(load(m, r0 + i))
    i0 = splat(1.0) / p0
    a01, a02, a03 = load(m, r0 + i + 1) * i0, load(m, r0 + i + 2) * i0, load(m, r0 + i + 3) * i0
    p1 = sqrt(load(m, r1 + i + 1) - a01 * a01)
    i1 = splat(1.0) / p1
    a12, a13 = (load(m, r1 + i + 2) - a01 * a02) * i1, (load(m, r1 + i + 3) - a01 * a03) * i1
    p2 = sqrt(load(m, r2 + i + 2) - a02 * a02 - a12 * a12)
    i2 = splat(1.0) / p2
    a23 = (load(m, r2 + i + 3) - a02 * a03 - a12 * a13) * i2
    p3 = sqrt(load(m, r3 + i + 3) - a03 * a03 - a13 * a13 - a23 * a23)
    i3 = splat(1.0) / p3
    store(m, r0 + i, p0)
    store(m, r0 + i + 1, a01)
    store(m, r0 + i + 2, a02)
    store(m, r0 + i + 3, a03)
    store(m, r1 + i + 1, p1)
    store(m, r1 + i + 2, a12)
    store(m, r1 + i + 3, a13)
    store(m, r2 + i + 2, p2)
    store(m, r2 + i + 3, a23)
    store(m, r3 + i + 3, p3)
    for c in range(i + 4, columns):
        x0 = load(m, r0 + c) * i0
        x1 = (load(m, r1 + c) - a01 * x0) * i1
        x2 = (load(m, r2 + c) - a02 * x0 - a12 * x1) * i2
        x3 = (load(m, r3 + c) - a03 * x0 - a13 * x1 - a23 * x2) * i3
        store(m, r0 + c, x0)
        store(m, r1 + c, x1)
        store(m, r2 + c, x2)
        store(m, r3 + c, x3)


@kernel
def eliminate(m: np.ndarray, at: int, ld: int, rows: int, columns: int) -> None:
    """Factor the leading ``(rows, rows)`` block in place and apply it to the columns behind it; both even.

    Rows are done in fours: subtract what the rows above contribute, then the four-row pivot itself.
    """
    i = 0
    while i < rows:
        count = 4 if i + 4 <= rows else 2
        if i:
            subtract_product(m, at + i * ld + i, ld, m, at + i, ld, m, at + i, ld, i, count, columns - i, False)
        if count == 4:
            _pivot_four(m, at, ld, i, columns)
        else:
            _pivot_pair(m, at, ld, i, columns)
        i += count


@kernel
def move_factor(m: np.ndarray, source: int, target: int, rows: int, columns: int) -> None:
    """Write a factored block row, without the lower triangle, to where it is kept."""
    for i in range(rows):
        for j in range(i, columns):
            stream(m, target + i * columns + j, load(m, source + i * columns + j))


@kernel
def solve_symmetric(m: np.ndarray, at: int, ld: int, rows: int, load_at: int, x: np.ndarray, x_at: int) -> None:
    """Solve the block ``(rows, rows)``, which need not be positive definite, for its column ``load_at``, into ``x``.

    Far from equilibrium the load's stiffness can make the freely turning ring's matrix indefinite; LDL^T does not mind.
    """
    for k in range(rows):
        top = at + k * ld
        inverse = splat(1.0) / load(m, top + k)
        for i in range(k + 1, rows):
            factor = load(m, top + i) * inverse
            row = at + i * ld
            for j in range(i, rows):
                store(m, row + j, load(m, row + j) - factor * load(m, top + j))
            store(m, row + load_at, load(m, row + load_at) - factor * load(m, top + load_at))
    for i in range(rows - 1, -1, -1):
        total = load(m, at + i * ld + load_at)
        for j in range(i + 1, rows):
            total = total - load(m, at + i * ld + j) * load(x, x_at + j)
        store(x, x_at + i, total / load(m, at + i * ld + i))


@kernel
def back_substitute(m: np.ndarray, at: int, ld: int, rows: int, x: np.ndarray, x_at: int) -> None:
    """Solve ``R x = x`` in place for the factored leading block."""
    for i in range(rows - 1, -1, -1):
        total = load(x, x_at + i)
        for k in range(i + 1, rows):
            total = total - load(m, at + i * ld + k) * load(x, x_at + k)
        store(x, x_at + i, total / load(m, at + i * ld + i))


@kernel
def subtract_rows(
    m: np.ndarray, at: int, ld: int, rows: int, columns: int, x: np.ndarray, x_at: int, y: np.ndarray, y_at: int
) -> None:
    """``y -= M x`` for ``M`` ``(rows, columns)``."""
    for i in range(rows):
        total = load(y, y_at + i)
        for k in range(columns):
            total = total - load(m, at + i * ld + k) * load(x, x_at + k)
        store(y, y_at + i, total)
