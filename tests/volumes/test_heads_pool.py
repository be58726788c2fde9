from pathlib import Path

import numpy as np
import pytest

from dataeff_al.errors import UnknownNameError
from dataeff_al.labeling.types import Label
from dataeff_al.metrics import check_fits, evaluate
from dataeff_al.samples.declared import samples_from_json, samples_to_json, target_from_json, target_to_json
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.pools import check_pool
from dataeff_al.testing.views import built


def heads(seed=0, **params):
    return built("pools", "heads", PoolContext(Path(), None, seed), **{"cases": 4, **params})


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"plane": "coronal", "unit": "slice", "context": 2},
        {"anatomy": "tumour", "places": False, "plane": "sagittal"},
    ],
)
def test_generated_heads_keep_the_contract_of_a_pool(params):
    check_pool(heads(**params), heads(**params), most=8)
    assert heads(**params).digest != heads(seed=1, **params).digest


def test_every_head_shows_every_structure():
    for anatomy in ("paired", "tumour"):
        pool = heads(anatomy=anatomy, cases=12)
        for answer in pool.answers(pool.ids()):
            assert len(np.unique(answer["mask"])) == len(pool.target.classes)


def test_declared_forms_with_regions_groups_and_spacing_come_back_from_json():
    for anatomy in ("paired", "tumour"):
        pool = heads(anatomy=anatomy)
        assert target_from_json(target_to_json(pool.target)) == pool.target
        assert samples_from_json(samples_to_json(pool.spec)) == pool.spec


def test_regions_are_measured_as_one_and_groups_on_average():
    tumour = heads(anatomy="tumour")
    truth = tumour.answers(tumour.ids()[:1])[0]["mask"]
    # Everything of the tumour is found, but as its outermost class.
    guess = np.eye(4)[np.where(truth > 0, 1, 0)].transpose(3, 0, 1, 2)[None]
    found = evaluate(tumour.target, guess, [Label({"mask": truth})])
    assert found["dice/WT"] == found["sensitivity/WT"] == 1.0
    assert found["dice/CT"] == found["dice/ET"] == found["sensitivity/ET"] == 0.0
    paired = heads()
    codes = paired.answers(paired.ids()[:1])[0]["mask"]
    half = np.where(codes <= 6, codes, 0)
    guess = np.eye(13)[half].transpose(3, 0, 1, 2)[None]
    found = evaluate(paired.target, guess, [Label({"mask": codes})])
    assert (found["dice/deep"], found["dice/outer"], found["dice"]) == (1.0, 0.0, 0.5)
    assert check_fits("dice/outer", paired.target).name == "dice"
    with pytest.raises(UnknownNameError, match="dice/WT"):
        check_fits("dice/WTT", tumour.target)
