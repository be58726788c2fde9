"""From a campaign's description to its living parts. Each part is made once and kept for as long as it is asked for."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.errors import DataeffError, LabelingError
from dataeff_al.generators.protocol import Generator, GeneratorContext
from dataeff_al.labeling.types import Labeler, LabelerContext
from dataeff_al.learners.protocol import Learner, LearnerContext
from dataeff_al.priors.protocol import Prior
from dataeff_al.randomness import seed_for
from dataeff_al.samplers.protocol import Sampler, SamplerContext
from dataeff_al.samples.protocol import Codec, Pool, PoolContext
from dataeff_al.samples.types import TargetSpec
from dataeff_al.trainers.protocol import Trainer, TrainerContext


class Parts:
    """The parts of one campaign, built when first asked for."""

    def __init__(self, spec: CampaignSpec, base_dir: Path, data_root: Path | None) -> None:
        self.spec, self._base_dir, self._data_root = spec, base_dir, data_root

    @cached_property
    def pool(self) -> Pool:
        """The unlabelled samples."""
        return self.spec.pool.build(self.pool_context)

    @property
    def pool_context(self) -> PoolContext:
        """What the pool is built from, beside its parameters."""
        return PoolContext(self._base_dir, self._data_root, self.spec.seed)

    @cached_property
    def codec(self) -> Codec:
        """Between the pool's samples and tensors."""
        return self.pool.codec()

    @cached_property
    def labeler(self) -> Labeler:
        """Who answers. Raises what its plugin raises on purpose, and LabelingError for everything else."""
        context = LabelerContext(self.pool, self._base_dir, self._data_root)
        try:
            return self.spec.labeler.build(context)
        except (DataeffError, OSError):
            raise
        except Exception as error:
            raise LabelingError(f"the labeler {self.spec.labeler.kind!r} must start, but got {error!r}.") from error

    def generator(self) -> Generator | None:
        """A data manifold that has learnt nothing yet, or None."""
        part = self.spec.generator
        return part.build(GeneratorContext(self.codec.tensor)) if part else None

    def new_learner(self, target: TargetSpec) -> Callable[[int], Learner]:
        """A maker of untrained models."""
        from dataeff_al.learners.seeding import seeded  # only who makes models needs torch

        context = LearnerContext(self.codec.tensor, target, self.pool.spec, self.priors)

        def make(seed: int) -> Learner:
            with seeded(seed):
                return self.spec.learner.build(context)

        return make

    @cached_property
    def trainer(self) -> Trainer:
        """How models are fitted."""
        return self.spec.trainer.build(TrainerContext())

    @cached_property
    def priors(self) -> Sequence[Prior]:
        """Stated knowledge."""
        return [part.build(None) for part in self.spec.prior]

    def sampler(self, *, initial: bool) -> Sampler | None:
        """The query strategy: the campaign's, or the one that chooses its first samples (None: at random)."""
        part = self.spec.initial.sampler if initial else self.spec.sampler
        return part.build(SamplerContext()) if part else None

    def seed(self, *purpose: int | str) -> int:
        """A seed for a purpose of this campaign."""
        return seed_for(self.spec.seed, *purpose)
