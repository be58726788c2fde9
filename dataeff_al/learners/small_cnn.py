"""A small strided convolutional network, 2-D or 3-D, for classes or values."""

import math

from torch import Tensor, nn

from dataeff_al.errors import CapabilityError
from dataeff_al.learners.base import Network, TorchLearner, make_learner, make_task
from dataeff_al.learners.precision import Conv3d
from dataeff_al.learners.protocol import LearnerContext
from dataeff_al.learners.spec import SmallCnnParams

CONV = {2: nn.Conv2d, 3: Conv3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_SMALLEST = 4
_MOST_STAGES = 3


class SmallCnn(Network):
    """A convolution at full resolution (or every second pixel), strided stages down to about four pixels an axis, one
    hidden layer."""

    def __init__(self, shape: tuple[int, ...], width: int, hidden: int, outputs: int, first_stride: int = 1) -> None:
        super().__init__()
        dims = len(shape) - 1
        layers, channels = [*_stage(dims, shape[0], width, first_stride)], width
        space = tuple(-(-size // first_stride) for size in shape[1:])
        for _ in range(_MOST_STAGES):
            if max(space) <= _SMALLEST:
                break
            layers += _stage(dims, channels, 2 * channels, 2)
            channels, space = 2 * channels, tuple((size + 1) // 2 for size in space)
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.neck = nn.Sequential(nn.Linear(channels * math.prod(space), hidden), nn.ReLU())
        self.head = nn.Linear(hidden, outputs)

    def hidden(self, x: Tensor) -> Tensor:
        """Hidden layer ``(n, hidden)``."""
        return self.neck(self.trunk(x))

    def forward(self, x: Tensor) -> Tensor:
        """Raw outputs ``(n, outputs)``."""
        return self.head(self.hidden(x))


def _stage(dims: int, inside: int, outside: int, stride: int) -> list[nn.Module]:
    convolution = CONV[dims](inside, outside, 3, stride=stride, padding=1, bias=False)
    return [convolution, NORM[dims](outside), nn.ReLU()]


def build(params: SmallCnnParams, context: LearnerContext) -> TorchLearner:
    """The learner of a campaign. Raises CapabilityError for tables, masks and fields."""
    shape = tuple(context.tensor.shape)
    if len(shape) - 1 not in CONV:
        raise CapabilityError(f"learner small_cnn must have images or volumes as input, but got shape {shape}.")
    task = make_task("small_cnn", ("class", "values"), params.task, context.target)
    return make_learner(context, task, SmallCnn(shape, params.width, params.hidden, task.outputs, params.first_stride))
