"""Powers and exponentials over lanes, from arithmetic alone: calls would leave the vector registers."""

from typing import Any

from labelers.fem_stress.compiled import inlined
from labelers.fem_stress.simd import splat


@inlined
def root_of_volume(volume: Any) -> Any:
    """J^(-1/3) by Newton's method on y^-3 = J from the tangent at 1; exact to rounding for J in (0.4, 2)."""
    y = splat(1.0) - (volume - 1.0) * splat(1.0 / 3.0) + (volume - 1.0) * (volume - 1.0) * splat(2.0 / 9.0)
    for _ in range(5):
        y = y * (splat(4.0) - volume * y * y * y) * splat(1.0 / 3.0)
    return y


@inlined
def exponential(x: Any) -> Any:
    """exp(x) as the 64th power of a Taylor polynomial at x / 64: 1e-13 in relative terms for |x| < 20."""
    z = x * splat(1.0 / 64.0)
    y = splat(1.0)
    for i in range(11, 0, -1):
        y = splat(1.0) + z * y * splat(1.0 / i)
    for _ in range(6):
        y = y * y
    return y
