"""A study: groups of campaigns on one data set that share their first labels and differ in what is compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_STEPS = {"steps", "consistency_steps"}
_FEW = 30


@dataclass(frozen=True)
class Metric:
    """What the learning curves show: a metric of the test, a share of which more is better, or an error."""

    name: str
    more_is_better: bool = True

    def told(self, value: float) -> str:
        """A value as tables show it."""
        return f"{value:.0%}" if self.more_is_better else f"{value:g}"


@dataclass(frozen=True)
class Arm:
    """One method: the parts that it has in place of its group's."""

    name: str
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Methods that share seed, pool, test and first labels: one campaign with a twin for each further method.

    Args:
        name: a name fit for a file.
        base: sections of the campaign file beside the study's.
        arms: the methods; the first is the campaign itself, and has no parts of its own.
        plugins: plugin files that its parts come from, relative to the benchmarks' folder.
    """

    name: str
    base: Mapping[str, Any]
    arms: Sequence[Arm]
    plugins: Sequence[str] = ()

    def __post_init__(self) -> None:
        if self.arms[0].parts:
            raise ValueError(f"a group's first method must be the group's own parts, but got {self.arms[0].parts!r}.")


@dataclass(frozen=True)
class Study:
    """Groups on one data set, and the sections of a campaign file that all of them have.

    ``quick``: the sections of a hurried campaign. ``plugins``: as in a group, for all of them.
    """

    name: str
    shared: Mapping[str, Any]
    groups: Sequence[Group]
    quick: Mapping[str, Any]
    plugins: Sequence[str] = ()

    def campaign(self, group: Group, seed: int, *, quick: bool) -> dict[str, Any]:
        """The campaign file of a group under a seed."""
        twins = [{"name": arm.name, **arm.parts} for arm in group.arms[1:]]
        named = {"version": 1, "name": group.arms[0].name, "seed": seed}
        whole = {**named, **self.shared, **group.base, **({"compare": twins} if twins else {})}
        return {**_hurried(whole), **self.quick} if quick else whole


def _hurried(section: Any) -> Any:
    """The same with a few steps of training, wherever steps are stated."""
    if isinstance(section, Mapping):
        steps = {name: min(section[name], _FEW) for name in _STEPS & section.keys()}
        return {name: _hurried(value) for name, value in section.items()} | steps
    return [_hurried(value) for value in section] if isinstance(section, list) else section
