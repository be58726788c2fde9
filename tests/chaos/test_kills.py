"""Real processes killed at every named point and at random: nothing is lost, paid twice or different in the end.

The long version is ``make chaos``: every point twice in every campaign, recovery itself, and a thousand random kills.
"""

import random

import pytest

from benchmarks.killing.campaigns import VARIANTS
from benchmarks.killing.hand import Kill, Zygote
from benchmarks.killing.trial import Arena
from benchmarks.killing.trials import at_random
from dataeff_al.failpoints import POINTS

QUICK = ("pure", "keyed", "queryable", "blind", "rough", "twins", "settled", "lost", "slow", "late", "life", "outside")
AT_RANDOM = (*QUICK[:8], "outside")
SEEDS, KILLS_A_SEED = range(10), 10

# Each of these runs whole processes, which take their time on a machine that is busy with others.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def arena():
    with Zygote() as zygote:
        yield Arena(zygote)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_campaign_that_nobody_disturbs_keeps_every_promise(arena, name):
    assert arena.undisturbed(name).passed


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_a_named_point_changes_nothing(arena, point):
    name = next((name for name in QUICK if point in arena.undisturbed(name).passed), None)
    assert name, f"no campaign passes {point}"
    trial = arena.trial(name, [Kill(f"{point}:1")])
    assert list(trial.violations) == []
    assert list(trial.kills) == [f"{point}:1"]


@pytest.mark.parametrize("step", range(1, 7))
@pytest.mark.parametrize("name", ["keyed", "queryable"])
def test_a_kill_in_the_middle_of_recovery_changes_nothing(arena, name, step):
    kills = [Kill("label.after:3"), Kill(f"any:{2 * step}"), Kill(f"any:{3 * step}")]
    trial = arena.trial(name, kills)
    assert len(trial.kills) >= 2
    assert list(trial.violations) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_random_kills_change_nothing(arena, seed):
    rng, kills = random.Random(seed), 0
    while kills < KILLS_A_SEED:
        trial = arena.trial(name := rng.choice(AT_RANDOM), at_random(arena, name, rng))
        assert list(trial.violations) == [], (name, trial.kills)
        kills += len(trial.kills)
