"""Names to plugins: listed from package metadata without importing, imported only when asked for.

A plugin's entry point names a *light* module that defines a :class:`Plugin`: its name, its strict parameters, what it
offers and needs. The heavy class behind ``build`` is imported only by who runs it.
"""

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict

from dataeff_al.errors import DataeffError, UnknownNameError

Kind = Literal["pools", "generators", "learners", "trainers", "samplers", "priors", "labelers"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class Params(BaseModel):
    """Base of every plugin's parameters: strict, frozen, an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def nothing(_: Any) -> frozenset[str]:
    """Offers or needs nothing."""
    return frozenset()


def one(_: Any) -> int:
    """A fit of one model, a single sample."""
    return 1


def unknown(_: Any) -> None:
    """What parameters alone do not tell."""


def _imported(place: str) -> Callable[..., Any]:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """The light description of a plugin.

    ``build`` is ``"package.module:callable"``, or the callable itself in a file for ``run --plugin``; it is called as
    ``build(params, context)`` with the context class of its kind (for instance
    :class:`dataeff_al.samplers.protocol.SamplerContext`). ``offers`` and ``needs`` are functions of the parameters; a
    campaign is refused before anything is bought when a need is offered by no other part.
    ``seconds`` is a rough cost of one call on one core (a label, a fit, a proposal round), used only in forecasts;
    ``seconds_points``: the points of a sample (pixels, voxels) that it holds for, None: of any.
    ``fewest``: samples that a generator needs to learn from.
    ``members``: how many models one fit trains independently of each other; with two or more the trainer is a
    :class:`dataeff_al.trainers.protocol.CommitteeTrainer`.
    """

    kind: Kind
    name: str
    summary: str
    params: type[Params]
    build: str | Callable[..., Any]
    offers: Callable[[Any], frozenset[str]] = nothing
    needs: Callable[[Any], frozenset[str]] = nothing
    seconds: Callable[[Any], float | None] | None = None
    seconds_points: int | None = None
    fewest: Callable[[Any], int] = one
    members: Callable[[Any], int] = one

    def factory(self) -> Callable[..., Any]:
        """Import and return the heavy callable behind the plugin."""
        return _imported(self.build) if isinstance(self.build, str) else self.build


@dataclass(frozen=True, kw_only=True)
class PoolPlugin(Plugin):
    """A pool; ``size`` tells the number of samples cheaply, or None, from ``(params, base_dir, data_root)``.

    ``base_dir`` is the folder of the campaign file, ``data_root`` the shared data folder or None. ``size`` raises
    :class:`~dataeff_al.errors.DataError` when files are missing. ``points`` tells the points of a sample (pixels,
    voxels) where parameters alone do, for forecasts.
    """

    size: Callable[[Any, Path, Path | None], int | None] | None = None
    points: Callable[[Any], int | None] = unknown


@dataclass(frozen=True, kw_only=True)
class LabelerPlugin(Plugin):
    """A labeler; ``max_cost`` is the most one label can cost, in the budget's unit.

    ``obstacles`` are the findings (:class:`dataeff_al.sentences.Finding`) that stand against using it from where a new
    campaign is checked.
    ``reader``: ``"package.module:callable"`` for a labeler that reads files of its own format; it is called as
    ``reader(params, path)`` and returns a :class:`~dataeff_al.samples.protocol.Pool` of the samples in the file.
    """

    max_cost: Callable[[Any], int] = lambda _: 1
    obstacles: Callable[[Any], Sequence[Any]] = lambda _: ()
    reader: str = ""

    def read(self, params: Any, path: Path) -> Any:
        """The pool of a file in the labeler's own format."""
        return _imported(self.reader)(params, path)


_extra: dict[tuple[str, str], Plugin] = {}


@cache
def _entry_points(kind: Kind) -> Mapping[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"dataeff_al.{kind}")}


def names(kind: Kind) -> list[str]:
    """Registered names of a kind, sorted, without importing any plugin."""
    return sorted({*_entry_points(kind), *(name for group, name in _extra if group == kind)})


def nearest(name: str, known: list[str]) -> str | None:
    """The known name closest in spelling, or None when nothing is close."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return found[0] if found else None


def get(kind: Kind, name: str) -> Plugin:
    """The plugin of that name. Raises :class:`UnknownNameError` with the nearest name before importing anything."""
    if (kind, name) in _extra:
        return _extra[kind, name]
    known = names(kind)
    if name not in _entry_points(kind):
        raise UnknownNameError(kind.removesuffix("s"), name, known, nearest(name, known))
    plugin = _entry_points(kind)[name].load()
    if not isinstance(plugin, Plugin):
        raise DataeffError(f"entry point {name!r} of dataeff_al.{kind} must be a Plugin, but got {type(plugin)!r}.")
    return plugin


def register(plugin: Plugin) -> None:
    """Add a plugin to this process, as ``run --plugin FILE`` does. It shadows an installed one of the same name."""
    _extra[plugin.kind, plugin.name] = plugin


def load_file(path: Path) -> list[Plugin]:
    """Import a Python file for a local run and register every :class:`Plugin` it defines.

    Raises DataeffError when the file cannot be imported or defines no plugin.
    """
    module_name = f"dataeff_al_plugin_{path.stem}"
    module_spec = importlib.util.spec_from_file_location(module_name, path)
    if module_spec is None or module_spec.loader is None or not path.is_file():
        raise DataeffError(f"a plugin must be an existing Python file, but got {str(path)!r}.")
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_name] = module
    try:
        module_spec.loader.exec_module(module)
    except Exception as error:
        raise DataeffError(f"plugin file {str(path)!r} must import cleanly, but got {error!r}.") from error
    found = [value for value in vars(module).values() if isinstance(value, Plugin)]
    if not found:
        raise DataeffError(f"plugin file {str(path)!r} must define a Plugin, but got none.")
    for plugin in found:
        register(plugin)
    return found
