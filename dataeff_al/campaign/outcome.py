"""What a run leaves in its folder beside the record: the campaign as run, the model, the summary and the report."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.reporting import run_report
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.campaign.summary import Member, digests, summary, versions
from dataeff_al.campaign.timeline import timeline
from dataeff_al.digests import Ref
from dataeff_al.failpoints import reached
from dataeff_al.stores.protocol import Store

CAMPAIGN, MODEL, MODEL_CARD, SUMMARY = "campaign.yaml", "model.safetensors", "model.json", "summary.json"


def member(store: Store, state: State) -> Member:
    """A campaign of the run with its timeline."""
    assert state.created is not None
    created = state.created
    return Member(
        name=created.name,
        seed=int(created.spec["seed"]),
        twin=created.parent is not None,
        state=state,
        timeline=timeline(store.read(state.id)),
    )


def write_outcome(
    folder: Path, spec: CampaignSpec, states: Sequence[State], store: Store, blobs: Blobs, *, report: bool = True
) -> dict[str, Any]:
    """Write everything that can be written so far, each file whole or not at all; returns the summary.

    Before the first round is evaluated there is nothing to report but how the campaign stands. ``report=False``
    leaves the report as it is, which saves the seconds that its figures take.
    """
    reached("outcome.before")
    members = [member(store, state) for state in states]
    found = summary(spec, members)
    write_file(folder / CAMPAIGN, spec.to_yaml().encode())
    _write_model(folder, spec, states[0], blobs)
    reached("outcome.model")
    if report and states[0].evaluated:
        _write_report(folder, spec, members, blobs)
    reached("outcome.report")
    write_json(folder / SUMMARY, found)
    reached("outcome.after")
    return found


def _write_report(folder: Path, spec: CampaignSpec, members: Sequence[Member], blobs: Blobs) -> None:
    from dataeff_al.report.write import write_report  # only who draws figures needs matplotlib

    write_report(run_report(spec, members, blobs), folder)


def _write_model(folder: Path, spec: CampaignSpec, state: State, blobs: Blobs) -> None:
    model = digests(state)["model"]
    if model is None or state.created is None:
        return
    write_file(folder / MODEL, blobs.get(Ref(model)))
    write_json(folder / MODEL_CARD, model_card(spec, state))


def model_card(spec: CampaignSpec, state: State) -> dict[str, Any]:
    """What the campaign's newest model is."""
    return {
        "campaign": spec.name,
        "learner": spec.learner.canonical(),
        "target": state.created.target if state.created else {},
        "digest": digests(state)["model"],
        "labels": len(state.labelled("initial", "acquire")),
        "versions": versions(),
    }


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people and scripts."""
    write_file(path, (json.dumps(value, indent=2, allow_nan=False) + "\n").encode())


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    reached("file.written")
    draft.replace(path)
    reached("file.renamed")
