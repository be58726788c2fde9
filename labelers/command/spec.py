"""The ``command`` labeler's light description."""

from typing import Annotated

from pydantic import Field

from dataeff_al.labeling.programs import PROGRAMS
from dataeff_al.labeling.registered import Name
from dataeff_al.labeling.spec import OutsideParams
from dataeff_al.registry import LabelerPlugin

Setting = bool | int | float | Annotated[str, Field(max_length=4096)]


class CommandParams(OutsideParams):
    """Parameters of ``command``: the name of a registered ``program``, and ``settings`` that it may read."""

    program: Name
    settings: Annotated[dict[Name, Setting], Field(default_factory=dict, max_length=64)]


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="command",
    summary="A program that the administrator registered: samples in a file, answers in a file.",
    params=CommandParams,
    build="labelers.command.labeler:CommandLabeler",
    offers=lambda params: frozenset({"synthesised"} if params.synthesised else ()),
    seconds=lambda params: params.work_s,
    max_cost=lambda params: params.most,
    obstacles=lambda params: PROGRAMS.unregistered(params.program),
)
