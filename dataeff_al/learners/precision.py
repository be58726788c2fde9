"""Arithmetic of a fit: bfloat16 multiplications where the processor has them, float32 elsewhere."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def has_fast_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware (AVX512-BF16 or AMX)."""
    probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return any(probe is not None and probe() for probe in probes)


def arithmetic(precision: Precision) -> torch.autocast:
    """A context in which forward passes run in the stated precision; ``auto`` takes bfloat16 where it is fast.

    Weights, losses and optimiser stay in float32. The same machine type always gives the same numbers.
    """
    wanted = precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16())
    return torch.autocast("cpu", torch.bfloat16, enabled=wanted)
