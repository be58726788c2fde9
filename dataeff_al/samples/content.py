"""What samples hold, by digest: equal content under two ids is exposed, so that no copy crosses a split."""

from collections.abc import Sequence

from dataeff_al.digests import Ref, digest_arrays
from dataeff_al.samples.protocol import Pool
from dataeff_al.samples.types import Sample, SampleId

BLOCK = 512


def content_digest(sample: Sample) -> Ref:
    """Digest of a sample's arrays; its id and group do not count."""
    return digest_arrays(sample.fields)


def content_digests(pool: Pool, ids: Sequence[SampleId]) -> dict[SampleId, Ref]:
    """The content digest of each of ``ids``, read in blocks."""
    digests: dict[SampleId, Ref] = {}
    for start in range(0, len(ids), BLOCK):
        block = pool.read(ids[start : start + BLOCK])
        digests.update({sample.id: content_digest(sample) for sample in block})
    return digests


def duplicates(digests: dict[SampleId, Ref]) -> list[list[SampleId]]:
    """Ids that share their content, in runs of two or more."""
    by_content: dict[Ref, list[SampleId]] = {}
    for sample_id, digest in digests.items():
        by_content.setdefault(digest, []).append(sample_id)
    return [ids for ids in by_content.values() if len(ids) > 1]
