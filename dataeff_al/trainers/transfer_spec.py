"""Light description of the ``transfer`` trainer."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dataeff_al.registry import Params, Plugin

Policy = Literal["monet", "scratch", "finetune", "pseudo", "frozen_random", "frozen_pretrained"]


class TransferParams(Params):
    """Parameters of ``transfer``: few full annotations and many partial ones, from any number of sources.

    ``policy: monet`` (Dai et al., 2019): first the partial annotations alone, for ``partial_steps``; then one encoder
    and all decoders together, for ``steps``, from those weights. Its controls: ``scratch`` sees full annotations only;
    ``finetune`` goes on from the partial ones with the full ones alone; ``pseudo`` does that, and then learns the
    unannotated samples with its own answers, corrected by the partial annotations; ``frozen_random`` and
    ``frozen_pretrained`` train a decoder on an encoder that stands still. ``self_training`` lets ``monet`` go on as
    ``pseudo`` does, all its decoders beside. ``steps`` at full annotations are the same for all but these two, which
    take them twice. ``sources``: which partial sources are used, None: all of them.
    ``partial_weight`` of their losses in the second stage. ``take_better``: a structure is answered by a source's
    decoder where that is better on the validation split, or, without one, on the samples that have partial annotations
    only. ``augment``: small turns, scales, shifts and tones, and the mirror where sides are merged.
    ``most_samples``: of the pool, with partial annotations.
    """

    policy: Policy = "monet"
    sources: list[str] | None = None
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    partial_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 400
    batch_size: Annotated[int, Field(ge=1, le=1024)] = 8
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    partial_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    self_training: bool = False
    take_better: bool = True
    augment: bool = True
    warm_start: bool = False
    most_samples: Annotated[int, Field(ge=1, le=100_000)] = 2000
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    @model_validator(mode="after")
    def _own_answers_in_monet(self) -> Self:
        if self.self_training and self.policy != "monet":
            raise ValueError(f"self_training must be false unless policy is monet, but got {self.policy!r}.")
        return self

    @property
    def answers_itself(self) -> bool:
        """Whether the policy learns from its own answers to samples without a full annotation."""
        return self.policy == "pseudo" or self.self_training


def needs(params: Any) -> frozenset[str]:
    """A learner with several decoders, and partial annotations unless they are not looked at."""
    partial = params.policy not in ("scratch", "frozen_random")
    return frozenset({"decoders"} | ({"partial"} if partial else set()))


def seconds(params: Any) -> float:
    """Seconds of a fit on slices of 96 x 96."""
    first = params.partial_steps if params.policy not in ("scratch", "frozen_random") else 0
    second = {"monet": 5.0 if params.self_training else 2.0, "pseudo": 3.0}.get(params.policy, 1.0) * params.steps
    return (first + second) * params.batch_size * 0.05


TRANSFER = Plugin(
    kind="trainers",
    name="transfer",
    summary="Few full annotations and many partial ones: one encoder, several decoders (MO-Net), with its controls.",
    params=TransferParams,
    build="dataeff_al.trainers.transfer:build",
    needs=needs,
    seconds=seconds,
)
