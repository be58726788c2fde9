"""Whether an act is refused with a clear error."""

from collections.abc import Callable

from dataeff_al.errors import DataeffError


def refusal(act: Callable[[], object], kind: type[DataeffError] = DataeffError) -> str:
    """The text of the error of that kind that ``act`` raises; empty when it raises none."""
    try:
        act()
    except kind as error:
        return str(error)
    return ""
