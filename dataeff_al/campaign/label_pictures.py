"""The pictures that a labeler drew of its answers, for the report: some of every kind, with what came of each."""

from collections import Counter
from collections.abc import Iterator, Sequence

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.state import QueryState
from dataeff_al.digests import Ref
from dataeff_al.errors import DataeffError
from dataeff_al.labeling.packing import unpack_label
from dataeff_al.labeling.types import Label
from dataeff_al.report.model import AnswerPicture

MOST_EACH = 3


def label_pictures(labelled: Sequence[QueryState], given_up: Sequence[QueryState], blobs: Blobs) -> list[AnswerPicture]:
    """At most three of each step that answered and of what was given up, those that trained the model first."""
    order = sorted(labelled, key=lambda query: query.purpose not in ("initial", "acquire"))
    found, shown = list[AnswerPicture](), Counter[str]()
    for query, kind, words in [*_answers(order, blobs), *((query, "given up", _refusal(query)) for query in given_up)]:
        png = _picture(query, blobs) if shown[kind] < MOST_EACH else None
        if png is not None:
            shown[kind] += 1
            found.append(AnswerPicture(query.payload, words, png))
    return found


def _answers(queries: Sequence[QueryState], blobs: Blobs) -> Iterator[tuple[QueryState, str, str]]:
    """Each with who answered, and that in words."""
    for query in queries:
        if query.picture is not None and query.label is not None:
            label = unpack_label(blobs.get(Ref(query.label)))
            yield query, label.notes.get("answered_by", ""), _words(label)


def _words(label: Label) -> str:
    by = label.notes.get("answered_by")
    said = f"answered by {by}" if by else "answered"
    return said if label.confidence is None else f"{said}, sure at {label.confidence:.2f}"


def _refusal(query: QueryState) -> str:
    return f"given up: {query.reason}"


def _picture(query: QueryState, blobs: Blobs) -> bytes | None:
    """A picture that is gone or damaged is no reason to have no report."""
    if query.picture is None:
        return None
    try:
        return blobs.get(Ref(query.picture))
    except DataeffError:
        return None
