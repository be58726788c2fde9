"""From the record to the plain data that a report shows."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.label_notes import label_notes
from dataeff_al.campaign.label_pictures import label_pictures
from dataeff_al.campaign.rules import rules_of
from dataeff_al.campaign.showing import staged, structures
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import QueryState, QueryStatus, State
from dataeff_al.campaign.summary import Member, cost, digests, label_count, rounds, savings, versions
from dataeff_al.digests import Ref
from dataeff_al.labeling.packing import unpack_label, unpack_request
from dataeff_al.metrics import SAMPLE_ERROR, find
from dataeff_al.report.latent import project
from dataeff_al.report.model import Case, Cost, Curve, Failure, LabelCount, LatentMap, Round, RunReport, Target
from dataeff_al.samples.declared import samples_from_json, target_from_json
from dataeff_al.samples.types import Sample, SampleSpec, TargetSpec
from dataeff_al.stores.arrays import unpack

MOST_PATHS = 60
UNFINISHED = "The campaign has not ended yet: {status}."


def run_report(spec: CampaignSpec, members: Sequence[Member], blobs: Blobs) -> RunReport:
    """Everything the report shows of a run. The first member is the campaign itself."""
    main = members[0]
    state, rules = main.state, rules_of(main.state)
    target = target_from_json(state.created.target if state.created else {})
    reference = state.evaluated.get(("reference", 0))
    best, worst = _cases(state, blobs, target)
    return RunReport(
        name=spec.name,
        seed=spec.seed,
        target=Target(rules.metric, rules.target, rules.more_is_better, find(rules.metric).unit(target)),
        reached=_reached(state, rules.target),
        outcome=_outcome(state),
        labels=LabelCount(**label_count(state)),
        cost=Cost(**cost(state, spec.budget.unit)),
        curves=[_curve(member) for member in members],
        spec_yaml=spec.to_yaml(),
        reference=reference.test if reference else None,
        reference_labels=reference.labels if reference else None,
        savings=savings(spec, members),
        latent_map=_latent_map(state, blobs, target),
        best=best,
        worst=worst,
        structures=structures(target),
        answers=label_pictures(_asked(state), _given_up(state), blobs),
        failures=[_failure(query) for query in _given_up(state)],
        notes=[*_notes(state), *_label_notes(state, blobs)],
        versions=versions(),
        digests={name: digest for name, digest in digests(state).items() if digest},
    )


def _reached(state: State, target: float | None) -> bool | None:
    return state.finished.outcome == "reached" if state.finished and target is not None else None


def _outcome(state: State) -> str:
    if state.finished is not None:
        reason = state.finished.reason
        return f"{reason[0].upper()}{reason[1:]}."
    if state.paused is not None:
        return f"The campaign is paused: {state.paused.reason}."
    return UNFINISHED.format(status=state.status)


def _curve(member: Member) -> Curve:
    name = member.name.partition("~")[0]
    return Curve(name, [Round(**row) for row in rounds(member)], member.seed)


def _given_up(state: State) -> list[QueryState]:
    everything = state.of("validation", "test", "initial", "acquire", "reference")
    return [query for query in everything if query.status is QueryStatus.DEAD_LETTER]


def _failure(query: QueryState) -> Failure:
    return Failure(query.payload, "given up", query.reason)


def _notes(state: State) -> list[str]:
    newest = max((key for key in state.trained if key[0] == "main"), key=lambda key: key[1], default=None)
    notes = state.trained[newest].notes if newest else {}
    found = [f"{name.replace('_', ' ')}: {text}" for name, text in sorted(notes.items()) if name != "labelled"]
    if state.generator is not None:
        generator = state.generator
        found.append(
            f"the generator's reconstruction error is {generator.error:.4g}, against {generator.mean_error:.4g} for "
            "the mean sample"
        )
    for reason, count in sorted(state.refusals.items()):
        found.append(f"the validity gate refused {count} synthesised samples: {reason}")
    return found


def _label_notes(state: State, blobs: Blobs) -> list[str]:
    return label_notes(_asked(state), blobs)


def _asked(state: State) -> Sequence[QueryState]:
    """Everything that has a label, whatever it was asked for."""
    return state.labelled("validation", "test", "initial", "acquire", "reference")


def _latent_map(state: State, blobs: Blobs, target: TargetSpec) -> LatentMap | None:
    """The pool's latents, with what was asked, what it was, and the walks that led there, in the plane."""
    if state.generator is None or state.pool is None:
        return None
    fields, _ = unpack(blobs.get(Ref(state.generator.latents)))
    table = fields["z"]
    place = {key: row for row, key in enumerate(_splits(state, blobs)["pool"])}
    points, numbers, synthesised, paths, names = [], [], [], [], list[str]()
    for query in state.labelled("initial", "acquire"):
        walk = _provenance(query, blobs)
        point = table[place[query.payload]] if query.payload in place else walk.get("latent")
        if point is None:
            continue
        points.append(point)
        numbers.append(query.round)
        synthesised.append(query.synthesised)
        names.extend(_class_name(query, blobs, target))
        if "path" in walk:
            paths.append(walk["path"])
    if not points:
        return None
    return project(table, np.stack(points), numbers, synthesised, paths[-MOST_PATHS:], names)


