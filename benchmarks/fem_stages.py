"""Where a stress label's time goes: CPU milliseconds by stage, and the dense kernels' own speed on this machine."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.harness import Json
from dataeff_al.vessel.pools import SectionPool
from labelers.fem_stress.blend import blend
from labelers.fem_stress.blocks import subtract_product
from labelers.fem_stress.from_mask import law_table, prepare_mask, stress_map
from labelers.fem_stress.masks import MaskGeometry, check_mask
from labelers.fem_stress.simd import LANES
from labelers.fem_stress.spec import FemStressParams
from labelers.fem_stress.spec_settings import settings_of
from labelers.fem_stress.workspace import aligned, workspace

REPEATS = 7
MULTIPLY_ADDS = 17.8e6
"""Multiply-adds of one elimination at 8 x 96 elements: 3.2 n^3 on each line, n = 34, and 54 thousand in each column."""


def cpu_ms(work: Callable[[], Any], labels: int) -> float:
    """Median CPU milliseconds a label."""
    work()
    found = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        found.append(1e3 * (time.process_time() - started) / labels)
    return float(np.median(found))


def stages(generated: SectionPool, fidelity: str) -> dict[str, float]:
    """CPU milliseconds a label by stage, for eight masks of the pool."""
    settings = settings_of(FemStressParams.model_validate({"fidelity": fidelity}))
    size = generated.pixel_size_mm
    masks = [sample.fields["mask"] for sample in generated.read(generated.ids()[:LANES])]
    outlines = [check_mask(mask, settings.tissues) for mask in masks]
    cases = [prepare_mask(mask, size, settings) for mask in masks]
    problems, space, table = [case.problem for case in cases], workspace(*settings.mesh), law_table(settings)
    answers = space.solve(problems)
    pairs = list(zip(masks, outlines, strict=True))
    parts: dict[str, Callable[[], Any]] = {
        "check the mask": lambda: [check_mask(mask, settings.tissues) for mask in masks],
        "borders": lambda: [MaskGeometry(mask, outline, size, 2 * settings.mesh[1]) for mask, outline in pairs],
        "blend tissues": lambda: [blend(mask, table, outline) for mask, outline in pairs],
        "all before the solve": lambda: [prepare_mask(mask, size, settings) for mask in masks],
        "solve and check": lambda: space.solve(problems),
        "stress map": lambda: [stress_map(case, answer) for case, answer in zip(cases, answers, strict=True)],
    }
    return {name: cpu_ms(work, LANES) for name, work in parts.items()}


def dense_rate() -> float:
    """Thousand million multiply-adds a second of the elimination's product of two blocks, all in the cache."""
    a, b, c = aligned(34 * 104), aligned(34 * 104), aligned(34 * 104)

    def products() -> None:
        for _ in range(200):
            subtract_product(c, 0, 104, a, 0, 104, b, 0, 104, 34, 34, 34, False)

    return 200 * 34**3 * LANES / (1e-3 * cpu_ms(products, 1)) / 1e9


def measured(generated: SectionPool) -> Json:
    """The stages of both theories as a table, and the linear bound: an elimination at the dense kernels' speed."""
    linear, hyperelastic = (stages(generated, fidelity) for fidelity in ("linear", "hyperelastic"))
    rate = dense_rate()
    rows = [[name, linear[name], hyperelastic[name]] for name in linear]
    table = {"title": "CPU milliseconds a label at 256 x 256", "columns": ["stage", "linear", "hyperelastic"]}
    figures = {"dense_gmac_per_s": rate, "linear_bound_labels_per_cpu_s": rate * 1e9 / MULTIPLY_ADDS}
    return {"figures": figures, "tables": [{**table, "rows": rows}]}
