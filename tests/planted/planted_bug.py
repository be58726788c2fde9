"""What a planted bug is."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """``old`` stands exactly once in ``file``; with ``new`` in its place, ``wrong`` is so and ``suites`` must fail."""

    name: str
    wrong: str
    file: str
    old: str
    new: str
    suites: tuple[str, ...]
