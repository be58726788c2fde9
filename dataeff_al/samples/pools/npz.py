"""Builds the ``npz`` pool."""

from dataeff_al.samples.arrays import ArrayPool, array_pool
from dataeff_al.samples.codecs import codec_for
from dataeff_al.samples.npz import Reading, read_columns
from dataeff_al.samples.pools.sources import existing_file
from dataeff_al.samples.pools.spec import NpzParams
from dataeff_al.samples.protocol import PoolContext


def build(params: NpzParams, context: PoolContext) -> ArrayPool:
    """The samples of an npz file. Raises DataError when it is missing, hostile or breaks the contract."""
    bounds = None if params.range is None else (params.range[0], params.range[1])
    reading = Reading(params.input, params.answer, bounds, tuple(params.classes))
    return array_pool(read_columns(existing_file(params.file, context.base_dir), reading), codec_for)
