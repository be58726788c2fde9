"""The contract of a sampler, for plugin authors::

check_sampler(lambda: MySampler(params), view, n=5)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import numpy as np

from dataeff_al.digests import digest_arrays, digest_bytes, digest_json
from dataeff_al.samplers.protocol import Proposal, Sampler
from dataeff_al.samples.types import Sample, SampleId
from dataeff_al.testing.refusals import refusal
from dataeff_al.testing.views import with_invalid_labels
from dataeff_al.view import View

MakeSampler = Callable[[], Sampler]


def check_sampler(make: MakeSampler, view: View, n: int = 5, seed: int = 0) -> None:
    """All rules of a sampler; raises AssertionError with the broken one.

    ``view`` must offer what the sampler needs, and hold labelled, pending and unlabelled samples.
    """
    assert isinstance(make(), Sampler), "a sampler must have needs and propose"
    check_same_seed_same_proposals(make, view, n, seed)
    check_proposals_are_new(make, view, n, seed)
    check_asking_for_too_many(make, view, seed)
    check_view_is_untouched(make, view, n, seed)
    check_empty_pool(make, view, n, seed)
    check_invalid_labels(make, view, n, seed)


def check_same_seed_same_proposals(make: MakeSampler, view: View, n: int, seed: int) -> None:
    """Two samplers with the same random numbers propose the same, and so does one that is asked twice."""
    sampler = make()
    first = fingerprint(_asked(sampler, view, n, seed))
    assert fingerprint(_asked(sampler, view, n, seed)) == first, "a sampler asked twice must propose the same"
    assert fingerprint(_asked(make(), view, n, seed)) == first, "the same seed must give the same proposals"


def check_proposals_are_new(make: MakeSampler, view: View, n: int, seed: int) -> None:
    """Distinct ids; real ones from the unlabelled, never labelled or pending; latents and paths fit together."""
    proposals = _asked(make(), view, n, seed)
    assert len(proposals) <= n, f"at most {n} proposals may come, but got {len(proposals)}"
    assert proposals, "a view with unlabelled samples must give a proposal"
    _check_ids(proposals, view)
    for proposal in proposals:
        _check_walk(proposal)
    assert not list(make().propose(view, 0, np.random.default_rng(seed))), "asked for none, a sampler must give none"


def check_asking_for_too_many(make: MakeSampler, view: View, seed: int) -> None:
    """More wanted than there are: every candidate once when the pool is all it has."""
    free = [i for i in view.unlabelled if i not in {sample.id for sample in view.pending}]
    proposals = _asked(make(), view, len(free) + 7, seed)
    _check_ids(proposals, view)
    if "synthesised" not in make().needs:
        assert len(proposals) == len(free), f"all {len(free)} candidates must come, but got {len(proposals)}"


def check_view_is_untouched(make: MakeSampler, view: View, n: int, seed: int) -> None:
    """Labels, latents, lists and the learner's weights stay as they are."""
    before, weights = view_digest(view), _weights(view)
    kept = deepcopy((list(view.unlabelled), [sample.id for sample in view.pending]))
    _asked(make(), view, n, seed)
    assert view_digest(view) == before, "a sampler must not change labels, samples or latents"
    assert (list(view.unlabelled), [sample.id for sample in view.pending]) == kept, "a sampler must not change lists"
    assert _weights(view) == weights, "a sampler must not change the learner"


def check_empty_pool(make: MakeSampler, view: View, n: int, seed: int) -> None:
    """Without an unlabelled sample: a clear error, or only synthesised proposals."""
    empty = replace(view, unlabelled=())
    if refusal(lambda: _asked(make(), empty, n, seed)):
        return
    assert "synthesised" in make().needs, "an empty pool must be a clear error"
    proposals = _asked(make(), empty, n, seed)
    assert all(isinstance(proposal.sample, Sample) for proposal in proposals), "an empty pool has no real proposals"


def check_invalid_labels(make: MakeSampler, view: View, n: int, seed: int) -> None:
    """Labels that are NaN or invalid everywhere are survived."""
    proposals = _asked(make(), with_invalid_labels(view), n, seed)
    assert proposals, "invalid labels must not stop a sampler"
    assert all(np.isfinite(proposal.score) for proposal in proposals), "scores must stay finite with invalid labels"


def fingerprint(proposals: Sequence[Proposal]) -> str:
    """A digest of everything in the proposals."""
    return digest_json([_described(proposal) for proposal in proposals])


def view_digest(view: View) -> str:
    """A digest of the view's samples, labels and latents."""
    entries = [[entry.sample.id, digest_arrays(entry.sample.fields)] for entry in view.labelled]
    labels = [digest_arrays(entry.label.target) for entry in [*view.labelled, *view.validation]]
    latents = "" if view.latents is None else digest_arrays({"z": np.asarray(view.latents.z)})
    return digest_json([entries, labels, latents])


def _asked(sampler: Sampler, view: View, n: int, seed: int) -> Sequence[Proposal]:
    return list(sampler.propose(view, n, np.random.default_rng(seed)))


def proposed_id(proposal: Proposal) -> SampleId:
    """The id of the proposed sample, real or synthesised."""
    return proposal.sample.id if isinstance(proposal.sample, Sample) else proposal.sample


def _check_ids(proposals: Sequence[Proposal], view: View) -> None:
    ids = [proposed_id(proposal) for proposal in proposals]
    assert len(set(ids)) == len(ids), f"proposals must be distinct, but got {ids}"
    taken = {entry.sample.id for entry in view.labelled} | {sample.id for sample in view.pending}
    assert not taken & set(ids), f"labelled and pending samples must not come again, but got {sorted(taken & set(ids))}"
    real = {proposal.sample for proposal in proposals if not isinstance(proposal.sample, Sample)}
    strange = real - set(view.unlabelled)
    assert not strange, f"real proposals must be unlabelled, but got {sorted(strange)}"


def _check_walk(proposal: Proposal) -> None:
    assert np.isfinite(proposal.score), f"a score must be finite, but got {proposal.score}"
    if proposal.path is None:
        return
    assert proposal.path.ndim == 2, f"a path must be (steps + 1, d), but got {proposal.path.shape}"
    assert proposal.latent is not None, "a walk's proposal must carry its latent"
    assert np.array_equal(proposal.path[proposal.step], proposal.latent), "the latent must be the path's at that step"
    assert proposal.parent is not None, "a walk's proposal must name its parent"


def _described(proposal: Proposal) -> list[object]:
    arrays = {"latent": proposal.latent, "path": proposal.path}
    digest = digest_arrays({name: array for name, array in arrays.items() if array is not None})
    content = digest_arrays(proposal.sample.fields) if isinstance(proposal.sample, Sample) else ""
    return [proposed_id(proposal), content, repr(float(proposal.score)), proposal.parent or "", proposal.step, digest]


def _weights(view: View) -> str:
    return "" if view.learner is None else digest_bytes(view.learner.state())
