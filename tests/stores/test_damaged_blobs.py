"""A label that was damaged on the disk is named, stops the campaign, and is never learnt from."""

import pytest

from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests

CAMPAIGN = """
version: 1
name: damaged
seed: 3
pool: {kind: digits, size: 120}
evaluation: {validation: 5, test: 10}
initial: {random: 5}
learner: {kind: mlp, width: 8}
trainer: {kind: standard, steps: 3}
labeler: {kind: dataset}
sampler: {kind: random}
budget: {unit: label, total: 15, per_round: 5}
stop: {metric: accuracy, target: 0.999}
"""


def _run(folder, until="finished"):
    """Run until an event of a kind was written; the campaign's state."""
    spec, place = CampaignSpec.parse(CAMPAIGN, base_dir=folder), Place(folder, folder, None)

    def observe(_state, events):
        if any(event.kind == until for event in events):
            session.stop.set()

    with place.store(spec.name) as store, place.inline_hosts() as hosts:
        session = Session(spec, spec.name, store, hosts, observe)
        return session.run()[0]


@pytest.mark.parametrize("damage", ["flipped", "truncated", "gone"])
def test_a_damaged_label_stops_the_campaign_until_it_is_whole_again(tmp_path, damage):
    stopped = _run(tmp_path, until="evaluated")
    assert len(stopped.trained) == 1
    ref = stopped.labelled("initial")[0].label
    path = tmp_path / "blobs" / ref[:2] / ref[2:]
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(content[:-1] if damage == "truncated" else content[:-1] + bytes([content[-1] ^ 1]))
    state = _run(tmp_path)
    assert state.status == "paused"
    assert state.paused.cause == "error"
    assert ref in state.paused.reason
    assert len(state.trained) == 1, "nothing is learnt from what is damaged"
    path.write_bytes(content)
    mended = _run(tmp_path)
    assert mended.finished
    whole = _run(tmp_path / "whole")
    assert (digests(mended), mended.accounts) == (digests(whole), whole.accounts)
