"""What a part needs must be offered by another part, and the metric must fit the model."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from dataeff_al.campaign.draft import PARADIGM, Draft
from dataeff_al.metrics import METRICS, find
from dataeff_al.parts import PartSpec
from dataeff_al.sentences import Finding, Loc

_GIVERS: Mapping[str, str] = {
    "latent": "a generator",
    "decoder": "a generator",
    "gradient": "a learner with a differentiable loss",
    "probabilities": "a learner of classes",
    "features": "a learner with features",
    "committee": "a trainer of an ensemble's members, or a prior with symmetries",
    "synthesised": "a labeler that answers synthesised samples",
    "answers": "a pool whose labels are known",
}
_TASK_KINDS: Mapping[str, frozenset[str]] = {
    "classification": frozenset({"class"}),
    "segmentation": frozenset({"mask"}),
    "regression": frozenset({"field", "values"}),
}
_WITH_PROBABILITIES = frozenset({"class", "mask"})


def check_capabilities(draft: Draft) -> Iterator[Finding]:
    """Every unmet need, of the campaign and then of what its twins have differently."""
    own = list(_check_paradigm(draft))
    yield from own
    for i, twin in enumerate(draft.compare):
        new = [finding for finding in _check_paradigm(draft.twin(i)) if finding not in own]
        for finding in new:
            inside = finding.loc[0] in twin.replaced
            yield finding.under(("compare", i)) if inside else replace(finding, loc=("compare", i))


def _check_paradigm(draft: Draft) -> Iterator[Finding]:
    yield from _check_metric(draft)
    if not draft.whole(*PARADIGM, "pool", "labeler"):
        return
    offers = _offers(_parts(draft))
    for loc, part in _parts(draft):
        yield from _unmet(loc, part, part.needs - offers, offers)
    start = draft.initial.sampler if draft.initial and draft.whole("initial") else None
    if start is not None:
        before = _offers((loc, part) for loc, part in _parts(draft) if loc not in (("learner",), ("trainer",)))
        yield from _unmet(("initial", "sampler"), start, start.needs - before, before, " before the first fit")


def _parts(draft: Draft) -> list[tuple[Loc, PartSpec]]:
    names = ("pool", "generator", "learner", "trainer", "labeler", "sampler")
    single: list[tuple[Loc, PartSpec | None]] = [((name,), getattr(draft, name)) for name in names]
    priors: list[tuple[Loc, PartSpec | None]] = [(("prior", n), part) for n, part in enumerate(draft.prior)]
    return [(loc, part) for loc, part in (*single, *priors) if part is not None]


def _offers(parts: Iterable[tuple[Loc, PartSpec]]) -> frozenset[str]:
    return frozenset().union(*(part.offers for _, part in parts))


def _unmet(
    loc: Loc, part: PartSpec, missing: frozenset[str], offers: frozenset[str], when: str = ""
) -> Iterator[Finding]:
    for need in sorted(missing):
        giver = f" ({_GIVERS[need]})" if need in _GIVERS else ""
        offered = ", ".join(sorted(offers)) or "nothing"
        yield Finding(loc, f"{part.kind} needs {need!r}{giver}{when}", f"parts that offer only {offered}")


def _check_metric(draft: Draft) -> Iterator[Finding]:
    if draft.stop is None:
        return
    metric = find(draft.stop.metric)
    for said, kinds in _stated_kinds(draft):
        if not kinds & metric.kinds:
            fitting = ", ".join(name for name, other in METRICS.items() if other.kinds & kinds)
            yield Finding(("stop", "metric"), f"the metric of a {said} must be one of {fitting}", repr(metric.name))
    if draft.sampler is not None and "probabilities" in draft.sampler.needs and not metric.kinds & _WITH_PROBABILITIES:
        must = f"{draft.sampler.kind} needs class probabilities, so the metric must be one of classes"
        yield Finding(("sampler",), must, repr(metric.name))


def _stated_kinds(draft: Draft) -> Iterator[tuple[str, frozenset[str]]]:
    """What learner (``task``) and labeler (``target.kind``) say of the target; many leave it to the pool."""
    task = getattr(draft.learner.params, "task", None) if draft.learner else None
    if task in _TASK_KINDS:
        yield str(task), _TASK_KINDS[str(task)]
    target = getattr(draft.labeler.params, "target", None) if draft.labeler else None
    kind = getattr(target, "kind", None)
    if isinstance(kind, str):
        yield f"{kind} target", frozenset({kind})
