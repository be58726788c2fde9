"""Campaign files from outside: checked before any file that they name is looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from dataeff_al.campaign.overrides import override
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.yaml_source import read
from dataeff_al.errors import Problem, RequestError, SpecError
from dataeff_al.rpc.limits import MAX_SETTING, MAX_SETTINGS, MAX_YAML_BYTES
from dataeff_al.sentences import Finding, Loc, shown

PROSE = frozenset({"instructions"})
"""Keys whose text is for people."""


@dataclass(frozen=True)
class Admission:
    """Reads campaign files on behalf of strangers.

    Attributes:
        base_dir: the folder below which files that campaigns name must lie.
        data_root: the shared data folder, or None.
        trusted: whether files may lie elsewhere, too, because whoever sends the campaigns may read them anyway.
    """

    base_dir: Path
    data_root: Path | None = None
    trusted: bool = False

    def parse(self, text: str, settings: Sequence[str] = ()) -> CampaignSpec:
        """The validated description. Raises SpecError with every broken rule, RequestError for too much of it."""
        self._check_size(text, settings)
        if not self.trusted:
            self._check_paths(text, settings)
        try:
            return CampaignSpec.parse(text, self.base_dir, self.data_root, settings=settings)
        except (OSError, ValueError) as error:
            if isinstance(error, SpecError):
                raise
            # A name may be one that the file system itself refuses to look up.
            raise SpecError([Problem("", 0, f"a campaign must name usable files, but got {error}.")]) from error

    @staticmethod
    def _check_size(text: str, settings: Sequence[str]) -> None:
        if len(text.encode(errors="surrogatepass")) > MAX_YAML_BYTES:
            limit = MAX_YAML_BYTES // 1024
            raise SpecError([Problem("", 0, f"a campaign must be at most {limit} KB of text.")])
        if len(settings) > MAX_SETTINGS or any(len(setting) > MAX_SETTING for setting in settings):
            raise RequestError(
                f"settings must be at most {MAX_SETTINGS} of at most {MAX_SETTING} characters, but got {len(settings)} "
                f"of up to {max(map(len, settings))}."
            )

    @staticmethod
    def _check_paths(text: str, settings: Sequence[str]) -> None:
        source = override(read(text), settings)
        found = [source.problem(finding) for finding in _escapes(source.data, ())]
        if found:
            raise SpecError(found)


def _escapes(data: Any, loc: Loc) -> Iterator[Finding]:
    """Every text value that would lead out of the folder if a part took it for a file's name."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key not in PROSE:
                yield from _escapes(value, (*loc, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _escapes(value, (*loc, number))
    elif isinstance(data, str) and _leads_out(data):
        yield Finding(loc, "must not lead out of the folder that the controller serves files from", shown(data))


def _leads_out(text: str) -> bool:
    posix, windows = PurePosixPath(text), PureWindowsPath(text)
    leaves = posix.is_absolute() or bool(windows.anchor) or text.startswith("~")
    return leaves or ".." in posix.parts or ".." in windows.parts or "\0" in text
