import numpy as np
import torch

from dataeff_al.samples.gate import CountingGate
from dataeff_al.samples.types import Invalid
from dataeff_al.testing.toys import TOYS


class Strict:
    """A codec whose gate tells each sample what it found."""

    def __init__(self, codec):
        self.tensor, self.soften = codec.tensor, codec.soften

    def harden(self, x):
        shares = [float(row.mean()) for row in x]
        return [Invalid(f"the share must be at most 0, but got {share:.3g}.") for share in shares]


def test_refusals_are_counted_by_rule_whatever_each_sample_found():
    pool = TOYS["class"](20, 0)
    gate = CountingGate(Strict(pool.codec()))
    x = torch.rand(7, *gate.tensor.shape, generator=torch.Generator().manual_seed(0))
    gate.harden(x)
    gate.harden(x[:2])
    assert gate.refusals == {"the share must be at most 0": 9}


def test_what_is_let_through_is_not_counted_and_stays_as_it_is():
    pool = TOYS["class"](20, 0)
    gate = CountingGate(pool.codec())
    samples = pool.read(pool.ids()[:3])
    hardened = gate.harden(gate.soften(samples))
    assert not gate.refusals
    assert all(np.allclose(a.fields["x"], b.fields["x"]) for a, b in zip(hardened, samples, strict=True))
