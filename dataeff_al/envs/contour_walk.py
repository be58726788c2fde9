"""A walk along a region's boundary as a gymnasium environment: patches in, displacements out."""

from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from dataeff_al.envs.sampling import bilinear, patch_points, standardised
from dataeff_al.envs.signed_distance import signed_distance
from dataeff_al.errors import DataError
from dataeff_al.samples.pools.shapes import drawn_shapes

REWARD_PX = 5.0
PATCH_LIMIT = 20.0


class ContourWalk(gymnasium.Env[np.ndarray, np.ndarray]):
    """An agent that shall circulate a region's boundary, and sees one oriented patch at a time.

    Observation: the patch ``(side, side)`` float32 about the agent, its columns along the heading, less its mean and by
    its standard deviation. Action: the displacement ``(2,)`` in the patch's frame in units of ``step_px``: along the
    heading, and to its right-hand normal; longer ones are shortened to 1. Reward: ``exp(-|phi| / 5 px)`` times the
    share of the step that went along the boundary, in the first sense of rotation, so that standing still, or walking
    off, earns nothing. The episode ends when the agent leaves the image, and is cut off after ``max_steps``.

    Without images, generated shapes are walked::

        env = gymnasium.make("dataeff_al/ContourWalk-v0", images=images, masks=masks)
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012

    def __init__(
        self,
        images: np.ndarray | None = None,
        masks: np.ndarray | None = None,
        side: int = 32,
        spacing_px: float = 1.0,
        step_px: float = 1.0,
        max_steps: int = 200,
        render_mode: str | None = None,
    ) -> None:
        """Take images ``(n, h, w)`` in [0, 1] and regions ``(n, h, w)`` bool. Raises DataError when they do not fit."""
        images, masks = _scenes(images, masks)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise DataError(f"render_mode must be None or 'rgb_array', but got {render_mode!r}.")
        self.render_mode = render_mode
        self._stack = torch.from_numpy(images)
        self._distances = torch.from_numpy(np.stack([signed_distance(mask) for mask in masks]))
        self._side, self._spacing_px, self._step_px, self._max_steps = side, spacing_px, step_px, max_steps
        self.observation_space = spaces.Box(-PATCH_LIMIT, PATCH_LIMIT, (side, side), np.float32)
        self.action_space = spaces.Box(-1.0, 1.0, (2,), np.float32)
        self._row, self._steps = torch.zeros(1, dtype=torch.long), 0
        self._point, self._heading = np.zeros(2), np.array([1.0, 0.0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """A random image, a start within 10 px of its boundary, any heading.

        ``options`` may say ``image``, ``point`` ``(2,)`` px and ``heading`` ``(2,)``.
        """
        super().reset(seed=seed)
        given = options or {}
        self._row = torch.tensor([int(given.get("image", self.np_random.integers(len(self._stack))))])
        self._point = np.asarray(given.get("point", self._near_boundary()), float)
        angle = self.np_random.uniform(0, 2 * np.pi)
        heading = np.asarray(given.get("heading", (np.cos(angle), np.sin(angle))), float)
        self._heading, self._steps = heading / max(float(np.linalg.norm(heading)), 1e-9), 0
        return self._seen(), self._told()

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move by the action, turn where it went, and look again."""
        action = np.asarray(action, float)
        action = action / max(1.0, float(np.linalg.norm(action)))
        normal = np.array([-self._heading[1], self._heading[0]])
        moved = action[0] * self._heading + action[1] * normal
        before = self._point
        self._point = before + self._step_px * moved
        reward = self._reward(moved)
        if np.linalg.norm(moved) > 1e-6:
            self._heading = moved / np.linalg.norm(moved)
        self._steps += 1
        height, width = self._stack.shape[1:]
        inside = bool((self._point >= 0).all() and self._point[0] <= width - 1 and self._point[1] <= height - 1)
        return self._seen(), reward, not inside, self._steps >= self._max_steps, self._told()

    def render(self) -> np.ndarray | None:
        """The image with the agent's place in red, ``(h, w, 3)`` uint8; None without a render mode."""
        if self.render_mode is None:
            return None
        picture = np.repeat((self._stack[self._row[0]].numpy() * 255).astype(np.uint8)[..., None], 3, axis=-1)
        x, y = np.round(self._point).astype(int)
        picture[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = (255, 0, 0)
        return picture

    def _reward(self, moved: np.ndarray) -> float:
        distance, gradient = self._phi(self._point), self._gradient()
        along = np.array([-gradient[1], gradient[0]])
        return float(np.exp(-abs(distance) / REWARD_PX) * (moved @ along))

    def _phi(self, point: np.ndarray) -> float:
        return float(bilinear(self._distances, self._row, torch.tensor(point, dtype=torch.float32).view(1, 1, 2)))

    def _gradient(self) -> np.ndarray:
        ways = np.array([[0.5, 0.0], [0.0, 0.5]])
        slope = np.array([self._phi(self._point + way) - self._phi(self._point - way) for way in ways])
        return np.asarray(slope / max(float(np.linalg.norm(slope)), 1e-6))

    def _near_boundary(self) -> np.ndarray:
        level = self._distances[self._row[0]].numpy()
        places = np.argwhere(np.abs(level) < 10)
        return np.asarray(places[self.np_random.integers(len(places))][::-1], float)

    def _seen(self) -> np.ndarray:
        centre = torch.tensor(self._point, dtype=torch.float32).view(1, 2)
        heading = torch.tensor(self._heading, dtype=torch.float32).view(1, 2)
        points = patch_points(centre, heading, self._side, self._spacing_px)
        patch = standardised(bilinear(self._stack, self._row, points))[0]
        return patch.clamp(-PATCH_LIMIT, PATCH_LIMIT).numpy().astype(np.float32)

    def _told(self) -> dict[str, Any]:
        return {"point": self._point.copy(), "distance_px": self._phi(self._point), "image": int(self._row[0])}


def _scenes(images: np.ndarray | None, masks: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if (images is None) != (masks is None):
        raise DataError("images and masks must be given together, but got one of them.")
    if images is None or masks is None:
        images, masks = drawn_shapes(8, 64, np.random.default_rng(0))
    images, masks = np.asarray(images, np.float32), np.asarray(masks)
    if images.ndim != 3 or masks.shape != images.shape or masks.dtype != np.bool_ or not np.isfinite(images).all():
        raise DataError(f"images must be finite (n, h, w) with bool masks, but got {images.shape} and {masks.shape}.")
    if not len(images) or not masks.any(axis=(1, 2)).all():
        raise DataError(f"each of at least one image must hold a region, but got {len(images)} images.")
    return images, masks
