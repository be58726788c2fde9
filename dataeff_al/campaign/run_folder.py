"""A run's folder as others find it: the campaign, where its files were, its states and its model."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from dataeff_al.blobs import Blobs
from dataeff_al.campaign.outcome import CAMPAIGN, MODEL, MODEL_CARD, write_file
from dataeff_al.campaign.place import ORIGIN, Place
from dataeff_al.campaign.recall import Recall
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.campaign.yaml_source import read
from dataeff_al.digests import digest_bytes
from dataeff_al.errors import ConflictError, CorruptError, NotFoundError
from dataeff_al.stores.blobs import FileBlobs
from dataeff_al.stores.open import BLOBS, RECORD, open_store
from dataeff_al.stores.protocol import Store


class RunFolder:
    """Reads a run's folder; writes nothing.

    ::

        run = RunFolder(Path("runs/digits"))
        run.spec.learner.kind       # "small_cnn"
        run.states()[0].status      # "finished"
    """

    def __init__(self, folder: Path) -> None:
        """Raises NotFoundError when the folder holds neither a campaign nor a record."""
        if not (folder / CAMPAIGN).is_file() and not (folder / RECORD).is_file():
            raise NotFoundError(f"a run's folder must hold {CAMPAIGN}, but got {str(folder)!r}.")
        self.folder = folder

    @cached_property
    def spec(self) -> CampaignSpec:
        """The campaign as it runs; of a run that was killed before it wrote one, as its record describes it."""
        path = self.folder / CAMPAIGN
        if path.is_file():
            return CampaignSpec.from_canonical(read(path.read_text(encoding="utf-8"), CAMPAIGN).data)
        created = next((state.created for state in self.states() if state.created), None)
        if created is None:
            raise NotFoundError(f"a run's record must hold a campaign, but got none in {str(self.folder)!r}.")
        return CampaignSpec.from_canonical(created.spec)

    @cached_property
    def base_dir(self) -> Path:
        """The folder that the campaign's file names are relative to: where it was, or at the same place beside this."""
        path = self.folder / ORIGIN
        if not path.is_file():
            return self.folder.resolve()
        origin = json.loads(path.read_text(encoding="utf-8"))
        absolute = Path(origin["base_dir"])
        return absolute if absolute.is_dir() else (self.folder / origin["relative"]).resolve()

    def place(self, data_root: Path | None) -> Place:
        """The folder as a place to work in."""
        return Place(self.folder, self.base_dir, data_root)

    @property
    def blobs(self) -> Blobs:
        """The run's arrays."""
        return FileBlobs(self.folder / BLOBS)

    @contextmanager
    def reading(self) -> Iterator[Store]:
        """The record, for reading; whoever writes it is not disturbed. Raises NotFoundError."""
        store = open_store(self.folder, writer=False)
        try:
            yield store
        finally:
            store.close()

    def states(self) -> list[State]:
        """The states of the run's campaigns, its own first."""
        with self.reading() as store:
            return states_of(store)

    def model(self) -> tuple[bytes, dict[str, Any]]:
        """The newest model and its card. Raises NotFoundError before the first, CorruptError when it was changed."""
        path, card = self.folder / MODEL, self.folder / MODEL_CARD
        if not path.is_file() or not card.is_file():
            raise NotFoundError(f"the run must have trained a model, but got no {MODEL} in {str(self.folder)!r}.")
        content, about = path.read_bytes(), json.loads(card.read_text(encoding="utf-8"))
        if (found := digest_bytes(content)) != about["digest"]:
            raise CorruptError(f"{MODEL} must have the digest {about['digest']}, but got {found}.")
        return content, about


def states_of(store: Store) -> list[State]:
    """The states of all campaigns of a record, in order of creation."""
    recall = Recall(store)
    return [recall.state(name) for name in store.campaigns()]


def begin_folder(place: Place, spec: CampaignSpec) -> None:
    """Write the campaign and where its files are, so that the folder can be gone on with by itself.

    Raises ConflictError when the folder holds another campaign, DataError when it cannot be written.
    """
    place.check()
    held = RunFolder(place.folder).spec if (place.folder / CAMPAIGN).is_file() else spec
    if _once(held) != _once(spec):
        raise ConflictError(
            f"the run folder must hold the campaign {spec.name!r} as it is described now, but got {held.name!r} "
            "described otherwise; choose another folder."
        )
    write_file(place.folder / CAMPAIGN, spec.to_yaml().encode())
    place.remember_origin()


def _once(spec: CampaignSpec) -> str:
    """What is the same whether a campaign is run under one seed or repeated under more."""
    return spec.model_copy(update={"repeats": 1}).identity
