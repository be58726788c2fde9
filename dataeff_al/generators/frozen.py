"""A fitted network at rest: its weights as bytes, and back."""

from typing import TypeVar

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import nn

from dataeff_al.errors import DataError

Network = TypeVar("Network", bound=nn.Module)


def weights_of(network: nn.Module) -> bytes:
    """Parameters and buffers as safetensors bytes."""
    return save({name: value.contiguous() for name, value in network.state_dict().items()})


def restore(network: nn.Module, state: bytes) -> None:
    """Give a network the weights that :func:`weights_of` returned, and freeze it.

    Raises :class:`DataError` when they are another network's.
    """
    try:
        network.load_state_dict(load(state))
    except (RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"a generator's state must fit its network, but got: {reason}") from error
    freeze(network)


def freeze(network: Network) -> Network:
    """The same network, which learns no more."""
    network.eval().requires_grad_(False)
    return network
