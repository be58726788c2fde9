"""Random numbers by derivation, never carried: the same purpose always draws the same numbers, whoever draws them."""

import hashlib

import numpy as np


def seed_for(*purpose: int | str) -> int:
    """A 63-bit seed derived from the campaign's seed and a purpose, such as ``(7, 3, "propose")``."""
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in purpose)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1


def rng_for(*purpose: int | str) -> np.random.Generator:
    """A generator seeded by :func:`seed_for`."""
    return np.random.default_rng(seed_for(*purpose))
