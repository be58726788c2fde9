"""``python -m benchmarks.segmentation.memory ORDER SIDE``: what one step of training a 3-D cascade takes, as JSON."""

import json
import resource
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.views import built, labelled, learner_maker, toy_view
from dataeff_al.trainers.blockwise import Run, blocks_of
from dataeff_al.trainers.blockwise_spec import BlockwiseParams
from dataeff_al.trainers.standard import training_set

WIDTH, LAYERS, BATCH, SMALL = 16, 4, 2, 16


def main(order: str, side: int) -> None:
    """Train for two steps a block, or two of all, and print the highest memory above that before the first one."""
    torch.set_num_threads(1)
    # Whatever is loaded at the first call is loaded by a network that takes next to nothing.
    _train(_run(SMALL), order)
    run = _run(side)
    before = _peak_bytes()
    _train(run, order)
    after = _peak_bytes()
    print(json.dumps({"order": order, "side": side, "peak_bytes": after - before, "saved_bytes": _saved(run, order)}))


def _train(run: Run, order: str) -> None:
    if order == "greedy":
        run.greedy()
    else:
        run.joint()


def _run(side: int) -> Run:
    shape = {"shape": [side] * 3, "cases": 2, "anatomy": "tumour", "places": False}
    pool = built("pools", "heads", PoolContext(Path(), None, 0), **shape)
    blocks = [{"coarser": 1, "width": WIDTH, "layers": LAYERS}] * 3
    new_learner = learner_maker("cascade", pool, blocks=blocks, dims=3)
    view = replace(
        toy_view("mask", "unet"),
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        new_learner=new_learner,
        labelled=labelled(pool, pool.ids()),
    )
    learner = blocks_of(new_learner(0))
    params = BlockwiseParams(steps=2, batch_size=BATCH, augment=False, precision="float32")
    return Run(params, learner, training_set(view, learner), 0)


def _peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _saved(run: Run, order: str) -> int:
    """Bytes that are kept for the gradient of one step, weights left out."""
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    own = {each.untyped_storage().data_ptr() for each in run.learner.module.parameters()}
    run.learner.module.train()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = run.block_loss(len(run.learner.blocks) - 1) if order == "greedy" else run.joint_loss()
    loss.backward()
    return sum(size for at, size in kept.items() if at not in own)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
