"""Deep labelling: learn from a few annotated images how a contour is walked, and walk it on all others.

::

    from labelers.deep_labelling import DeepLabeller, DeepLabellingSettings

    model = DeepLabeller.train(images, masks, DeepLabellingSettings(), rng=np.random.default_rng(0))
    result = model.segment(images)
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelers.deep_labelling.labeller import DeepLabeller as DeepLabeller
    from labelers.deep_labelling.labeller import Segmentation as Segmentation
    from labelers.deep_labelling.settings import DeepLabellingSettings as DeepLabellingSettings

__all__ = ["DeepLabeller", "DeepLabellingSettings", "Segmentation"]

_PLACES = {"DeepLabeller": "labeller", "Segmentation": "labeller", "DeepLabellingSettings": "settings"}


def __getattr__(name: str) -> Any:
    # The light description beside this module is read by clients that have no torch.
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
