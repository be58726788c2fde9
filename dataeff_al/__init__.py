"""Active learning with pluggable labelers, for people whose labels are expensive.

Importing this package is cheap: neither torch nor ray is loaded until a campaign runs.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Campaign", "__version__"]

if TYPE_CHECKING:
    from dataeff_al.campaign.notebook import Campaign


def __getattr__(name: str) -> Any:
    if name == "Campaign":
        from dataeff_al.campaign.notebook import Campaign

        return Campaign
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
