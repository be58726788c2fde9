from importlib.metadata import entry_points

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env

import dataeff_al.envs
from dataeff_al.errors import DataError
from dataeff_al.samples.pools.shapes import drawn_shapes
from labelers.deep_labelling.annotated import annotated_set
from labelers.deep_labelling.patch_policies import DirectionPolicy
from labelers.deep_labelling.settings import DeepLabellingSettings
from labelers.deep_labelling.training import fit


def test_the_environment_is_registered_by_its_entry_point_and_passes_the_checker():
    points = entry_points(group="gymnasium.envs")
    points["dataeff_al"].load()()
    env = gymnasium.make("dataeff_al/ContourWalk-v0", render_mode="rgb_array")
    check_env(env.unwrapped)
    assert env.render is not None


def disc_env(**more):
    y, x = np.mgrid[:64, :64]
    mask = np.hypot(x - 32, y - 32) < 15
    return gymnasium.make(
        "dataeff_al/ContourWalk-v0", images=(mask[None] * 0.8).astype(np.float32), masks=mask[None], **more
    )


def circled(env, distance):
    _, told = env.reset(seed=0, options={"point": (32 + 15 + distance, 32), "heading": (0, 1)})
    total = 0.0
    for _ in range(60):
        offset = told["point"] - 32
        tangent = np.array([-offset[1], offset[0]]) / np.linalg.norm(offset)
        heading = env.unwrapped._heading
        action = [tangent @ heading, tangent @ np.array([-heading[1], heading[0]])]
        _, reward, ended, cut, told = env.step(np.array(action, np.float32))
        total += reward
        if ended or cut:
            break
    return total


def test_reward_grows_towards_the_boundary_and_standing_still_earns_nothing():
    env = disc_env()
    on, near, far = (circled(env, distance) for distance in (0, 5, 12))
    assert on > near > far > 0
    assert on > 45
    env.reset(seed=0)
    assert env.step(np.zeros(2, np.float32))[1] == 0


def test_the_episode_ends_outside_the_image_and_is_cut_off_after_its_steps():
    env = disc_env(max_steps=5)
    env.reset(seed=0, options={"point": (62.5, 32), "heading": (1, 0)})
    assert env.step(np.array([1, 0], np.float32))[2]
    env.reset(seed=0, options={"point": (32, 32), "heading": (1, 0)})
    assert [env.step(np.zeros(2, np.float32))[3] for _ in range(5)] == [False] * 4 + [True]


def test_a_patch_policy_acts_in_it_better_than_chance():
    images, masks = drawn_shapes(6, 64, np.random.default_rng(0))
    known = annotated_set(images, masks)
    policy = DirectionPolicy(DeepLabellingSettings(policy="direction", members=1), float(known.radii.median()))
    fit(policy.networks[0], lambda key: policy.loss(0, known, 8, key), 60, 4e-3, torch.Generator().manual_seed(0))
    env = gymnasium.make(
        "dataeff_al/ContourWalk-v0", images=images, masks=masks, spacing_px=policy.form.spacing_px, max_steps=80
    )

    def decided(seen):
        return policy.act(torch.from_numpy(seen)[None])[0].numpy()

    learnt = np.mean([walked(env, seed, decided) for seed in range(4)])
    rng = np.random.default_rng(0)
    chance = np.mean([walked(env, seed, lambda _: rng.uniform(-1, 1, 2)) for seed in range(4)])
    assert learnt > chance + 20


def walked(env, seed, act):
    seen, _ = env.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        seen, reward, ended, cut, _ = env.step(np.clip(act(seen), -1, 1).astype(np.float32))
        total, over = total + reward, ended or cut
    return total


def test_scenes_that_do_not_fit_are_refused():
    images, masks = drawn_shapes(2, 64, np.random.default_rng(0))
    for wrong in (
        {"images": images},
        {"images": images, "masks": masks.astype(int)},
        {"images": images[:0], "masks": masks[:0]},
        {"images": images, "masks": np.zeros_like(masks)},
    ):
        with pytest.raises(DataError):
            gymnasium.make("dataeff_al/ContourWalk-v0", **wrong)
    assert dataeff_al.envs.register_envs() is None
