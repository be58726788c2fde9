"""How few annotated patients a contour needs: ``python -m benchmarks deep-labelling``.

Sunnybrook's cavities. Each cell trains one arm on the first k of one random order of the 30 training patients and
answers the slices of the 15 test patients, from its own detector, with no help from the truth; an image without a
contour counts as Dice 0. The U-Nets are MONAI's, with rotation, scale, shift and the same changes of intensity, for at
least as many CPU seconds as ours took to train; the strong one sees the crops that our detector finds. That one is also
measured with the walls and spots that our own training makes up, which tells what is owed to these alone.
"""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.deep_labelling_cells import measured
from benchmarks.deep_labelling_scores import paired_interval
from benchmarks.deep_labelling_speed import speed
from benchmarks.harness import Benchmark, Cell, Json, Result, Table
from labelers.deep_labelling.confidence import dice_at, risk_coverage

KS = (1, 2, 4, 8, 16, 30)
ARMS_AT: Mapping[str, tuple[int, ...]] = {
    "ours": KS,
    "unet": KS,
    "unet_made_up": (1, 4, 30),
    "unet_whole": (4, 30),
    "published": KS,
    "direction": (4, 30),
    "radial": (4, 30),
}
"""Which numbers of patients each arm is measured at: references at two of them."""


def key_of(arm: str, k: int, seed: int) -> str:
    """A cell's name."""
    return f"{arm}-k{k}-s{seed}"


def cells(seeds: Sequence[int], quick: bool) -> list[Cell]:
    """Speed, then every arm at every number of patients, seed after seed, our own row and its peer first."""
    # The peers of ours come right after it, because they use its detector and its training time.
    ks = KS[:1] if quick else KS
    grid = [(arm, k, seed) for seed in seeds for k in ks for arm, at in ARMS_AT.items() if k in at or quick]
    return [
        Cell("speed", partial(speed, quick)),
        *(Cell(key_of(arm, k, seed), partial(measured, arm, k, seed, quick)) for arm, k, seed in grid),
    ]


def assemble(found: Mapping[str, Json]) -> Result:
    """Figures by name, the tables, and the risk-coverage curve."""
    by_cell: dict[tuple[str, int], list[Json]] = {}
    for cell in found.values():
        if "arm" in cell:
            by_cell.setdefault((cell["arm"], cell["k"]), []).append(cell)
    figures = dict(found.get("speed", {})) | _figures(by_cell)
    tables = [_table(by_cell), _margins(by_cell)]
    known = [k for arm, k in by_cell if arm == "ours"]
    if not known:
        return Result(figures, tables)
    most = by_cell["ours", max(known)]
    return Result(figures | _sure(most), tables, {"risk_coverage": _curve(most)})


def _mean(cells_: Sequence[Json], key: str) -> float:
    return float(np.mean([value for cell in cells_ for value in cell[key] if value is not None]))


def _figures(by_cell: Mapping[tuple[str, int], Sequence[Json]]) -> dict[str, float]:
    figures = {f"dice_{arm}_k{k}": _mean(group, "dice") for (arm, k), group in by_cell.items()}
    ours = {k: group for (arm, k), group in by_cell.items() if arm == "ours"}
    scores = ("converged", "sensitivity", "gap_px")
    return figures | {f"{score}_k{k}": _mean(group, score) for k, group in ours.items() for score in scores}


def _sure(group: Sequence[Json]) -> dict[str, float]:
    at = [dice_at(np.array(cell["confidence"]), np.array(cell["dice"]), 0.8) for cell in group]
    gap = [abs(np.mean(cell["confidence"]) - np.mean(cell["dice"])) for cell in group]
    return {"dice_at_80_coverage": float(np.mean(at)), "calibration_gap": float(np.mean(gap))}


def _curve(group: Sequence[Json]) -> Json:
    curves = [risk_coverage(np.array(cell["confidence"]), np.array(cell["dice"])) for cell in group]
    return {"coverage": curves[0][0].tolist(), "dice": np.mean([mean for _, mean in curves], axis=0).tolist()}


def _table(by_cell: Mapping[tuple[str, int], Sequence[Json]]) -> Table:
    rows: list[list[str | float | int | None]] = [
        [
            arm,
            k,
            len(group),
            _mean(group, "dice"),
            float(np.std([np.mean(cell["dice"]) for cell in group])),
            float(np.mean([np.median(cell["dice"]) for cell in group])),
            _mean(group, "sensitivity"),
            _mean(group, "gap_px"),
            1 - _mean(group, "converged"),
            float(np.mean([cell["train_cpu_s"] for cell in group])),
        ]
        for (arm, k), group in sorted(by_cell.items(), key=lambda item: (item[0][1], item[0][0]))
    ]
    heads = ["arm", "patients", "seeds", "Dice", "sd", "median", "sensitivity", "gap [px]", "failed", "train CPU [s]"]
    return Table("Sunnybrook test patients; a failed contour counts as Dice 0", heads, rows)


def _margins(by_cell: Mapping[tuple[str, int], Sequence[Json]]) -> Table:
    rows: list[list[str | float | int | None]] = []
    for (arm, k), group in sorted(by_cell.items(), key=lambda item: (item[0][1], item[0][0])):
        if arm != "ours" and len(by_cell.get(("ours", k), ())) == len(group):
            rows.append([arm, k, *paired_interval(by_cell["ours", k], group)])
    return Table("Ours less the other, paired over patients", ["other", "patients", "gain", "low", "high"], rows)


BENCHMARK = Benchmark(seeds=3, cells=cells, assemble=assemble, piecewise=True)
