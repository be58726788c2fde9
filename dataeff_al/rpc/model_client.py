"""Models that campaigns trained, taken away."""

import hashlib
from functools import cached_property
from pathlib import Path

from dataeff_al.errors import CorruptError
from dataeff_al.rpc import convert
from dataeff_al.rpc.channel import Connection
from dataeff_al.rpc.types import ModelCard
from dataeff_al.rpc.v1 import models_pb2 as pb
from dataeff_al.rpc.v1.models_pb2_grpc import ModelServiceStub


class ModelCalls:
    """What a client can do with trained models."""

    _connection: Connection

    @cached_property
    def _models(self) -> ModelServiceStub:
        return ModelServiceStub(self._connection.channel)

    def download(self, campaign: str, path: Path) -> ModelCard:
        """Write a campaign's newest model to a safetensors file, whole or not at all.

        Raises StateError before the first model was trained, CorruptError when what came is not what was announced.
        """
        answers = self._connection.stream(self._models.Download, pb.DownloadRequest(campaign=campaign))
        draft = path.with_name(f".{path.name}.tmp")
        digest, card = hashlib.sha256(), ModelCard("", 0, {})
        try:
            with draft.open("wb") as file:
                for answer in answers:
                    if answer.HasField("card"):
                        card = convert.card(answer.card)
                    digest.update(answer.chunk)
                    file.write(answer.chunk)
            if digest.hexdigest() != card.digest:
                raise CorruptError(f"the model must match its digest {card.digest}, but got {digest.hexdigest()}.")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return card
