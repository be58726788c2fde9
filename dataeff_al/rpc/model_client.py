"""Models that campaigns trained, taken away."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from dataeff_al.campaign.served import unpack_predictions
from dataeff_al.errors import ConflictError, CorruptError, DataError
from dataeff_al.rpc import convert
from dataeff_al.rpc.channel import Connection
from dataeff_al.rpc.types import ModelCard
from dataeff_al.rpc.v1 import models_pb2 as pb
from dataeff_al.rpc.v1.models_pb2_grpc import ModelServiceStub
from dataeff_al.stores.arrays import pack

PREDICT_S = 660.0
BLOCK_BYTES = 4 * 2**20
NAMES = ("classes", "channels")


class ModelCalls:
    """What a client can do with trained models."""

    _connection: Connection

    @cached_property
    def _models(self) -> ModelServiceStub:
        return ModelServiceStub(self._connection.channel)

    def predict(self, campaign: str, fields: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What a campaign's newest model says of samples: arrays ``(n, ...)`` under the contract's keys.

        ::

            client.predict("digits", {"x": x})["label"]        # x (n, 1, 8, 8) float32 in [0, 1]

        Args:
            campaign: its id.
            fields: under each name of the pool's fields an array ``(n, ...)`` in its declared dtype.

        Raises DataError when they have another form, StateError before the first model was trained, ConflictError when
        another model came between two parts of a large request.
        """
        arrays = {name: np.asarray(array) for name, array in fields.items()}
        parts, digest = list[dict[str, np.ndarray]](), ""
        for some in _blocks(arrays):
            request = pb.PredictRequest(campaign=campaign, samples=pack(some))
            answer = self._connection.call(self._models.Predict, request, PREDICT_S)
            if digest not in ("", answer.digest):
                raise ConflictError("all predictions must come from one model, but got a newer one on the way.")
            digest = answer.digest
            parts.append(unpack_predictions(answer.predictions))
        return {key: _joined(key, [part[key] for part in parts]) for key in parts[0]}

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


def _blocks(arrays: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Rows together that a message may hold, and their predictions too unless these are much larger."""
    counts = {len(array) if array.ndim else 0 for array in arrays.values()} or {0}
    if len(counts) > 1 or counts == {0}:
        raise DataError(f"samples must be arrays of one length, at least 1, but got {sorted(counts)}.")
    (count,) = counts
    step = max(1, BLOCK_BYTES * count // max(sum(array.nbytes for array in arrays.values()), 1))
    for at in range(0, count, step):
        yield {name: array[at : at + step] for name, array in arrays.items()}


def _joined(key: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if key in NAMES else np.concatenate(parts)
