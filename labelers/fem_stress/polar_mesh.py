"""The mapped polar mesh: a ring of 9-node elements whose radial lines are rays from the lumen's centroid."""

import numpy as np

from labelers.fem_stress.reference import ANGULAR, RADIAL, SHAPE


def node_angles(around: int) -> np.ndarray:
    """Angles ``(2 around,)`` rad of the radial node lines; line 0 lies along x."""
    return np.arange(2 * around) * (np.pi / around)


def ring_nodes(radii: np.ndarray, centre: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """Nodes ``(lines, rings, 2)`` mm from radii ``(lines, rings)`` along the rays at angles ``theta`` ``(lines,)``."""
    direction = np.column_stack([np.cos(theta), np.sin(theta)])
    return np.asarray(np.asarray(centre) + radii[:, :, None] * direction[:, None])


def spread(borders: np.ndarray, counts: list[int]) -> np.ndarray:
    """Radii ``(lines, 2 sum(counts) + 1)``: borders ``(layers + 1, lines)`` with ``counts`` equal elements between."""
    parts = [borders[:1].T]
    for inner, outer, count in zip(borders[:-1], borders[1:], counts, strict=True):
        share = np.arange(1, 2 * count + 1) / (2 * count)
        parts.append(inner[:, None] + share * (outer - inner)[:, None])
    return np.concatenate(parts, axis=1)


def layer_counts(thickness: np.ndarray, radial: int) -> list[int]:
    """Elements across each layer: at least one each, the rest where the layer is thickest for its elements."""
    counts = np.ones(len(thickness), dtype=int)
    while counts.sum() < radial:
        counts[np.argmax(thickness / counts)] += 1
    return [int(count) for count in counts]


def element_nodes(nodes: np.ndarray) -> np.ndarray:
    """Nodes of each element in local order: ``(around, radial, 9, 2)``."""
    lines, rings = nodes.shape[:2]
    line = (2 * np.arange(lines // 2)[:, None, None] + ANGULAR) % lines
    ring = 2 * np.arange(rings // 2)[None, :, None] + RADIAL
    return np.asarray(nodes[line, ring])


def gauss_points(nodes: np.ndarray) -> np.ndarray:
    """Gauss points ``(around, radial, 9, 2)`` mm."""
    return np.einsum("gn,eknc->ekgc", SHAPE, element_nodes(nodes))
