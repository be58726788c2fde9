"""The campaigns that are killed: one for every effect class, and one for every turn that a campaign's life can take."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.killing import plays
from benchmarks.killing.hand import Hand

PARTS = Path(__file__).with_name("parts.py")
LATE_S = plays.LATE_S

_TEXT = """
version: 1
name: tiny
seed: {seed}
pool: {{kind: toy, size: 48}}
evaluation: {{validation: 2, test: 3}}
initial: {{random: 3}}
generator: {{kind: pca, latent_dim: 2}}
learner: {{kind: centroids}}
trainer: {{kind: averages{trainer}}}
labeler: {labeler}
sampler: {{kind: margin}}
budget: {{unit: label, total: {total}, per_round: 2}}
stop: {{metric: accuracy}}
{rest}
"""
_OUTSIDE = "{{kind: external, target: {{kind: class, classes: [left, right]}}, lease_s: {lease_s}}}"


@dataclass(frozen=True)
class Variant:
    """A campaign and what is done with it.

    ``pays_blindly``: a kill may leave an attempt of which nobody knows whether it was paid, and so another end.
    ``same_end``: False where a person ends it, at whatever had been bought by then: only the promises are checked.
    """

    text: str
    play: Callable[[Hand], None]
    pays_blindly: bool = False
    same_end: bool = True


def _text(labeler: str, total: int = 7, trainer: str = "", rest: str = "", seed: int = 5) -> str:
    return _TEXT.format(labeler=labeler, total=total, trainer=trainer, rest=rest, seed=seed)


def _counted(effect: str, more: str = "") -> str:
    return f"{{kind: counted, effect: {effect}{more}}}"


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "pure": Variant(_text(_counted("pure")), plays.run),
        "keyed": Variant(_text(_counted("keyed")), plays.run),
        "queryable": Variant(_text(_counted("queryable")), plays.run),
        "blind": Variant(_text(_counted("blind")), plays.settle, pays_blindly=True),
        "rough": Variant(_text(_counted("keyed", ", rough: true"), 12, ", stumbles: true", seed=6), plays.run),
        "twins": Variant(_text(_counted("keyed"), rest="compare: [{sampler: {kind: random}}]"), plays.run),
        "slow": Variant(_text(_counted("keyed", f", timeout_s: {LATE_S}")), plays.come_late),
        "settled": Variant(_text(_counted("blind", ", raises: true")), plays.settle, pays_blindly=True),
        "lost": Variant(_text(_counted("blind", ", raises: true")), plays.give_up, pays_blindly=True, same_end=False),
        "outside": Variant(_text(_OUTSIDE.format(lease_s=3600)), plays.answer),
        "life": Variant(_text(_OUTSIDE.format(lease_s=3600), 5), plays.live),
        "late": Variant(_text(_OUTSIDE.format(lease_s=plays.LEASE_S)), plays.cancel),
        "report": Variant(_text(_counted("pure")), plays.report),
    }
)
"""Every campaign by name."""


def warm_up_campaign() -> str:
    """A campaign that passes through whatever takes time to import."""
    return _text(_counted("keyed"), rest="compare: [{sampler: {kind: random}}]")
