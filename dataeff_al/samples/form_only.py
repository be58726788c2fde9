"""A pool of which only the form of its samples is known: for labelers that are built before any sample has come."""

from collections.abc import Sequence

from dataeff_al.digests import Ref, digest_json
from dataeff_al.errors import CapabilityError, DataError
from dataeff_al.samples.declared import samples_to_json
from dataeff_al.samples.protocol import Codec
from dataeff_al.samples.types import Sample, SampleId, SampleSpec


class FormOnly:
    """Implements :class:`dataeff_al.samples.protocol.Pool` without a sample."""

    def __init__(self, spec: SampleSpec) -> None:
        self.spec = spec

    @property
    def digest(self) -> Ref:
        """That of the form."""
        return digest_json(samples_to_json(self.spec))

    def ids(self) -> Sequence[SampleId]:
        """None are known."""
        return ()

    def group(self, sample_id: SampleId) -> str:
        """Raises DataError."""
        raise _unknown(sample_id)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """Raises DataError unless nothing is asked for."""
        if ids:
            raise _unknown(ids[0])
        return ()

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """Raises DataError."""
        raise _unknown(sample_id)

    def held_out(self) -> Sequence[SampleId]:
        """None are known."""
        return ()

    def codec(self) -> Codec:
        """Raises CapabilityError: a codec learns its scale from samples."""
        raise CapabilityError("tensors must be scaled by samples, but got only their form.")


def _unknown(sample_id: SampleId) -> DataError:
    return DataError(f"samples must come with each request where only their form is known, but got id {sample_id!r}.")
