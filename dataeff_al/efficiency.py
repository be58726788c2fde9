"""Labels to target, and what a method saves against another: the project's first-class figures.

Over a learning curve (labels, metric) the *labels to target* is the smallest number of labels at which the curve,
made monotone by isotonic regression and interpolated linearly in the logarithm of the labels, reaches the target. The
*saving factor* is ``s_reference / s_method``. Seeds are paired; the factor over several seeds is the geometric mean of
the pairs' factors, so that swapping method and reference inverts it; its interval is a percentile bootstrap over the
pairs.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dataeff_al.errors import DataError
from dataeff_al.randomness import rng_for

MIN_SEEDS = 5
"""Below this many paired seeds no interval is given: three seeds can flip a ranking."""

RESAMPLES = 4000
_TREND = 3


@dataclass(frozen=True)
class LearningCurve:
    """A learning curve: ``labels`` all above zero and ``values`` the metric there; any order, repeats allowed.

    Points at zero labels have no logarithm and must be left out by the caller.
    """

    labels: Sequence[float]
    values: Sequence[float]

    def __post_init__(self) -> None:
        if not len(self.labels) or len(self.labels) != len(self.values):
            raise DataError(
                f"a learning curve must have as many labels as values, and at least one, "
                f"but got {len(self.labels)} and {len(self.values)}."
            )
        if not np.isfinite([*self.labels, *self.values]).all() or min(self.labels) <= 0:
            raise DataError("a learning curve must be finite with labels above 0, but got other points in it.")


@dataclass(frozen=True)
class Saving:
    """What ``method`` saves against ``against`` on the way to ``target``, over ``seeds`` paired seeds.

    ``factor`` is null unless every pair reached the target; ``at_least`` or ``at_most`` bounds it when all that is
    missing lies on one side. ``ci`` is the 95 % interval, or null with the ``reason``. ``verdict`` says it in words.
    ``areas``: the area under both curves, in log labels over the range that they share, as a mean metric.
    """

    method: str
    against: str
    target: float | None
    factor: float | None
    ci: tuple[float, float] | None
    seeds: int
    at_least: float | None
    at_most: float | None
    reason: str
    verdict: str
    areas: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Pair:
    """Log factor of one seed; ``low``: it is at least that (the reference never got there), ``high``: at most."""

    log_factor: float
    low: bool
    high: bool


def isotonic(values: Sequence[float], weights: Sequence[float], *, more_is_better: bool) -> np.ndarray:
    """Least-squares monotone fit ``(n,)`` (pool adjacent violators; Barlow et al., 1972), improving with the index."""
    sign = 1.0 if more_is_better else -1.0
    blocks: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        mean, total, size = sign * value, weight, 1
        while blocks and blocks[-1][0] >= mean:
            left, left_total, left_size = blocks.pop()
            mean = left + (mean - left) * total / (left_total + total)
            total, size = total + left_total, size + left_size
        blocks.append((mean, total, size))
    return sign * np.concatenate([np.full(size, mean) for mean, _, size in blocks])


def fitted(curve: LearningCurve, *, more_is_better: bool) -> tuple[np.ndarray, np.ndarray]:
    """Distinct labels ``(m,)``, ascending, and the monotone curve there ``(m,)``; repeats are averaged first."""
    order = np.lexsort((curve.values, curve.labels))
    labels = np.asarray(curve.labels, dtype=np.float64)[order]
    values = np.asarray(curve.values, dtype=np.float64)[order]
    distinct, start, counts = np.unique(labels, return_index=True, return_counts=True)
    means = np.add.reduceat(values, start) / counts
    return distinct, isotonic(means.tolist(), counts.tolist(), more_is_better=more_is_better)


def labels_to_target(curve: LearningCurve, target: float, *, more_is_better: bool) -> float | None:
    """The smallest number of labels at which the monotone curve reaches ``target``, or None when it does not.

    A curve that starts beyond the target answers its first number of labels: nothing is known before it.
    """
    labels, values = fitted(curve, more_is_better=more_is_better)
    if not more_is_better:
        values, target = -values, -target
    reached = np.flatnonzero(values >= target)
    if not reached.size:
        return None
    at = int(reached[0])
    if at == 0 or values[at] == target:
        return float(labels[at])
    share = (target - values[at - 1]) / (values[at] - values[at - 1])
    low, high = labels[at - 1], labels[at]
    return float(min(low * (high / low) ** share, high))


def predicted_gain(points: Sequence[tuple[float, float]], labels: float, *, more_is_better: bool) -> float | None:
    """How much better the metric is expected to get from the last point to ``labels``; None below three points.

    The last three points' least-squares slope in log labels, which flattens as learning does, carried on: a stop rule
    wants the near future, for which it is as good as a power law and never explodes. Never negative.
    """
    last = sorted(points)[-_TREND:]
    if len(last) < _TREND or len({at for at, _ in last}) < _TREND:
        return None
    at = np.log([at for at, _ in last])
    value = np.asarray([value for _, value in last]) * (1.0 if more_is_better else -1.0)
    slope = float(((at - at.mean()) * (value - value.mean())).sum() / ((at - at.mean()) ** 2).sum())
    return max(slope, 0.0) * float(np.log(labels) - at[-1])


def area(curve: LearningCurve) -> float:
    """Area under the curve in log labels over its width, that is the mean metric from first to last label."""
    labels = np.asarray(curve.labels, dtype=np.float64)
    distinct = np.unique(labels)
    means = np.array([np.mean(np.sort(np.asarray(curve.values)[labels == each])) for each in distinct])
    if len(distinct) == 1:
        return float(means[0])
    logs = np.log(distinct)
    return float(np.trapezoid(means, logs) / (logs[-1] - logs[0]))


def areas(curve: LearningCurve, other: LearningCurve) -> tuple[float, float] | None:
    """The mean metrics of two curves in log labels over the range that both cover; None when there is none."""
    low, high = max(min(curve.labels), min(other.labels)), min(max(curve.labels), max(other.labels))
    if low > high:
        return None
    one, two = (area(_between(each, low, high)) for each in (curve, other))
    return one, two


def _between(curve: LearningCurve, low: float, high: float) -> LearningCurve:
    """The part of a curve between two numbers of labels, repeats averaged, its ends interpolated in log labels."""
    distinct, row = np.unique(np.asarray(curve.labels, dtype=np.float64), return_inverse=True)
    means = np.array([np.mean(np.sort(np.asarray(curve.values)[row == k])) for k in range(len(distinct))])
    at = np.unique(np.concatenate([[low], distinct[(distinct > low) & (distinct < high)], [high]]))
    return LearningCurve(at.tolist(), np.interp(np.log(at), np.log(distinct), means).tolist())


def _mean_areas(curves: Sequence[LearningCurve], references: Sequence[LearningCurve]) -> tuple[float, float] | None:
    """The mean over seeds of what each pair of curves shares; None when a pair shares nothing."""
    pairs = [areas(one, other) for one, other in zip(curves, references, strict=True)]
    known = [pair for pair in pairs if pair is not None]
    if not known or len(known) < len(pairs):
        return None
    one, two = (math.fsum(sorted(column)) / len(known) for column in zip(*known, strict=True))
    return one, two


def saving(
    method: str,
    curves: Sequence[LearningCurve],
    against: str,
    references: Sequence[LearningCurve],
    target: float | None,
    *,
    more_is_better: bool,
    seed: int = 0,
) -> Saving:
    """What a method saves against a reference; ``curves[i]`` and ``references[i]`` share seed and initial labels.

    ``target`` None takes, seed by seed, the metric that the reference ends with. ``seed`` feeds the bootstrap alone.
    Raises :class:`DataError` when the curves do not pair up.
    """
    if len(curves) != len(references):
        raise DataError(f"curves must pair up by seed, but got {len(curves)} and {len(references)}.")
    pairs = [_pair(one, other, target, more_is_better) for one, other in zip(curves, references, strict=True)]
    known = sorted(pair.log_factor for pair in pairs if pair and not (pair.low or pair.high))
    exact = len(known) == len(pairs) > 0
    ci = _interval(known, seed) if exact and len(known) >= MIN_SEEDS else None
    factor = math.exp(math.fsum(known) / len(known)) if exact else None
    at_least, at_most = _bounds(pairs)
    reason = _reason(ci, exact, len(pairs))
    words = _verdict(method, against, factor, ci, len(pairs), at_least, at_most)
    areas = _mean_areas(curves, references)
    return Saving(method, against, target, factor, ci, len(pairs), at_least, at_most, reason, words, areas)


def _pair(curve: LearningCurve, reference: LearningCurve, target: float | None, more_is_better: bool) -> _Pair | None:
    """The log factor of one seed, or None when neither reached the target."""
    if target is None:
        target = float(fitted(reference, more_is_better=more_is_better)[1][-1])
    needed = labels_to_target(curve, target, more_is_better=more_is_better)
    wanted = labels_to_target(reference, target, more_is_better=more_is_better)
    if needed is None and wanted is None:
        return None
    top = math.log(max(reference.labels) if wanted is None else wanted)
    bottom = math.log(max(curve.labels) if needed is None else needed)
    return _Pair(top - bottom, low=wanted is None, high=needed is None)


def _bounds(pairs: Sequence[_Pair | None]) -> tuple[float | None, float | None]:
    """Lower and upper bound of the factor, where open ends all lie on one side; None, None when it is exact."""
    found = [pair for pair in pairs if pair]
    if not found or len(found) < len(pairs):
        return None, None
    low, high = any(pair.low for pair in found), any(pair.high for pair in found)
    bound = math.exp(math.fsum(sorted(pair.log_factor for pair in found)) / len(found))
    return (bound if low and not high else None), (bound if high and not low else None)


def _interval(logs: Sequence[float], seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap of the geometric mean over seeds."""
    values = np.asarray(logs)
    draws = rng_for(seed, "bootstrap").integers(0, len(values), size=(RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(np.exp(low)), float(np.exp(high))


def _reason(ci: tuple[float, float] | None, exact: bool, seeds: int) -> str:
    if ci is not None:
        return ""
    if seeds < MIN_SEEDS:
        return f"an interval needs at least {MIN_SEEDS} paired seeds, and this is from {count_seeds(seeds)}"
    return "" if exact else "the target was not reached in every paired seed"


def count_seeds(seeds: int) -> str:
    """``1 seed``, ``5 seeds``."""
    return f"{seeds} seed{'' if seeds == 1 else 's'}"


def in_two_digits(value: float) -> str:
    """A factor rounded to two digits, written out: ``9.3``, ``110``."""
    return f"{float(f'{value:.2g}'):.9g}"


def _verdict(
    method: str,
    against: str,
    factor: float | None,
    ci: tuple[float, float] | None,
    seeds: int,
    at_least: float | None,
    at_most: float | None,
) -> str:
    """The honest sentence: an interval that holds 1 is 'not better', whatever the factor."""
    if factor is not None:
        return _exact_verdict(against, factor, ci, seeds)
    if at_least is not None:
        open_end = f"not reached by {against}: at least x{in_two_digits(at_least)} fewer labels ({count_seeds(seeds)})"
        return open_end if at_least > 1 else f"not reached by {against} within its labels ({count_seeds(seeds)})"
    if at_most is not None:
        return f"not reached by {method}: not better than {against} ({count_seeds(seeds)})"
    return f"not reached by {method} and {against} alike, so nothing can be said ({count_seeds(seeds)})"


def _exact_verdict(against: str, factor: float, ci: tuple[float, float] | None, seeds: int) -> str:
    spread = (
        f"95 % interval {in_two_digits(ci[0])}-{in_two_digits(ci[1])}, {count_seeds(seeds)}"
        if ci
        else f"{count_seeds(seeds)}, no interval"
    )
    low, high = ci or (factor, factor)
    if ci is None and in_two_digits(factor) == "1":
        return f"not better than {against}: as many labels ({spread})"
    if low > 1:
        return f"x{in_two_digits(factor)} fewer labels than {against} ({spread})"
    if high < 1:
        return f"not better than {against}: x{in_two_digits(1 / factor)} more labels ({spread})"
    return f"not better than {against}: x{in_two_digits(factor)} ({spread})"
