"""Two closed borders at once: dynamic programming over the angle, and messages along the pullback.

Costs are ``(angles, levels)``; a border takes one level at each angle and moves by at most one level from an angle to
the next; the outer one stays ``gap`` levels outside the inner one. All kernels are exact minimisers of what they state.
"""

import numpy as np

from labelers.ivus.compiled import kernel

IMPOSSIBLE = 1e18


@kernel
def along_pullback(cost: np.ndarray, slope: float, most: float, share: float) -> np.ndarray:
    """Costs ``(n, angles, levels)`` joined with what the neighbouring frames say, before and behind.

    A message is the least cost of the frames on one side when the border moves by ``k`` levels for ``slope * k``, at
    most ``most`` (min-sum messages with a truncated linear penalty, one sweep each way); ``share`` of a message counts,
    so that the say of frames fades with their distance.
    """
    n, angles, levels = cost.shape
    joined = cost.copy()
    for way in range(2):
        message = np.zeros((angles, levels), dtype=cost.dtype)
        for step in range(n):
            f = step if way == 0 else n - 1 - step
            for a in range(angles):
                if step:
                    for r in range(levels):
                        joined[f, a, r] += message[a, r]
                least = np.inf
                for r in range(levels):
                    message[a, r] = share * (message[a, r] + cost[f, a, r])
                    least = min(least, message[a, r])
                for r in range(1, levels):
                    message[a, r] = min(message[a, r], message[a, r - 1] + slope)
                for r in range(levels - 2, -1, -1):
                    message[a, r] = min(message[a, r], message[a, r + 1] + slope)
                for r in range(levels):
                    message[a, r] = min(message[a, r] - least, most)
    return joined


@kernel
def _step(
    best: np.ndarray, inner: np.ndarray, outer: np.ndarray, gap: int, slopes: tuple[float, float], back: np.ndarray
) -> None:
    """Least costs ``(k, k)`` of all pairs one angle further, in place; ``back``: the moves that led there."""
    k = len(inner)
    middle, pull = np.empty((k, k)), np.empty((k, k), dtype=np.uint8)
    for i in range(k):
        for j in range(k):
            value, move = best[i, j], 1
            if j > 0 and best[i, j - 1] + slopes[1] < value:
                value, move = best[i, j - 1] + slopes[1], 0
            if j < k - 1 and best[i, j + 1] + slopes[1] < value:
                value, move = best[i, j + 1] + slopes[1], 2
            middle[i, j], pull[i, j] = value, move
    for i in range(k):
        for j in range(k):
            if j - i < gap:
                best[i, j] = IMPOSSIBLE
                continue
            value, move = middle[i, j], 1
            if i > 0 and middle[i - 1, j] + slopes[0] < value:
                value, move = middle[i - 1, j] + slopes[0], 0
            if i < k - 1 and middle[i + 1, j] + slopes[0] < value:
                value, move = middle[i + 1, j] + slopes[0], 2
            best[i, j] = value + inner[i] + outer[j]
            back[i, j] = move * 3 + pull[i + move - 1, j]


@kernel
def closed_pair(
    inner: np.ndarray, outer: np.ndarray, gap: np.ndarray, slope_inner: float, slope_outer: float
) -> np.ndarray:
    """Levels ``(2, angles)`` of the cheapest pair of borders, closed in angle.

    An open pair over one and a half laps shows where the borders cross the first angle when both its sides are known;
    the closed pair then starts and ends there. ``gap`` ``(angles,)``: least difference of levels, outer minus inner,
    negative where the two count from different references.
    """
    angles, k = inner.shape
    slopes = (slope_inner, slope_outer)
    longer = angles + angles // 2
    back = np.zeros((longer, k, k), dtype=np.uint8)
    best = np.zeros((k, k))
    for step in range(longer):
        a = step % angles
        _step(best, inner[a], outer[a], gap[a], slopes, back[step])
    lowest = np.argmin(best)
    i, j = lowest // k, lowest % k
    for step in range(longer - 1, angles, -1):
        move = back[step, i, j]
        i, j = min(max(i + move // 3 - 1, 0), k - 1), min(max(j + move % 3 - 1, 0), k - 1)
    first, second = i, j
    best[:] = IMPOSSIBLE
    best[first, second] = 0.0
    for a in range(1, angles):
        _step(best, inner[a], outer[a], gap[a], slopes, back[a])
    low = np.inf
    for p in range(max(first - 1, 0), min(first + 2, k)):
        for q in range(max(second - 1, 0), min(second + 2, k)):
            value = best[p, q] + slope_inner * abs(p - first) + slope_outer * abs(q - second)
            if value < low:
                low, i, j = value, p, q
    levels = np.zeros((2, angles), dtype=np.int64)
    for a in range(angles - 1, -1, -1):
        levels[0, a], levels[1, a] = i, j
        if a:
            move = back[a, i, j]
            i, j = min(max(i + move // 3 - 1, 0), k - 1), min(max(j + move % 3 - 1, 0), k - 1)
    return levels