def _class_name(query: QueryState, blobs: Blobs, target: TargetSpec) -> list[str]:
    """The class of a sample that is labelled with one."""
    if target.kind != "class" or query.label is None:
        return []
    return [target.classes[int(unpack_label(blobs.get(Ref(query.label))).target[target.name])]]


def _splits(state: State, blobs: Blobs) -> dict[str, Any]:
    assert state.pool is not None
    return json.loads(blobs.get(Ref(state.pool.splits)))


def _provenance(query: QueryState, blobs: Blobs) -> dict[str, np.ndarray]:
    return unpack(blobs.get(Ref(query.provenance)))[0] if query.provenance else {}


def _cases(state: State, blobs: Blobs, target: TargetSpec) -> tuple[list[Case], list[Case]]:
    """The best and the worst test samples of the newest model."""
    newest = max((number for role, number in state.evaluated if role == "main"), default=None)
    ref = state.evaluated[("main", newest)].cases if newest is not None else None
    if ref is None:
        return [], []
    fields, meta = unpack(blobs.get(Ref(ref)))
    samples = samples_from_json(_splits(state, blobs)["samples"])
    rows = zip(meta["rows"], fields["prediction"], fields["error"], strict=True)
    cases = [_case(row, prediction, float(error), blobs, samples, target) for row, prediction, error in rows]
    cases = [replace(case, stages=staged(fields, place)) for place, case in enumerate(cases)]
    best = meta["best"]
    return cases[:best], cases[best:] or cases[::-1][:best]


def _case(
    row: Any, prediction: np.ndarray, error: float, blobs: Blobs, samples: SampleSpec, target: TargetSpec
) -> Case:
    sample: Sample = unpack_request(blobs.get(Ref(row["request"])), "").sample
    label = unpack_label(blobs.get(Ref(row["label"])))
    field = samples.input_field
    return Case(
        id=str(sample.id),
        kind=target.kind,
        truth=np.asarray(label.target[target.name]),
        prediction=_shown(prediction, target),
        error=error,
        error_name=SAMPLE_ERROR[target.kind],
        unit=target.unit,
        classes=target.classes,
        channels=target.channels,
        image=np.asarray(sample.fields[samples.input]),
        image_kind=field.kind,
        image_classes=field.classes,
        pixel_size_mm=field.pixel_size_mm,
    )


def _shown(prediction: np.ndarray, target: TargetSpec) -> np.ndarray:
    """Masks are shown as codes, everything else as the model gives it."""
    as_codes = target.kind == "mask" and prediction.ndim > len(target.shape)
    return prediction.argmax(axis=0).astype(np.uint8) if as_codes else prediction
