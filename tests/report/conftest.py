"""Synthetic run reports of every kind, shaped like real ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from dataeff_al.efficiency import LearningCurve, saving
from dataeff_al.report.latent import project
from dataeff_al.report.model import Case, Cost, Curve, Failure, LabelCount, Round, RunReport, Target

TISSUES = ("outside", "lumen", "wall", "fibrous", "lipid", "calcium", "adventitia")
SECONDS = {"propose": 2.1, "label": 9.4, "train": 12.5, "evaluate": 0.8, "own": 0.6}
YAML = """version: 1
name: vessel-stress
seed: 7
pool: {kind: vessel_sections, size: 2000}
evaluation: {validation: 40, test: 200}
initial: {random: 20}
sampler: {kind: si}
budget: {unit: solve, total: 120, per_round: 20}
stop: {metric: nmse, target: 0.3}
compare: [{sampler: {kind: random}}]
"""


def section(seed: int, size: int = 64) -> np.ndarray:
    """A vessel-like mask of tissue codes ``(size, size)``."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:size, :size] - size / 2) / size
    angle, radius = np.arctan2(y, x), np.hypot(x, y)
    lumen = 0.2 + 0.03 * np.cos(angle * 2 + rng.uniform(0, 6))
    outer = lumen + 0.1 + 0.05 * np.cos(angle + rng.uniform(0, 6))
    mask = np.zeros((size, size), np.uint8)
    mask[radius < outer + 0.05] = 6
    mask[radius < outer] = 3
    turn = np.angle(np.exp(1j * (angle - rng.uniform(-3, 3))))
    mask[(np.abs(turn) < 0.7) & (radius > lumen + 0.03) & (radius < outer - 0.02)] = 4
    mask[(np.abs(turn - 2) < 0.35) & (radius > lumen + 0.04) & (radius < outer)] = 5
    mask[radius < lumen] = 1
    return mask


def stress(mask: np.ndarray, seed: int, noise: float) -> np.ndarray:
    """A stress-like field ``(1, h, w)`` in kPa, NaN outside tissue."""
    size = len(mask)
    y, x = (np.mgrid[:size, :size] - size / 2) / size
    field = 18 / (0.05 + np.hypot(x, y) ** 2) * np.choose(mask, [0, 0, 1, 1, 0.25, 2.4, 0.6])
    bumps = np.random.default_rng(seed).normal(size=(8, 8)).repeat(size // 8, 0).repeat(size // 8, 1)
    return np.where(mask >= 2, field * (1 + noise * bumps), np.nan).astype(np.float32)[None]


def field_case(seed: int, noise: float) -> Case:
    mask = section(seed)
    truth, guess = stress(mask, seed, 0), stress(mask, seed, noise)
    error = float(np.sqrt(np.nanmean((guess - truth) ** 2)))
    return Case(
        f"section-{seed:05d}",
        "field",
        truth,
        guess,
        error,
        "root mean squared error",
        "kPa",
        channels=("sigma_1",),
        image=mask,
        image_kind="codes",
        image_classes=TISSUES,
        pixel_size_mm=5 / 64,
    )


def mask_case(seed: int, depth: int | None) -> Case:
    rng = np.random.default_rng(seed)
    shape = (48, 48) if depth is None else (depth, 48, 48)
    grid = np.meshgrid(*[np.linspace(-1, 1, each) for each in shape], indexing="ij")

    def blob(shift: float) -> np.ndarray:
        far = sum((axis - shift) ** 2 for axis in grid)
        return np.where(far < 0.12, 2, np.where(far < 0.45, 1, 0)).astype(np.uint8)

    truth, guess = blob(0.1), blob(0.1 + 0.08 * seed)
    image = (truth * 0.3 + 0.2 + 0.08 * rng.normal(size=shape)).astype(np.float32)[None]
    classes = ("background", "tumour", "core")
    return Case(f"case-{seed}", "mask", truth, guess, 0.1 * seed, "1 - mean Dice", classes=classes, image=image)


def class_case(seed: int, *, picture: bool = True) -> Case:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=10) * 2
    chance = np.exp(logits) / np.exp(logits).sum()
    truth = np.argmax(chance) if seed % 2 else 3
    image = rng.random((1, 8, 8)).astype(np.float32) if picture else None
    digits = tuple(str(i) for i in range(10))
    error = 1 - chance[truth]
    return Case(f"digit-{seed}", "class", np.array(truth), chance, error, "1 - p", classes=digits, image=image)


def values_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=5).astype(np.float32)
    guess = truth + 0.3 * rng.normal(size=5).astype(np.float32)
    names = ("stiffness", "damping", "mass", "length", "width")
    row = rng.normal(size=9).astype(np.float32)
    return Case(f"row-{seed}", "values", truth, guess, 0.3, channels=names, unit="N", image=row, image_kind="values")


