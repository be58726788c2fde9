import pytest
import torch
from torch import nn

from dataeff_al.generators.vae_network import _CONV, _UP
from dataeff_al.learners.precision import Conv3d, ConvTranspose3d, arithmetic
from dataeff_al.learners.small_cnn import CONV
from dataeff_al.learners.unet import Unet


@pytest.mark.parametrize("kind", [Conv3d, ConvTranspose3d])
def test_convolutions_of_volumes_and_their_gradients_stay_float32(kind):
    torch.manual_seed(0)
    layer, x = kind(24, 8, 3, padding=1), torch.randn(1, 24, 2, 80, 80)
    gradients = []
    for precision in ("bfloat16", "float32"):
        layer.zero_grad()
        with arithmetic(precision):
            y = layer(x)
        assert y.dtype == torch.float32
        y.square().mean().backward()
        gradients.append(layer.weight.grad.clone())
    assert torch.equal(*gradients)


def test_networks_of_volumes_use_these_convolutions_alone():
    network = Unet((1, 4, 16, 16), [4, 8, 8], 1, True)
    found = [m for m in network.modules() if isinstance(m, nn.Conv3d)]
    assert found
    assert all(isinstance(m, Conv3d) for m in found)
    assert (CONV[3], _CONV[3], _UP[3]) == (Conv3d, Conv3d, ConvTranspose3d)


def test_a_unet_trains_on_a_stack_in_reduced_precision():
    torch.manual_seed(0)
    network = Unet((1, 3, 80, 80), [8, 16, 24], 1, True)
    for _ in range(3):
        with arithmetic("bfloat16"):
            y = network(torch.randn(2, 1, 3, 80, 80))
        y.float().square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())
