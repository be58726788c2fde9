"""Weights that a learner takes over from another network."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load

from dataeff_al.learners.protocol import Learner


def start_from(learner: Learner, state: bytes) -> list[str]:
    """Copy the tensors of ``state`` whose names and shapes are the learner's own; returns their names.

    A state of another architecture has none, and the learner stays as it is.
    """
    try:
        given = load(state)
    except SafetensorError:
        return []
    own = learner.module.state_dict()
    fitting = {name: value for name, value in given.items() if name in own and own[name].shape == value.shape}
    with torch.no_grad():
        for name, value in fitting.items():
            own[name].copy_(value)
    return sorted(fitting)
