"""What an actor must know to do a campaign's work on any node, sent to it when it is made."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dataeff_al import registry
from services.actors.transfer import KeeperLine, TransferredBlobs, TransferredSpool
from services.runtime import Settings, one_thread_each


@dataclass(frozen=True)
class PluginFile:
    """A plugin file of this run: its name and its text, because other nodes cannot see the file."""

    name: str
    text: str

    @classmethod
    def read(cls, path: Path) -> "PluginFile":
        """The file as it is now."""
        return cls(path.name, path.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Seat:
    """Where an actor finds blobs and files. ``base_dir`` and ``data_root`` are paths on the actor's own node."""

    keeper: str
    base_dir: Path
    data_root: Path | None
    plugins: Sequence[PluginFile] = ()

    def settle(self) -> KeeperLine:
        """Make this process ready for work: one thread each, the run's plugins, this node's programs, a line to the
        keeper.

        Raises DataeffError when a plugin file or the file of programs cannot be loaded here.
        """
        one_thread_each()
        self._load_plugins()
        self._register_file()
        return KeeperLine(self.keeper)

    def blobs(self, line: KeeperLine) -> TransferredBlobs:
        """The driver's blobs."""
        return TransferredBlobs(line)

    def spool(self, line: KeeperLine) -> TransferredSpool:
        """The driver's spool."""
        return TransferredSpool(line)

    @staticmethod
    def _register_file() -> None:
        """The programs of the actor's own node: where they lie is that node's affair."""
        programs = Settings.from_environment().programs
        if programs is not None:
            from services.registering import register_file  # only after the number of threads is set

            register_file(programs)

    def _load_plugins(self) -> None:
        with tempfile.TemporaryDirectory(prefix="dataeff-plugins-") as folder:
            for plugin in self.plugins:
                path = Path(folder) / plugin.name
                path.write_text(plugin.text, encoding="utf-8")
                registry.load_file(path)
