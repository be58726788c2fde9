"""A controller over Ray predicts in an actor beside the campaigns."""

from contextlib import closing

import numpy as np

from dataeff_al.campaign.assembly import Parts
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.outcome import model_card
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.predicting import RunModel
from dataeff_al.rpc import Client
from dataeff_al.stores.open import open_store
from services.actors.hosts import RayHosts
from services.controller.assembly import controller_over
from services.controller.confined import Admission
from services.controller.families import Conduct
from services.local import Background

CONDUCT = Conduct(most=1, figures=False)
CAMPAIGN = """
version: 1
name: predicted
seed: 3
pool: {kind: digits, size: 60}
evaluation: {validation: 5, test: 5}
initial: {random: 5}
learner: {kind: mlp, width: 8, runtime: {replicas: 2}}
trainer: {kind: standard, steps: 3, ensemble: members, ensemble_size: 2}
labeler: {kind: dataset}
sampler: {kind: random}
budget: {total: 8, per_round: 3}
stop: {metric: accuracy}
"""


def test_an_actor_predicts_what_the_model_predicts_here(cluster, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    with (
        closing(open_store(folder, writer=True)) as store,
        RayHosts(cluster, Place(folder, tmp_path, None)) as hosts,
        controller_over(store, hosts, Admission(tmp_path), lambda name: tmp_path / name, CONDUCT) as made,
        Background(made) as served,
        Client(served.target) as client,
    ):
        campaign = client.create(CAMPAIGN).id
        list(client.watch(campaign))
        x = np.random.default_rng(1).random((9, 1, 8, 8), dtype=np.float32)
        found = [client.predict(campaign, {"x": x}) for _ in range(2)]
        state = made.families.standing.state(campaign)
        spec = spec_of(state.created)
        card = model_card(spec, state)
        here = RunModel(Parts(spec, tmp_path, None), card, hosts.blobs.get(card["digest"]))(x)
    for each in found:
        np.testing.assert_allclose(each["probabilities"], here, rtol=1e-5)
