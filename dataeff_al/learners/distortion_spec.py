"""Light parameters of the changes under which an image stays what it is."""

from typing import Annotated

from pydantic import Field

from dataeff_al.registry import Params


class DistortionParams(Params):
    """How far a view may be from its image: rotation and shear [degrees], scaling, shift and smooth displacement (parts
    of the image), ``mirror``, contrast and brightness (``tone``), saturation and the balance of the channels
    (``colour``), and the side of a blanked square (``erase``).

    ``crop``: the smallest side of a random crop, as a part of the image, which is brought back to full size (1: none).
    """

    turn_deg: Annotated[float, Field(ge=0, le=180)] = 15.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.2
    shift: Annotated[float, Field(ge=0, le=1)] = 0.1
    elastic: Annotated[float, Field(ge=0, le=1)] = 0.03
    mirror: bool = False
    tone: Annotated[float, Field(ge=0, lt=1)] = 0.0
    colour: Annotated[float, Field(ge=0, lt=1)] = 0.0
    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    erase: Annotated[float, Field(ge=0, lt=1)] = 0.0
