import numpy as np
import pytest
import torch

from benchmarks.label_efficiency import kept_encoder
from dataeff_al.generators.contrastive import Contrastive
from dataeff_al.generators.protocol import GeneratorContext
from dataeff_al.generators.spec import ContrastiveParams
from dataeff_al.samples.arrays import array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.pools.classes import image_columns

SMALL = {"steps": 3, "width": 4, "hidden": 8, "batch_size": 8}


@pytest.fixture
def pool():
    images = np.random.default_rng(0).random((40, 1, 16, 16), dtype=np.float32)
    ids = [f"image-{number}" for number in range(len(images))]
    return array_pool(image_columns(ids, images, np.arange(40) % 2, ("one", "other")), codec_for, [])


@pytest.fixture
def fits(tmp_path, monkeypatch):
    """How often an encoder learnt; what it learnt is kept in a folder of the test's own."""
    monkeypatch.setattr(kept_encoder, "PLACE", tmp_path / "encoders")
    done, learn = [], Contrastive._optimise
    monkeypatch.setattr(Contrastive, "_optimise", lambda self, x, seed: (done.append(seed), learn(self, x, seed)))
    # Three steps teach nothing, which is not what is looked at here.
    monkeypatch.setattr("dataeff_al.generators.contrastive._LEAST_KNOWN", 100.0)
    return done


def fitted(pool, seed, **changed):
    codec = pool.codec()
    encoder = kept_encoder.build(ContrastiveParams(**SMALL | changed), GeneratorContext(codec.tensor))
    report = encoder.fit(pool, pool.ids(), codec, seed)
    return encoder.encode(codec.soften(pool.read(pool.ids()))), report


def test_an_encoder_is_learnt_once_and_taken_over_as_it_was(pool, fits):
    first, report = fitted(pool, 0)
    again, told = fitted(pool, 0)
    assert len(fits) == 1
    assert torch.equal(first, again)
    assert told == report


def test_another_seed_and_other_parameters_are_another_encoder(pool, fits):
    found = [fitted(pool, 0)[0], fitted(pool, 1)[0], fitted(pool, 0, steps=4)[0]]
    assert len(fits) == 3
    assert not torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_it_answers_as_the_encoder_of_the_product(pool, fits):
    kept, _ = fitted(pool, 0)
    plain = Contrastive(ContrastiveParams(**SMALL), pool.codec().tensor)
    plain.fit(pool, pool.ids(), pool.codec(), 0)
    assert torch.equal(kept, plain.encode(pool.codec().soften(pool.read(pool.ids()))))
