from pathlib import Path

import pytest
import torch

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import SpecError
from dataeff_al.learners.place_table import PlaceTable
from dataeff_al.learners.protocol import TargetBatch
from dataeff_al.testing.views import built


def atlas(**params):
    return built("priors", "atlas", None, **{"cells": 8, **params})


def places(n=400, seed=0):
    return 0.2 + 0.6 * torch.rand(n, 3, generator=torch.Generator().manual_seed(seed))


def test_an_atlas_says_where_classes_were_seen():
    where = places()[..., None, None]
    codes = (where[:, 2] > 0.5).long()
    table = PlaceTable(3, 8, symmetric=False)
    table.learn(atlas(), where, codes, None)
    found = table(where)
    assert bool((found.argmax(1) == codes).float().mean() > 0.95)
    assert bool((found[:, 2] < found.amax(1) - 1).all()), "a class that was never there is unlikely everywhere"


def test_an_atlas_of_merged_sides_learns_both_from_one():
    where = places()
    where[:, 0] = 0.5 + (where[:, 0] - 0.5).abs()
    codes = (where[:, 0] > 0.65).long()
    table = PlaceTable(2, 8, symmetric=True)
    table.learn(atlas(), where[..., None, None], codes[:, None, None], None)
    mirrored = where.clone()
    mirrored[:, 0] = 1.0 - mirrored[:, 0]
    assert torch.allclose(table(where[..., None, None]), table(mirrored[..., None, None]), atol=1e-4)


def test_what_is_not_valid_teaches_an_atlas_nothing():
    where = places()[..., None, None]
    valid = torch.rand(len(where), 1, 1, generator=torch.Generator().manual_seed(1)) < 0.5
    codes = torch.where(valid, 0, 1)
    one, other = PlaceTable(2, 8, False), PlaceTable(2, 8, False)
    one.learn(atlas(), where, codes, valid)
    other.learn(atlas(), where[valid[:, 0, 0]], codes[valid[:, 0, 0]], None)
    assert torch.equal(one.table, other.table)


def test_where_no_head_has_been_an_atlas_prefers_nothing():
    where = 0.5 + 0.02 * torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    table = PlaceTable(4, 16, False)
    table.learn(atlas(cells=16, smooth=0.5), where[..., None, None], torch.ones(50, 1, 1, dtype=torch.int64), None)
    corner = table(torch.full((1, 3, 1, 1), 0.25))
    assert float(corner.amax() - corner.amin()) < 1e-5


def test_an_atlas_is_no_symmetry_and_no_answer():
    x, y = torch.zeros(2, 1, 4, 4), TargetBatch(torch.zeros(2, 4, 4, dtype=torch.int64))
    (pair,) = atlas().orbit(x, y)
    assert pair.x is x
    assert pair.back(x) is x
    assert atlas().baseline(x) is None


@pytest.mark.parametrize(
    ("pool", "learner", "trainer", "rule"),
    [
        ("{kind: heads, places: false}", "{kind: segmenter}", "{kind: transfer}", "atlas needs 'places'"),
        ("{kind: heads}", "{kind: unet}", "{kind: standard}", "atlas needs 'atlas'"),
        ("{kind: heads}", "{kind: segmenter}", "{kind: blockwise}", "blockwise needs 'blocks'"),
        ("{kind: heads}", "{kind: cascade}", "{kind: transfer}", "transfer needs 'decoders'"),
        ("{kind: heads, anatomy: tumour}", "{kind: segmenter}", "{kind: transfer}", "transfer needs 'partial'"),
    ],
)
def test_parts_that_do_not_go_together_are_refused_before_anything_is_bought(pool, learner, trainer, rule):
    text = f"""
version: 1
name: heads
pool: {pool}
evaluation: {{validation: 1, test: 2}}
initial: {{random: 1}}
prior: [{{kind: atlas}}]
learner: {learner}
trainer: {trainer}
labeler: {{kind: dataset}}
sampler: {{kind: random}}
budget: {{total: 2, per_round: 1}}
stop: {{metric: dice}}
"""
    with pytest.raises(SpecError, match=rule):
        CampaignSpec.parse(text, Path())
