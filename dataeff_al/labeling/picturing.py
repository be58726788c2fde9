"""Pictures of how answers came about, drawn where the labeler lives, for the report.

A picture is never worth a label: outcomes are kept before anything is drawn, few of them are drawn, and whatever goes
wrong while drawing costs no more than the picture.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from dataeff_al.blobs import Blobs
from dataeff_al.digests import Ref
from dataeff_al.labeling.types import (
    Deferred,
    Illustrates,
    Label,
    Labeler,
    LabelFailure,
    Outcome,
    Plots,
    PlotsFailures,
    Request,
)

log = logging.getLogger(__name__)
MOST_EACH = 3
LARGEST = 2**20
_PNG = b"\x89PNG\r\n\x1a\n"


def draws(labeler: Labeler, outcome: Outcome) -> bool:
    """Whether a labeler draws outcomes of this kind itself."""
    if isinstance(labeler, Illustrates):
        return True
    return isinstance(labeler, PlotsFailures if isinstance(outcome, LabelFailure) else Plots)


def drawn(labeler: Labeler, request: Request, outcome: Outcome, path: Path) -> bool:
    """Draw how an outcome came about as PNG; False when there is nothing to show. Raises what the labeler raises."""
    if isinstance(labeler, Illustrates):
        return labeler.illustrate(request, outcome, path)
    if isinstance(outcome, LabelFailure) and isinstance(labeler, PlotsFailures):
        labeler.plot_failure(request.sample, outcome, path)
        return True
    label = outcome.draft if isinstance(outcome, Deferred) else outcome
    if isinstance(label, Label) and isinstance(labeler, Plots):
        labeler.plot(request.sample, label, path)
        return True
    return False


def stacked(parts: Sequence[Path], path: Path) -> bool:
    """One PNG of several, one below the other, the narrower ones enlarged to the widest; False when there is none."""
    if not parts:
        return False
    opened = [Image.open(part).convert("RGB") for part in parts]
    width = max(each.width for each in opened)
    rows = [each.resize((width, round(each.height * width / each.width))) for each in opened]
    whole = Image.new("RGB", (width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        whole.paste(row, (0, top))
        top += row.height
    whole.save(path, "PNG", optimize=True)
    return True


class Illustrator:
    """Draws the first few outcomes of each kind: of each step that answered, and of each kind of failure.

    Args:
        labeler: the plugin.
        blobs: where pictures go.
        most: how many of each kind.
    """

    def __init__(self, labeler: Labeler, blobs: Blobs, most: int = MOST_EACH) -> None:
        self._labeler, self._blobs, self._most = labeler, blobs, most
        self._wanted: Counter[str] = Counter()

    def wants(self, request: Request, outcome: Outcome) -> bool:
        """Whether this outcome is to be drawn; each yes counts."""
        kind = _kind(outcome)
        if request.measures or self._wanted[kind] >= self._most or not draws(self._labeler, outcome):
            return False
        self._wanted[kind] += 1
        return True

    def picture(self, request: Request, outcome: Outcome) -> Ref | None:
        """The ref of the outcome's PNG, or None when it could not be drawn."""
        try:
            content = _content(self._labeler, request, outcome)
            return self._blobs.put(content) if content else None
        except (Exception, SystemExit) as error:  # a plugin's drawing may fail in any way
            log.warning("labeler %s could not draw %s: %r", self._labeler.info.name, request.sample.id, error)
            return None


def _content(labeler: Labeler, request: Request, outcome: Outcome) -> bytes:
    """A PNG of a size that a page can carry; empty when there is none."""
    with TemporaryDirectory(prefix="dataeff-") as folder:
        path = Path(folder) / "answer.png"
        if not drawn(labeler, request, outcome, path):
            return b""
        content = path.read_bytes()
    return content if content.startswith(_PNG) and len(content) <= LARGEST else b""


def _kind(outcome: Outcome) -> str:
    if isinstance(outcome, Label):
        return f"label {outcome.notes.get('answered_by', '')}"
    return "deferred" if isinstance(outcome, Deferred) else f"failure {outcome.kind}"
