"""What labelers noted on their labels, in sentences for the report: a number on many labels is shown by its spread."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.state import QueryState
from dataeff_al.digests import Ref
from dataeff_al.labeling.packing import unpack_label


def label_notes(queries: Sequence[QueryState], blobs: Blobs) -> list[str]:
    """A sentence for each kind of note whose texts are numbers, such as a solver's discretisation error."""
    found: dict[str, list[float]] = defaultdict(list)
    for ref in (query.label for query in queries if query.label is not None):
        for name, text in unpack_label(blobs.get(Ref(ref))).notes.items():
            value = _number(text)
            if value is not None:
                found[name].append(value)
    return [_sentence(name, values, len(queries)) for name, values in sorted(found.items())]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _sentence(name: str, values: Sequence[float], labels: int) -> str:
    return (
        f"the labeler's {name.replace('_', ' ')}, noted on {len(values)} of {labels} labels: median "
        f"{np.median(values):.3g}, largest {max(values):.3g}"
    )
