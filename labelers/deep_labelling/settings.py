"""What can be set about deep labelling, in one frozen value that is saved beside the weights."""

from dataclasses import dataclass
from numbers import Integral, Real
from typing import Literal, get_args

from dataeff_al.errors import DataError

PolicyName = Literal["hybrid", "radial", "direction", "published"]
POLICIES: tuple[PolicyName, ...] = get_args(PolicyName)
LEAST_STEPS, LEAST_DETECTOR_STEPS = 1500, 800
FEW_IMAGES, MOST_GROWTH, MOST_DETECTOR_GROWTH = 120, 2.0, 3.0
MIN_SIDE = 32
"""Images must have at least this many pixels a side: a smaller one cannot hold a patch."""


@dataclass(frozen=True)
class DeepLabellingSettings:
    """How contours are learnt and traced.

    ``policy``: what the network tells an agent (see :mod:`labelers.deep_labelling.policies`). ``steps`` and ``batch``:
    gradient steps of each of the ``members`` networks, and patches a step; ``detector_steps``: those of the detector.
    Both follow the number of annotated images where they are None.
    ``starts``: agents an image, half of them in each sense of rotation. ``softness_px``: how far from the boundary the
    motion turns from radial to tangential. ``max_turns``: turns after which an orbit that has not closed is a failure.
    ``heading_noise_deg``: training headings lie within this angle of the true one; 180 makes them uniform.
    """

    policy: PolicyName = "hybrid"
    steps: int | None = None
    batch: int = 16
    members: int = 3
    detector_steps: int | None = None
    learning_rate: float = 4e-3
    starts: int = 4
    softness_px: float = 5.0
    max_turns: int = 4
    heading_noise_deg: float = 180.0

    def __post_init__(self) -> None:
        """Raises DataError when a setting is out of its range."""
        if self.policy not in POLICIES:
            raise DataError(f"policy must be one of {', '.join(POLICIES)}, but got {self.policy!r}.")
        for name, low, high in _RANGES:
            value = getattr(self, name)
            if value is None and name in _FOLLOWING:
                continue
            wanted, kind = (Integral, "a whole number") if isinstance(low, int) else (Real, "a number")
            if not isinstance(value, wanted) or not low <= float(value) <= high:
                raise DataError(f"{name} must be {kind} within {low} and {high}, but got {value!r}.")

    def steps_for(self, images: int) -> int:
        """The steps of each network for a set of so many annotated images: what many show takes longer to learn."""
        return self.steps or int(LEAST_STEPS * _growth(images, MOST_GROWTH))

    def detector_steps_for(self, images: int) -> int:
        """The detector's steps for a set of so many annotated images: of many it learns longer what to tell apart."""
        return self.detector_steps or int(LEAST_DETECTOR_STEPS * _growth(images, MOST_DETECTOR_GROWTH))


def _growth(images: int, most: float) -> float:
    return min(max(images / FEW_IMAGES, 1.0), most)


_FOLLOWING = ("steps", "detector_steps")
_RANGES = (
    ("steps", 1, 1_000_000),
    ("batch", 2, 4096),
    ("members", 1, 16),
    ("detector_steps", 1, 1_000_000),
    ("learning_rate", 1e-6, 1.0),
    ("starts", 2, 64),
    ("softness_px", 0.1, 100.0),
    ("max_turns", 2, 100),
    ("heading_noise_deg", 1.0, 180.0),
)
