import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dataeff_al.digests import digest_json
from dataeff_al.errors import DataError
from dataeff_al.samples.content import content_digests, duplicates
from dataeff_al.samples.splits import split_ids, split_pool


@st.composite
def pools(draw):
    """Groups, held-out ids and contents of a small pool, in which contents and groups repeat."""
    n = draw(st.integers(2, 40))
    groups = {f"s{row}": f"g{draw(st.integers(0, n))}" for row in range(n)}
    apart = draw(st.sets(st.sampled_from(sorted(set(groups.values()))), max_size=2))
    held_out = [sample_id for sample_id, group in groups.items() if group in apart]
    contents = draw(st.lists(st.integers(0, 3 * n), min_size=n, max_size=n))
    digests = {sample_id: digest_json(content) for sample_id, content in zip(groups, contents, strict=True)}
    return groups, held_out, digests


def tried(content, validation, test, seed):
    groups, held_out, digests = content
    try:
        return split_ids(groups, held_out, digests, validation=validation, test=test, seed=seed)
    except DataError:
        assume(False)


counts = st.integers(0, 6)
seeds = st.integers(0, 2**31)


@given(pools(), counts, counts, seeds)
def test_a_group_is_never_split_and_every_id_has_one_role(content, validation, test, seed):
    groups = content[0]
    split = tried(content, validation, test, seed)
    roles = [split.pool, split.validation, split.test, split.removed, split.unused]
    assert sorted(sample_id for role in roles for sample_id in role) == sorted(groups)
    by_role = [{groups[sample_id] for sample_id in role} for role in (split.pool, split.validation, split.test)]
    assert not by_role[0] & by_role[1]
    assert not by_role[0] & by_role[2]
    assert not by_role[1] & by_role[2]


@given(pools(), counts, counts, seeds)
def test_no_candidate_has_the_content_of_a_holdout_sample(content, validation, test, seed):
    digests = content[2]
    split = tried(content, validation, test, seed)
    tested, validated = ({digests[i] for i in ids} for ids in (split.test, split.validation))
    assert not {digests[i] for i in split.pool} & (tested | validated)
    assert not validated & tested
    candidates = [digests[i] for i in split.pool]
    assert len(set(candidates)) == len(candidates)
    assert {digests[i] for i in split.removed} <= tested | validated | set(candidates)


@given(pools(), counts, counts, seeds)
def test_held_out_samples_only_test(content, validation, test, seed):
    held_out = content[1]
    split = tried(content, validation, test, seed)
    assert not set(held_out) & {*split.pool, *split.validation}
    if held_out:
        assert len(split.test) == test
        assert set(split.test) <= set(held_out)


@given(pools(), counts, counts, seeds)
def test_the_same_seed_gives_the_same_split_and_the_test_ignores_the_validation(content, validation, test, seed):
    split = tried(content, validation, test, seed)
    assert tried(content, validation, test, seed) == split
    assert tried(content, 0, test, seed).test == split.test


@given(st.integers(3, 60), st.integers(0, 10), st.integers(0, 10), seeds)
def test_counts_are_exact_when_every_group_is_one_sample(n, validation, test, seed):
    groups = {f"s{row}": f"s{row}" for row in range(n)}
    digests = {sample_id: digest_json(sample_id) for sample_id in groups}
    assume(validation + test < n)
    split = split_ids(groups, [], digests, validation=validation, test=test, seed=seed)
    assert (len(split.validation), len(split.test), len(split.pool)) == (validation, test, n - validation - test)


@given(pools(), counts, counts, seeds)
def test_whole_groups_are_taken_until_the_count_is_reached_and_no_more(content, validation, test, seed):
    groups, held_out, _ = content
    split = tried(content, validation, test, seed)
    for role, count in ((split.validation, validation), (split.test, test)):
        if role and not held_out:
            sizes = [sum(groups[i] == group for i in role) for group in {groups[i] for i in role}]
            assert len(role) >= count
            assert len(role) - max(sizes) < count


def singles(n):
    groups = {f"s{row}": f"s{row}" for row in range(n)}
    return groups, {sample_id: digest_json(sample_id) for sample_id in groups}


def test_another_seed_draws_other_samples():
    groups, digests = singles(100)
    drawn = {split_ids(groups, [], digests, validation=10, test=10, seed=seed).validation for seed in range(5)}
    assert len(drawn) == 5


@pytest.mark.parametrize(
    ("validation", "test", "held_out", "sentence"),
    [
        (-1, 0, [], "must not be negative"),
        (0, -1, [], "must not be negative"),
        (0, 11, [], "test must be at most the 10 samples"),
        (6, 5, [], "validation must be at most the 5 samples"),
        (5, 5, [], "must remain to be queried"),
        (0, 3, ["s0", "s1"], "at most the 2 held-out samples"),
    ],
)
def test_a_pool_that_is_too_small_is_refused(validation, test, held_out, sentence):
    groups, digests = singles(10)
    with pytest.raises(DataError, match=sentence):
        split_ids(groups, held_out, digests, validation=validation, test=test, seed=0)


def test_one_group_leaves_nothing_to_query():
    groups, digests = singles(10)
    with pytest.raises(DataError, match="must remain to be queried"):
        split_ids(dict.fromkeys(groups, "one patient"), [], digests, validation=0, test=2, seed=0)


def test_a_group_on_both_sides_of_the_held_out_border_is_refused():
    groups, digests = singles(4)
    with pytest.raises(DataError, match="one side of the held-out border, but got 'p'"):
        split_ids(groups | {"s0": "p", "s1": "p"}, ["s0"], digests, validation=1, test=1, seed=0)


def test_copies_in_a_real_pool_are_exposed_and_kept_out_of_the_candidates(build, tmp_path):
    x = np.random.default_rng(0).random((30, 1, 4, 4), dtype=np.float32)
    x[20:] = x[:10]
    np.savez(tmp_path / "a.npz", x=x)
    pool = build("npz", file="a.npz")
    digests = content_digests(pool, pool.ids())
    assert [len(ids) for ids in duplicates(digests)] == [2] * 10
    split = split_pool(pool, validation=5, test=8, seed=3)
    assert split.removed
    assert not {digests[i] for i in split.pool} & {digests[i] for i in (*split.test, *split.validation)}
    assert len(split.pool) + len(split.validation) + len(split.test) + len(split.removed) == 30


def test_slices_of_a_volume_stay_on_one_side(build):
    pool = build("phantoms", cases=8, unit="slice")
    split = split_pool(pool, validation=10, test=20, seed=0)
    cases = [{pool.group(i) for i in role} for role in (split.pool, split.validation, split.test)]
    assert [len(names) for names in cases] == [5, 1, 2]
    assert (len(split.validation), len(split.test)) == (16, 32)
