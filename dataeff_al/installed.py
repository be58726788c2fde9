"""What is installed, without importing anything heavy: a plugin that cannot be loaded is listed, never fatal."""

from dataclasses import dataclass

from dataeff_al import registry
from dataeff_al.registry import KINDS, Kind, Plugin


@dataclass(frozen=True)
class Installed:
    """A registered name: its light description, or in ``error`` why there is none."""

    kind: Kind
    name: str
    plugin: Plugin | None
    error: str = ""


def installed(kind: Kind) -> list[Installed]:
    """Every registered name of a kind, sorted."""
    return [_load(kind, name) for name in registry.names(kind)]


def everything() -> list[Installed]:
    """Every registered name of every kind."""
    return [entry for kind in KINDS for entry in installed(kind)]


def _load(kind: Kind, name: str) -> Installed:
    try:
        return Installed(kind, name, registry.get(kind, name))
    except Exception as error:  # a foreign plugin may fail in any way while it is imported
        return Installed(kind, name, None, f"{type(error).__name__}: {error}")