CASES: dict[str, Callable[[int], Case]] = {
    "field": lambda seed: field_case(seed, 0.03 * (seed + 1)),
    "mask_2d": lambda seed: mask_case(seed, None),
    "mask_3d": lambda seed: mask_case(seed, 16),
    "class": class_case,
    "class_without_picture": lambda seed: class_case(seed, picture=False),
    "values": values_case,
}


def curve(name: str, rate: float, seed: int = 7, rounds: int = 7) -> Curve:
    """A curve of ``nmse`` that falls as a power of the labels, with a little noise."""
    rng = np.random.default_rng(seed + int(rate * 100))
    made = []
    for i in range(rounds):
        labels = 20 * (i + 1)
        nmse = 0.75 * (labels / 20) ** -rate * (1 + 0.03 * rng.normal())
        test = {"nmse": nmse, "rmse_kpa": 30 * nmse**0.5, "p99_kpa": 120 * nmse**0.5}
        jitter = {phase: value * (1 + 0.2 * rng.random()) for phase, value in SECONDS.items()}
        made.append(Round(i, labels, {"nmse": nmse * 1.06}, test, jitter))
    return Curve(name, made, seed)


def saving_of(ours: list[Curve], theirs: list[Curve], target: float):
    def learning(each: Curve) -> LearningCurve:
        return LearningCurve([r.labels for r in each.rounds], [r.test["nmse"] for r in each.rounds])

    pairs = [learning(each) for each in ours], [learning(each) for each in theirs]
    return saving(ours[0].name, pairs[0], theirs[0].name, pairs[1], target, more_is_better=False)


def latent_map():
    rng = np.random.default_rng(3)
    pool = rng.normal(size=(800, 6)) * np.array([3, 2, 1, 0.5, 0.3, 0.2])
    paths = []
    for i in range(24):
        steps = np.cumsum(rng.normal(size=(9, 6)) * 0.18 + 0.12 * rng.normal(size=6), axis=0)
        paths.append(pool[i] + np.vstack([np.zeros(6), steps]))
    labelled = np.vstack([pool[100:160], [path[-1] for path in paths]])
    rounds = [i // 10 for i in range(60)] + [1 + i // 4 for i in range(24)]
    return project(pool, labelled, rounds, [False] * 60 + [True] * 24, paths)


def staged_case() -> Case:
    """A mask that was found in two stages."""
    case = mask_case(3, None)
    return replace(case, stages=[("block 1 (1/2)", case.truth), ("block 2 (1/1)", case.prediction)])


def with_structures(ours: Curve) -> Curve:
    """The curve with the Dice of single structures at its end."""
    *rounds, last = ours.rounds
    dice = {"dice/Caudate": 0.8, "dice/Putamen": 0.7, "dice/Cuneus": 0.4}
    return replace(ours, rounds=[*rounds, replace(last, test={**last.test, **dice})])


def full_report() -> RunReport:
    ours, theirs = curve("si", 0.62), curve("random", 0.45)
    return RunReport(
        name="vessel-stress",
        seed=7,
        target=Target("nmse", 0.3, more_is_better=False),
        reached=True,
        outcome="The target nmse <= 0.3 was reached with 93 labels in 6 rounds; random sampling needed 129.",
        labels=LabelCount(20, 120, 140),
        cost=Cost("solve", 120, 100, 0, 4, 240, 2),
        curves=[with_structures(ours), theirs],
        spec_yaml=YAML,
        reference={"nmse": 0.11},
        reference_labels=2000,
        savings=[saving_of([ours], [theirs], 0.3)],
        latent_map=latent_map(),
        best=[field_case(i, 0.03) for i in range(3)],
        worst=[*(field_case(10 + i, 0.3) for i in range(3)), staged_case()],
        structures={"deep": ["Caudate", "Putamen"], "outer": ["Cuneus"]},
        failures=[
            Failure("section-00412", "refused", "the lumen must lie inside the wall, but got 3 pixels outside."),
            Failure("section-01733", "timeout", "no answer within 600 s, after 3 attempts."),
        ],
        notes=["The walkers left the trust region in 2 of 120 walks and were pulled back."],
        versions={"dataeff-al": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
        digests={"queries": "9f" * 32, "labels": "0a" * 32, "model": "c4" * 32},
    )


@pytest.fixture(scope="session")
def report() -> RunReport:
    return full_report()


@pytest.fixture(scope="session")
def bare(report: RunReport) -> RunReport:
    """The least a run can have: no rounds, twins, target, reference, map, cases, failures."""
    target = replace(report.target, value=None)
    cost = Cost("label", 0, 0, 0, 0, 0, 0)
    return RunReport("bare", 0, target, None, "Nothing was bought.", LabelCount(0, 0, 0), cost, [])


@pytest.fixture(scope="session")
def cases() -> dict[str, Callable[[int], Case]]:
    return CASES


@pytest.fixture(scope="session")
def make_curve() -> Callable[..., Curve]:
    return curve


@pytest.fixture(scope="session")
def make_saving():
    return saving_of
