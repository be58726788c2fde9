"""Light description of the adversarial autoencoder of colour photographs."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.generators.spec import offers
from dataeff_al.registry import Params, Plugin


class AlphaGanParams(Params):
    """Parameters of ``alpha_gan``; the defaults take about six minutes on one core for photographs of 32 x 32.

    ``width``: channels of the first stage. ``reconstruction``: weight of the mean absolute error beside the adversarial
    terms, ``realism`` of the discriminator of images and ``prior`` of the discriminator of codes, which both grow from
    0 over the first ``warm_up`` part of the steps. ``held_back``: part of the samples kept for the report.
    """

    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 64
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 2000
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    width: Annotated[int, Field(ge=1, le=512)] = 24
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-3
    reconstruction: Annotated[float, Field(gt=0, le=1e6)] = 20.0
    realism: Annotated[float, Field(ge=0, le=1e6)] = 0.05
    prior: Annotated[float, Field(ge=0, le=1e6)] = 0.05
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.3
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def alpha_gan_seconds(params: Any) -> float:
    """Seconds of a fit on photographs of 32 x 32."""
    return params.steps * params.batch_size * params.width * 1.1e-4


ALPHA_GAN = Plugin(
    kind="generators",
    name="alpha_gan",
    summary="Adversarial autoencoder of photographs: sharper than a variational one (Rosca et al., 2017).",
    params=AlphaGanParams,
    build="dataeff_al.generators.alpha_gan:build",
    offers=offers,
    seconds=alpha_gan_seconds,
)
