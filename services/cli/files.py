"""Reading campaign files and writing new ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dataeff_al.errors import Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dataeff_al.campaign.spec import CampaignSpec
    from services.runtime import Settings

MAX_READ = 256 * 1024 + 16


def campaign_text(path: Path) -> str:
    """The text of a campaign file, at most a little more than a campaign may hold. Raises SpecError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_READ)
        # A file that is too long is cut anywhere; what refuses it is its length.
        return content.decode("utf-8-sig", errors="ignore" if len(content) == MAX_READ else "strict")
    except UnicodeDecodeError as error:
        what = f"a campaign must be UTF-8 text, but got byte {error.object[error.start]:#x} at {error.start}."
        raise SpecError([Problem("", 0, what)], str(path)) from None
    except OSError as error:
        what = f"a campaign must be a readable file, but got {error.strerror}."
        raise SpecError([Problem("", 0, what)], str(path)) from None


def load_spec(path: Path, settings: Sequence[str], surroundings: Settings) -> CampaignSpec:
    """The validated description in a file, changed by ``--set``. Raises SpecError with every problem."""
    from dataeff_al.campaign.spec import CampaignSpec

    text = campaign_text(path)
    return CampaignSpec.parse(text, path.parent.resolve(), surroundings.data_root, settings=settings, source=path.name)


def load_plugins(paths: Sequence[Path]) -> None:
    """Import plugin files for this process. Raises DataeffError."""
    from dataeff_al import registry

    for path in paths:
        registry.load_file(path)
