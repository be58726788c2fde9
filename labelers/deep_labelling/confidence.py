"""Confidence as the Dice to be expected, learnt on images that the networks asked had not seen."""

from dataclasses import dataclass

import numpy as np

RIDGE = 0.05
LOW, HIGH = 0.01, 0.995


@dataclass(frozen=True)
class Calibration:
    """``confidence = sigmoid(weights . features + bias)``, fitted to the Dice of held-back images.

    ``held_back``: how many there were; with 0 the weights are a rule of thumb, and confidence only ranks.
    """

    weights: np.ndarray
    bias: float
    held_back: int

    def confidence(self, features: np.ndarray) -> np.ndarray:
        """``(n, f)`` features to ``(n,)`` expected Dice."""
        return np.asarray(1 / (1 + np.exp(-(features @ self.weights + self.bias))), np.float32)


def rule_of_thumb(count: int) -> Calibration:
    """Agreement and sharpness, uncalibrated: for sets too small to hold images back."""
    weights = np.zeros(count)
    weights[:2] = 4.0, 2.0
    return Calibration(weights, -3.0, 0)


def calibrated(features: np.ndarray, dice: np.ndarray, steps: int = 60) -> Calibration:
    """Fit expected Dice ``(n,)`` on features ``(n, f)`` by logistic regression with a ridge about the rule of thumb.

    Newton's method on cross-entropy with Dice as the soft truth: the mean of the confidence is the mean Dice.
    """
    start = rule_of_thumb(features.shape[1])
    truth = dice.clip(LOW, HIGH)
    design = np.hstack([features, np.ones((len(features), 1))])
    prior = np.append(start.weights, start.bias)
    penalty = np.diag(np.append(np.full(features.shape[1], RIDGE * np.sqrt(len(features))), 1e-6))
    weights = prior.copy()
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-(design @ weights)))
        slope = design.T @ (chance - truth) + penalty @ (weights - prior)
        curve = (design * (chance * (1 - chance))[:, None]).T @ design + penalty
        weights = weights - np.clip(np.linalg.solve(curve + 1e-9 * np.eye(len(curve)), slope), -2, 2)
    return Calibration(weights[:-1], float(weights[-1]), len(features))


def risk_coverage(confidence: np.ndarray, dice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coverage ``(n,)``, rising, and the mean Dice of that share of images of which one is surest ``(n,)``."""
    order = np.argsort(-confidence, kind="stable")
    coverage = np.arange(1, len(order) + 1) / len(order)
    return coverage, np.cumsum(dice[order]) / np.arange(1, len(order) + 1)


def dice_at(confidence: np.ndarray, dice: np.ndarray, coverage: float) -> float:
    """The mean Dice of the surest ``coverage`` of images."""
    shares, means = risk_coverage(confidence, dice)
    return float(means[np.searchsorted(shares, coverage - 1e-9)])
