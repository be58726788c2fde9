"""What a notebook hands over as a campaign: a description, its YAML, a file of it, or the folder of a run."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dataeff_al import registry
from dataeff_al.campaign.outcome import CAMPAIGN
from dataeff_al.campaign.place import Place
from dataeff_al.campaign.run_folder import RunFolder
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.yaml_text import write
from dataeff_al.errors import NotFoundError
from dataeff_al.registry import Plugin
from dataeff_al.stores.open import RECORD

Given = CampaignSpec | Mapping[str, Any] | str | Path


def read_campaign(given: Given, out: str | Path | None, data_root: Path | None) -> tuple[CampaignSpec, Place]:
    """The description and the place to run it in: ``runs/NAME`` unless ``out`` says otherwise.

    Raises SpecError with every broken rule, NotFoundError when a named file does not exist.
    """
    if isinstance(given, Path | str) and not _is_text(given) and _is_run(Path(given)):
        run = RunFolder(Path(given))
        return run.spec, Place(Path(out) if out else run.folder, run.base_dir, data_root)
    spec, base_dir = _described(given, data_root)
    return spec, Place(Path(out) if out else Path("runs") / spec.name, base_dir, data_root)


def _described(given: Given, data_root: Path | None) -> tuple[CampaignSpec, Path]:
    here = Path.cwd()
    if isinstance(given, CampaignSpec):
        return given, here
    if isinstance(given, Mapping):
        return CampaignSpec.parse(write(given), here, data_root), here
    if _is_text(given):
        return CampaignSpec.parse(str(given), here, data_root), here
    path = Path(given)
    if not path.is_file():
        raise NotFoundError(f"a campaign must be a file, a run's folder or YAML text, but got {str(given)!r}.")
    base_dir = path.parent.resolve()
    return CampaignSpec.parse(path.read_text(encoding="utf-8-sig"), base_dir, data_root, source=path.name), base_dir


def _is_text(given: str | Path) -> bool:
    """Whether it is YAML and no file name."""
    return isinstance(given, str) and "\n" in given


def _is_run(path: Path) -> bool:
    return path.is_dir() and ((path / CAMPAIGN).is_file() or (path / RECORD).is_file())


def use_plugins(plugins: Iterable[Plugin | str | Path]) -> None:
    """Register plugins, given as they are or as Python files. Raises DataeffError when a file holds none."""
    for plugin in plugins:
        if isinstance(plugin, Plugin):
            registry.register(plugin)
        else:
            registry.load_file(Path(plugin))
