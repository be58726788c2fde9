"""The border finder: a pullback in, borders out."""

import numpy as np

from labelers.ivus.borders import Borders
from labelers.ivus.calcium import calcium_arcs
from labelers.ivus.polar import contour_mm
from labelers.ivus.pullback import Pullback
from labelers.ivus.segmenting import Found, find_borders
from labelers.ivus.stack import PolarStack, polar_stack
from labelers.ivus.visibility import SEEN


def segment(pullback: Pullback) -> Borders:
    """Lumen and EEM of every frame, closed in angle, consistent along the pullback; calcium arcs.

    The same frames give the same borders. A border that cannot be seen (behind a guide-wire or calcium, at the mouth of
    a side branch) is bridged by its neighbours in angle and along the vessel, and flagged.

    Example::

        borders = segment(read_pullback("pullback.dcm"))
        borders.lumen_mm[0], borders.confidence[0], borders.eem_seen[0]
    """
    stack = polar_stack(pullback)
    found = find_borders(stack, pullback.frame_spacing_mm)
    return _borders(stack, found, pullback.frame_spacing_mm)


def _borders(stack: PolarStack, found: Found, spacing_mm: float | None) -> Borders:
    hidden = found.wire
    lumen_sure = np.where(hidden, 0.0, found.lumen_sure)
    eem_sure = np.where(hidden, 0.0, found.eem_sure)
    frames = range(len(stack.grey))
    return Borders(
        lumen_mm=[contour_mm(found.radii.lumen[f], stack.centre_mm) for f in frames],
        eem_mm=[contour_mm(found.radii.eem[f], stack.centre_mm) for f in frames],
        confidence=(lumen_sure.mean(axis=1) + eem_sure.mean(axis=1)) / 2,
        lumen_confidence=lumen_sure,
        eem_confidence=eem_sure,
        lumen_seen=lumen_sure >= SEEN,
        eem_seen=eem_sure >= SEEN,
        frame_spacing_mm=spacing_mm,
        centre_mm=stack.centre_mm,
        calcium=[calcium_arcs(found, f, stack.centre_mm) for f in frames],
    )
