"""A labeler asked directly, without a campaign: no budget, no record, the answers come back in order."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from dataeff_al.digests import Ref, digest_json
from dataeff_al.errors import CapabilityError
from dataeff_al.labeling.asking import asked
from dataeff_al.labeling.check import as_declared
from dataeff_al.labeling.types import Deferred, Label, Labeler, LabelFailure, Outcome, Request
from dataeff_al.parts import PartSpec
from dataeff_al.randomness import seed_for
from dataeff_al.samples.content import content_digest
from dataeff_al.samples.types import Sample, TargetSpec


def check_callable(labeler: Labeler) -> None:
    """Raises CapabilityError when the labeler is one that people or outside programs answer for."""
    if labeler.info.delivery == "pull":
        raise CapabilityError(
            f"a labeler must be one that can be called, but got {labeler.info.name!r}, which a campaign asks by ask "
            "and tell."
        )


def requests_for(part: PartSpec, samples: Sequence[Sample], seed: int) -> list[Request]:
    """A request for each sample. Its key and seed follow from the labeler's parameters and the sample's content.

    So a labeler that knows keys is not paid twice when the same file is labelled again.
    """
    return [_request(digest_json(part.canonical()), sample, seed) for sample in samples]


def _request(labeler: Ref, sample: Sample, seed: int) -> Request:
    content = content_digest(sample)
    key = digest_json(["direct", labeler, sample.id, content, seed])[:32]
    return Request(key, sample, seed=seed_for(seed, "label", content))


def label_in_batches(labeler: Labeler, requests: Sequence[Request]) -> Iterator[list[tuple[Request, Outcome]]]:
    """Checked outcomes, batch after batch of the size that the labeler prefers."""
    size = max(labeler.info.preferred_batch, 1)
    for start in range(0, len(requests), size):
        batch = requests[start : start + size]
        yield list(zip(batch, asked(labeler, batch), strict=True))


def label_of(outcome: Outcome, target: TargetSpec) -> Label | None:
    """The label of an outcome; a deferred one's draft with the confidence at which it was deferred; None without."""
    if isinstance(outcome, LabelFailure):
        return None
    label = replace(outcome.draft, confidence=outcome.confidence) if isinstance(outcome, Deferred) else outcome
    return as_declared(label, target)


def remark(outcome: Outcome) -> str:
    """What is to be said about an outcome that is no plain label, in one line; empty for a label."""
    if isinstance(outcome, Label):
        return ""
    kind = outcome.kind if isinstance(outcome, LabelFailure) else f"unsure at {outcome.confidence:.3g}"
    return " ".join(f"{kind}: {outcome.reason or 'no reason given'}".split())
