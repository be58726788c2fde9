"""Log-frequencies of classes by place in the head, added to a network's logits."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

REACH = 0.625
"""The table covers this part of the way from the head's centre to where places end: 2.5 standard deviations."""


class Atlas(Protocol):
    """A prior that makes a table of places."""

    @property
    def cells(self) -> int:
        """Cells of the table along each axis."""

    def table(self, at: Tensor, codes: Tensor, classes: int) -> Tensor:
        """Log-frequencies ``(classes, g, g, g)`` from places ``(m, 3)`` in [-1, 1] and codes ``(m,)``."""


class PlaceTable(nn.Module):
    """A table ``(classes, g, g, g)`` over the head; its zeros say nothing until it is learnt.

    ``symmetric``: left and right share their entries.
    """

    table: Tensor

    def __init__(self, classes: int, cells: int, symmetric: bool) -> None:
        super().__init__()
        self.symmetric = symmetric
        self.register_buffer("table", torch.zeros(classes, cells, cells, cells))

    def learn(self, atlas: Atlas, places: Tensor, codes: Tensor, valid: Tensor | None) -> None:
        """Fill the table from places ``(n, 3, ...)`` and codes ``(n, ...)`` of annotated samples."""
        at = self.coordinates(places).movedim(1, -1).reshape(-1, 3)
        keep = torch.ones(len(at), dtype=torch.bool) if valid is None else valid.reshape(-1)
        # Air around the head is background in all heads, and says nothing about where structures are.
        keep = keep & (at.abs() <= 1.0).all(1)
        self.table.copy_(atlas.table(at[keep], codes.reshape(-1)[keep], len(self.table)))

    def coordinates(self, places: Tensor) -> Tensor:
        """Places ``(n, 3, ...)`` in [0, 1] as coordinates of the table, [-1, 1] inside it."""
        centred = (2.0 * places - 1.0) / REACH
        if not self.symmetric:
            return centred
        return torch.cat([2.0 * centred[:, :1].abs() - 1.0, centred[:, 1:]], 1)

    def forward(self, places: Tensor) -> Tensor:
        """What the table adds to the logits at places ``(n, 3, ...)``: ``(n, classes, ...)``."""
        at = self.coordinates(places).movedim(1, -1)
        grid = at.reshape(1, 1, 1, -1, 3)
        found = functional.grid_sample(self.table[None], grid, padding_mode="border", align_corners=False)
        return found.reshape(len(self.table), *at.shape[:-1]).movedim(0, 1)


def atlas_of(priors: Any) -> Atlas | None:
    """The first of the campaign's priors that makes a table of places."""
    return next((prior for prior in priors if hasattr(prior, "table")), None)
