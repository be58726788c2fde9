"""A Ray without the services that a run on one machine has no use for: they cost seconds and memory."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The autoscaler's monitor, the dashboard's server (without a dashboard it would only count users, which is off), and
# what copies the actors' output to the driver (which is off, too).
UNUSED = ("start_monitor", "start_api_server", "start_log_monitor")


@contextmanager
def without_unused_services() -> Iterator[None]:
    """Whatever Ray is started inside goes without them; a Ray that does not know one of them keeps what it has."""
    node = importlib.import_module("ray._private.node").Node
    kept = {name: getattr(node, name) for name in UNUSED if hasattr(node, name)}
    for name in kept:
        setattr(node, name, _nothing)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(node, name, method)


def _nothing(*_: Any, **__: Any) -> None:
    """Start nothing."""
