"""A fully connected network for tables and flattened images: classes or values."""

import math
from itertools import pairwise

from torch import Tensor, nn

from dataeff_al.learners.base import Network, TorchLearner, make_learner, make_task
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.learners.spec import MlpParams


class Mlp(Network):
    """``depth`` hidden layers of ``width`` units on the flattened input."""

    def __init__(self, inputs: int, width: int, depth: int, outputs: int) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        layers: list[nn.Module] = [nn.Flatten()]
        for inside, outside in pairwise(sizes):
            layers += [nn.Linear(inside, outside), nn.ReLU()]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Linear(width, outputs)

    def hidden(self, x: Tensor) -> Tensor:
        """Last hidden layer ``(n, width)``."""
        return self.trunk(x)

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs ``(n, outputs)``."""
        return self.head(self.hidden(x))


def build(params: MlpParams, context: LearnerContext) -> TorchLearner:
    """The learner of a campaign. Raises CapabilityError for targets that are neither class nor values."""
    task = make_task("mlp", ("class", "values"), params.task, context.target)
    inputs = math.prod(context.tensor.shape)
    return make_learner(context, task, Mlp(inputs, params.width, params.depth, task.outputs))
