"""Write a report: ``figures/*.png`` and ``report.html``, each file whole or not at all."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from dataeff_al.errors import DataeffError
from dataeff_al.report.accounts import cost_bars, time_per_round
from dataeff_al.report.cases import best_predictions, worst_predictions
from dataeff_al.report.curves import learning_curves, other_metrics
from dataeff_al.report.maps import latent_map
from dataeff_al.report.model import RunReport
from dataeff_al.report.page import MOST_ANSWERS, render
from dataeff_al.report.stages import stage_maps
from dataeff_al.report.structures import structure_boxes
from dataeff_al.report.style import styled

FIGURES: Mapping[str, Callable[[RunReport], bytes | None]] = MappingProxyType(
    {
        "learning_curves": learning_curves,
        "other_metrics": other_metrics,
        "latent_map": latent_map,
        "best_predictions": best_predictions,
        "worst_predictions": worst_predictions,
        "stages": stage_maps,
        "structures": structure_boxes,
        "time": time_per_round,
        "cost": cost_bars,
    }
)
"""Every figure by the stem of its file; None when the run has nothing to show in it."""


def draw(report: RunReport) -> dict[str, bytes]:
    """All figures that the run has something for, as PNG bytes by name."""
    with styled():
        drawn = {name: make(report) for name, make in FIGURES.items()}
    return {name: image for name, image in drawn.items() if image is not None}


def write_report(report: RunReport, folder: Path) -> Path:
    """Write ``figures/*.png`` and the self-contained ``report.html`` into ``folder`` and return the page's path.

    The same report gives the same bytes. Figures of an earlier report that this one does not have are removed. Raises
    :class:`~dataeff_al.errors.DataeffError` when the folder cannot be written.
    """
    images = draw(report)
    page = render(report, images)
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name in FIGURES:
            _replace(folder / "figures" / f"{name}.png", images.get(name))
        for number in range(MOST_ANSWERS):
            given = report.answers[number].png if number < len(report.answers) else None
            _replace(folder / "figures" / f"label_{number + 1}.png", given)
        _replace(folder / "report.html", page.encode("utf-8", "replace"))
    except OSError as error:
        raise DataeffError(f"the report's folder must be writable, but got {error.strerror!r} in {folder}.") from error
    return folder / "report.html"


def _replace(path: Path, content: bytes | None) -> None:
    """Put ``content`` in the file's place in one step; None removes the file."""
    if content is None:
        path.unlink(missing_ok=True)
        return
    draft = path.with_name(f".{path.name}.tmp")
    draft.write_bytes(content)
    os.replace(draft, path)  # noqa: PTH105
