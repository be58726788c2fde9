"""A pool as a later step of a pipeline sees it: its samples hold the answers of the step before."""

from collections.abc import Sequence
from functools import cached_property
from typing import Literal

from dataeff_al.digests import Ref
from dataeff_al.samples.protocol import Codec, Pool
from dataeff_al.samples.targets import TARGET_DTYPES
from dataeff_al.samples.types import FieldSpec, Sample, SampleId, SampleSpec, TargetSpec


class AnsweredSamples:
    """A pool whose declared form has one more field, ``target``; the arrays come with each request."""

    def __init__(self, pool: Pool, target: TargetSpec) -> None:
        self._pool, self._target = pool, target

    @cached_property
    def spec(self) -> SampleSpec:
        """The pool's fields and the answer, on the scale of the pool's input."""
        found = self._pool.spec
        kind: Literal["codes", "values"] = "codes" if self._target.kind == "mask" else "values"
        answer = FieldSpec(
            self._target.shape,
            TARGET_DTYPES[self._target.kind],
            kind,
            classes=self._target.classes,
            channels=self._target.channels,
            unit=self._target.unit,
            pixel_size_mm=found.input_field.pixel_size_mm,
        )
        return SampleSpec({**found.fields, self._target.name: answer}, found.input)

    @property
    def digest(self) -> Ref:
        """The pool's own."""
        return self._pool.digest

    def ids(self) -> Sequence[SampleId]:
        """The pool's own."""
        return self._pool.ids()

    def group(self, sample_id: SampleId) -> str:
        """The pool's own."""
        return self._pool.group(sample_id)

    def read(self, ids: Sequence[SampleId]) -> Sequence[Sample]:
        """The pool's samples, without the answer."""
        return self._pool.read(ids)

    def parts(self, sample_id: SampleId) -> Sequence[SampleId]:
        """The pool's own."""
        return self._pool.parts(sample_id)

    def held_out(self) -> Sequence[SampleId]:
        """The pool's own."""
        return self._pool.held_out()

    def codec(self) -> Codec:
        """The pool's own."""
        return self._pool.codec()
