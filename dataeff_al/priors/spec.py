"""Light descriptions of the built-in priors."""

from typing import Any, Literal

from dataeff_al.registry import Params, Plugin


class SymmetryParams(Params):
    """Parameters of ``symmetry``: changes of the image that leave a class or values as they are and move masks and
    fields along.

    ``group``: ``mirror`` left and right, ``mirrors`` along every axis, ``rotations`` by right angles, or
    ``rotation_mirror``, both together. State only what is exactly true of the task: a mirrored digit is no digit.
    Channels of a field must be scalars (a principal stress, not a component).
    """

    group: Literal["mirror", "mirrors", "rotations", "rotation_mirror"] = "rotation_mirror"


def symmetry_offers(_: Any) -> frozenset[str]:
    """Answers under symmetries make a committee of one model."""
    return frozenset({"committee"})


SYMMETRY = Plugin(
    kind="priors",
    name="symmetry",
    summary="Exact mirror and rotation symmetries of images, masks and scalar fields.",
    params=SymmetryParams,
    build="dataeff_al.priors.symmetry:build",
    offers=symmetry_offers,
)
