from dataclasses import replace
from pathlib import Path

import pytest
import torch

from dataeff_al.errors import CapabilityError, TrainingError
from dataeff_al.metrics import evaluate
from dataeff_al.samples.protocol import PoolContext
from dataeff_al.testing.trainers import check_trainer
from dataeff_al.testing.views import built, labelled, learner_maker, toy_view
from dataeff_al.trainers.blockwise import Run
from dataeff_al.trainers.blockwise_spec import BlockwiseParams
from dataeff_al.trainers.protocol import TrainerContext
from dataeff_al.trainers.standard import training_set

TWO = [{"coarser": 2, "width": 8, "layers": 2}, {"coarser": 1, "width": 8, "layers": 3}]
FULL = [{"coarser": 1, "width": 8, "layers": 3}] * 3


def blockwise(**params):
    return built("trainers", "blockwise", TrainerContext(), **{"steps": 6, "batch_size": 4, **params})


def tumour_view(learner="cascade", **network):
    pool = built("pools", "heads", PoolContext(Path(), None, 0), cases=8, anatomy="tumour", places=False)
    network = {"dims": 2, "blocks": TWO, **network} if learner == "cascade" else network
    ids = list(pool.ids())
    return replace(
        toy_view("mask", "unet"),
        pool=pool,
        codec=pool.codec(),
        target=pool.target,
        new_learner=learner_maker(learner, pool, **network),
        labelled=labelled(pool, ids[:4]),
        validation=labelled(pool, ids[-2:]),
        unlabelled=ids[4:-2],
        pending=[],
    )


@pytest.mark.parametrize("toy", ["mask", "volume"])
@pytest.mark.parametrize("order", ["greedy", "joint"])
def test_the_policy_keeps_the_contract_of_a_trainer(toy, order):
    params = {"order": order, "steps": 40, "batch_size": 8, "augment": False, "learning_rate": 1e-2}
    check_trainer(lambda: blockwise(**params), toy_view(toy, "cascade", blocks=TWO))


@pytest.mark.parametrize("reduction", ["nearest", "majority", "any", "soft"])
def test_every_reduction_of_labels_trains(reduction):
    report = blockwise(reduction=reduction).fit(tumour_view(), None, 0)
    assert report.steps == 12
    assert "at 1/2 of the resolution" in report.notes["block_1"]


def test_steps_are_counted_by_order_and_fine_tuning():
    assert blockwise(order="joint").fit(tumour_view(), None, 0).steps == 6
    assert blockwise(fine_tune_steps=5).fit(tumour_view(), None, 0).steps == 17


def test_a_block_that_is_frozen_does_not_change_while_the_next_is_trained():
    view = tumour_view()
    learner = view.new_learner(0)
    run = Run(BlockwiseParams(steps=4, batch_size=4), learner, training_set(view, learner), 0)
    first, second = learner.blocks
    train, after = run._train, []

    def noted(descend, blocks, steps, loss):
        found = train(descend, blocks, steps, loss)
        after.append([torch.cat([v.float().flatten() for v in each.state_dict().values()]) for each in (first, second)])
        return found

    run._train = noted
    run.greedy()
    assert torch.equal(after[0][0], after[1][0]), "the first block stands still while the second is trained"
    assert not torch.equal(after[0][1], after[1][1])


def saved_bytes(view, order):
    """Bytes that are kept for the backward pass of the last block, or of all of them."""
    learner = view.new_learner(0)
    run = Run(BlockwiseParams(batch_size=4, precision="float32"), learner, training_set(view, learner), 0)
    kept = {}

    def keep(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    learner.module.train()
    weights = {each.data_ptr() for each in learner.module.parameters()}
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = run.block_loss(2) if order == "greedy" else run.joint_loss()
    loss.backward()
    return sum(size for at, size in kept.items() if at not in weights)


@pytest.mark.parametrize("network", [{"dims": 2}, {"dims": None, "patch": [16, 16, 16]}])
def test_memory_follows_the_block_and_not_the_network(network):
    view = tumour_view(blocks=FULL, **network)
    assert saved_bytes(view, "greedy") < 0.5 * saved_bytes(view, "joint")


def test_blocks_together_find_tumours():
    view = tumour_view()
    report = blockwise(steps=60, augment=False, batch_size=8, learning_rate=1e-2).fit(view, None, 0)
    x = view.codec.soften([entry.sample for entry in view.validation])
    found = evaluate(view.target, report.learner.predict(x).numpy(), [entry.label for entry in view.validation])
    assert found["dice/WT"] > 0.7
    coarse, fine = (codes > 0 for codes in report.learner.stages(x).values())
    truth = torch.stack([torch.from_numpy(entry.label.target["mask"]) for entry in view.validation]) > 0
    wrong = [int((guess != truth).sum()) for guess in (coarse, fine)]
    assert wrong[1] < wrong[0], "a finer block corrects the coarser one"


def test_what_the_policy_lacks_is_a_clear_error():
    with pytest.raises(CapabilityError, match="learner of blocks"):
        blockwise().fit(toy_view("mask", "unet"), None, 0)
    with pytest.raises(TrainingError):
        blockwise().fit(replace(tumour_view(), labelled=[]), None, 0)
