"""Tissue names and the class codes that vessel masks use."""

from typing import Final

TISSUES: Final = ("outside", "lumen", "wall", "fibrous", "lipid", "calcium", "adventitia")
"""Names by code: a mask pixel holds the index of its tissue in this tuple."""

OUTSIDE: Final = 0
LUMEN: Final = 1
WALL: Final = 2
FIBROUS: Final = 3
LIPID: Final = 4
CALCIUM: Final = 5
ADVENTITIA: Final = 6

UNSTRESSED: Final = TISSUES[:2]
"""What carries no load: outside and lumen."""

SOLID: Final = TISSUES[2:]
"""Tissues that carry load: everything but outside and lumen."""


def code_of(tissue: str) -> int:
    """The class code of a tissue name. Raises KeyError for an unknown one."""
    try:
        return TISSUES.index(tissue)
    except ValueError as error:
        raise KeyError(f"tissue must be one of {', '.join(TISSUES)}, but got {tissue!r}.") from error
