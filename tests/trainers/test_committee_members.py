import pytest
import torch

from dataeff_al import registry
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.session import Session
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.summary import digests
from dataeff_al.events import Trained
from dataeff_al.learners.ensemble import members_of, restore
from dataeff_al.stores.fsck import fsck
from dataeff_al.testing.views import built, toy_view
from dataeff_al.trainers.protocol import CommitteeTrainer, TrainerContext
from dataeff_al.trainers.standard import sample_losses, training_set

CAMPAIGN = """
version: 1
name: members
seed: 3
pool: {kind: digits, size: 200}
evaluation: {validation: 10, test: 20}
initial: {random: 10}
generator: {kind: pca, latent_dim: 4}
learner: {kind: mlp, width: 8, depth: 1}
trainer: {kind: standard, steps: 8, ensemble: members, ensemble_size: 3, warm_start: true}
labeler: {kind: dataset}
sampler: {kind: committee}
budget: {total: 20, per_round: 5}
stop: {metric: accuracy}
"""


def committee(**params):
    given = {"steps": 10, "batch_size": 8, "ensemble": "members", "ensemble_size": 3, **params}
    return built("trainers", "standard", TrainerContext(), **given)


def same(one, other):
    return one.state() == other.state()


def test_members_are_as_many_as_asked_for_and_differ():
    first, second, third = members_of(committee().fit(toy_view("class", "mlp"), None, 0).learner)
    assert not same(first, second)
    assert not same(second, third)
    assert not same(first, third)


@pytest.mark.parametrize("params", [{}, {"warm_start": True}, {"reweight": "error"}])
def test_a_committee_is_the_same_in_whichever_order_its_members_are_fitted(params):
    view, trainer = toy_view("class", "mlp"), committee(**params)
    assert isinstance(trainer, CommitteeTrainer)
    previous = committee(steps=4).fit(view, None, 1).learner
    whole = trainer.fit(view, previous, 0)
    fitted = {number: committee(**params).fit_member(view, previous, 0, number) for number in (2, 0, 1)}
    apart = trainer.assemble([fitted[number] for number in range(3)])
    assert same(apart.learner, whole.learner)
    assert (apart.loss, apart.steps) == (whole.loss, whole.steps)
    assert whole.steps == 30


def test_a_member_goes_on_from_its_own_predecessor():
    view = toy_view("class", "mlp")
    previous = committee(steps=30).fit(view, None, 0).learner
    after = committee(steps=1, warm_start=True, learning_rate=1e-6).fit(view, previous, 1).learner
    for place, member in enumerate(members_of(after)):
        near = [_distance(member, other) for other in members_of(previous)]
        assert near.index(min(near)) == place


def _distance(one, other):
    pairs = zip(one.module.parameters(), other.module.parameters(), strict=True)
    return sum(float((a - b).detach().square().sum()) for a, b in pairs)


def test_a_committee_is_restored_from_its_state_and_answers_the_mean_of_its_members():
    view = toy_view("class", "mlp")
    learner = committee().fit(view, None, 0).learner
    again = restore(learner.state(), view.new_learner)
    data = training_set(view, learner)
    assert torch.equal(sample_losses(again, data), sample_losses(learner, data))
    with torch.no_grad():
        mean = torch.stack([member.predict(data.x) for member in members_of(again)]).mean(0)
        assert torch.equal(again.predict(data.x), mean)


def test_the_plugin_says_how_many_members_a_fit_has_and_that_they_cost_as_many_fits():
    plugin = registry.get("trainers", "standard")
    several, single = plugin.params(ensemble="members", ensemble_size=4), plugin.params(ensemble="rounds")
    assert (plugin.members(several), plugin.members(single)) == (4, 1)
    assert plugin.seconds(several) == 4 * plugin.seconds(single)
    assert (plugin.offers(several), plugin.offers(single)) == ({"committee"}, frozenset())


def campaign(folder, sampler):
    spec = CampaignSpec.parse(CAMPAIGN, folder, settings=[f"sampler={sampler}"])
    place = Place(folder, folder, None)
    with place.store("members") as store, place.inline_hosts() as hosts:
        (state,) = Session(spec, "members", store, hosts).run()
        found = fsck(store, hosts.blobs)
        assert found.ok, str(found)
        return state, [stored.event for stored in store.read(state.id)]


SAMPLERS = [
    "{kind: committee}",
    "{kind: lcmd, stretch: committee}",
    "{kind: stochastic, measure: committee}",
]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_samplers_that_need_a_committee_run_a_campaign_on_its_members(sampler, tmp_path):
    state, events = campaign(tmp_path, sampler)
    assert state.status == "finished"
    fits = [event for event in events if isinstance(event, Trained)]
    assert len(fits) == 3
    assert all(event.steps == 24 and event.notes["members"] == "3" for event in fits)


def test_a_campaign_of_a_committee_ends_the_same_when_it_is_run_again(tmp_path):
    ended = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        ended.append(digests(campaign(tmp_path / name, SAMPLERS[0])[0]))
    assert ended[0] == ended[1]
