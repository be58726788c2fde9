import numpy as np
import pytest

from dataeff_al.errors import DataError
from dataeff_al.samples.arrays import AnsweredArrayPool, ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.columns import Columns
from dataeff_al.samples.pools.classes import image_columns


def columns(n=5, **changed):
    x = np.random.default_rng(0).integers(0, 256, (n, 1, 3, 3), dtype=np.uint8)
    parts = {"ids": [f"s{row}" for row in range(n)], "images": x, "labels": np.arange(n) % 2, "classes": ("a", "b")}
    return image_columns(**(parts | changed))


def test_a_pool_is_answered_exactly_when_its_columns_hold_answers():
    assert type(array_pool(columns(), codec_for)) is AnsweredArrayPool
    assert type(array_pool(columns(labels=None), codec_for)) is ArrayPool
    with pytest.raises(DataError, match="must hold answers"):
        AnsweredArrayPool(columns(labels=None), codec_for)


def test_bytes_are_kept_small_and_read_as_numbers_in_the_declared_range():
    pool = array_pool(
        columns(images=np.array([0, 51, 255] * 3, np.uint8).reshape(1, 1, 3, 3), n=1, labels=None), codec_for
    )
    sample = pool.read(["s0"])[0].fields["x"]
    assert sample.dtype == np.float32
    assert sample[0, 0].tolist() == pytest.approx([0, 0.2, 1])
    assert sample.max() <= 1


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"ids": []}, "at least one sample"),
        ({"ids": ["a", "b", "c", "d", "a"]}, "unique"),
        ({"ids": ["a"]}, "must be .1, 1, 3, 3., but got .5, 1, 3, 3."),
        ({"groups": ["a"]}, "one group a sample"),
        ({"labels": np.zeros(5)}, "at least two classes, but got 'a'"),
        ({"labels": np.arange(5)}, "codes below 2.*'s2'"),
        ({"labels": np.arange(4)}, "'label' must be .5,."),
        ({"images": np.full((5, 1, 3, 3), 7, np.uint8)}, "5 constant"),
        ({"images": np.full((5, 1, 3, 3), 2, np.float32)}, "lie in 0 to 1"),
    ],
)
def test_bad_columns_are_refused(changed, sentence):
    with pytest.raises(DataError, match=sentence):
        array_pool(columns(**changed), codec_for)


def test_some_constant_images_are_kept_and_noted():
    x = np.random.default_rng(0).integers(0, 256, (5, 1, 3, 3), dtype=np.uint8)
    x[3] = 9
    pool = array_pool(columns(images=x), codec_for)
    assert pool.notes == {"constant": "1 sample(s) are constant, first 's3'"}
    assert "s3" in pool.ids()


def test_held_out_ids_keep_the_order_of_the_pool_and_must_exist():
    assert array_pool(columns(), codec_for, ["s4", "s1"]).held_out() == ("s1", "s4")
    with pytest.raises(DataError, match="must be in the pool, but got 'nobody'"):
        array_pool(columns(), codec_for, ["nobody"])


def test_unknown_ids_are_refused_everywhere():
    pool = array_pool(columns(), codec_for)
    for act in (pool.group, pool.parts, lambda sample_id: pool.read([sample_id]), lambda i: pool.answers([i])):
        with pytest.raises(DataError, match="one of the pool's 5, but got 'nobody'"):
            act("nobody")


def test_changing_an_answer_that_was_read_does_not_change_the_pool():
    pool = array_pool(columns(), codec_for)
    pool.answers(["s1"])[0]["label"][...] = 0
    assert int(pool.answers(["s1"])[0]["label"]) == 1


def test_every_part_of_the_content_counts_in_the_digest():
    base = columns()
    variants = [
        base,
        columns(ids=[f"t{row}" for row in range(5)]),
        columns(groups=["g"] * 5),
        columns(classes=("a", "c")),
        columns(images=255 - base.fields["x"]),
        Columns(base.spec, base.ids, base.groups, base.fields),
    ]
    assert len({array_pool(variant, codec_for).digest for variant in variants}) == len(variants)
    assert array_pool(columns(), codec_for).digest == array_pool(base, codec_for).digest
