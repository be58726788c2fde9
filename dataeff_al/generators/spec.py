"""Light descriptions of the built-in generators."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dataeff_al.learners.distortion_spec import DistortionParams
from dataeff_al.registry import Params, Plugin


class ConvVaeParams(Params):
    """Parameters of ``conv_vae``.

    ``width``: channels of the first stage. ``beta``: weight of the Kullback-Leibler term (per pixel sum, as in the
    evidence bound), which grows from 0 over the first ``warm_up`` part of the steps. ``class_balance``: exponent of
    the inverse class frequencies that weight the cross-entropy of class codes; 0 counts every pixel alike, 1 gives all
    classes the same say. ``likelihood`` is for intensities. ``held_back``: part of the samples kept for the report.
    """

    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 16
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 700
    batch_size: Annotated[int, Field(ge=1, le=4096)] = 16
    width: Annotated[int, Field(ge=1, le=512)] = 24
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 4e-3
    beta: Annotated[float, Field(ge=0)] = 1.0
    warm_up: Annotated[float, Field(ge=0, le=1)] = 0.5
    class_balance: Annotated[float, Field(ge=0, le=1)] = 0.5
    likelihood: Literal["bernoulli", "gaussian"] = "bernoulli"
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class PcaParams(Params):
    """Parameters of ``pca``."""

    latent_dim: Annotated[int, Field(ge=1, le=4096)] = 16
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.1


class ContrastiveParams(DistortionParams):
    """Parameters of ``contrastive``, and how far a view may be from its image.

    ``width``, ``hidden`` and ``first_stride``: as in the ``small_cnn`` learner, which may then start from the encoder;
    latents are the hidden layer. ``projection``: dimension in which views are compared while learning.
    """

    width: Annotated[int, Field(ge=1, le=512)] = 24
    hidden: Annotated[int, Field(ge=2, le=4096)] = 128
    first_stride: Annotated[int, Field(ge=1, le=2)] = 1
    projection: Annotated[int, Field(ge=2, le=4096)] = 64
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 256
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 3e-3
    temperature: Annotated[float, Field(gt=0, le=10)] = 0.2
    held_back: Annotated[float, Field(gt=0, lt=1)] = 0.1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


def latent_only(_: Any) -> frozenset[str]:
    """A latent space without a way back."""
    return frozenset({"latent"})


def contrastive_seconds(params: Any) -> float:
    """Seconds of a fit on images of 28 x 28."""
    return params.steps * params.batch_size * 6e-4


def offers(_: Any) -> frozenset[str]:
    """A latent space and a differentiable decoder."""
    return frozenset({"latent", "decoder"})


def conv_vae_seconds(params: Any) -> float:
    """Seconds of a fit on 64 x 64 masks of seven classes."""
    return params.steps * params.batch_size * 2e-3


def pca_fewest(params: Any) -> int:
    """As many samples as components, beside those held back."""
    count = params.latent_dim + 1
    while count - max(round(count * params.held_back), 1) < params.latent_dim:
        count += 1
    return int(count)


def pca_seconds(_: Any) -> float:
    """Seconds of a fit on two thousand 64 x 64 masks of seven classes."""
    return 3.0


CONV_VAE = Plugin(
    kind="generators",
    name="conv_vae",
    summary="Convolutional variational autoencoder for images, masks and volumes of any size; dense for tables.",
    params=ConvVaeParams,
    build="dataeff_al.generators.conv_vae:build",
    offers=offers,
    seconds=conv_vae_seconds,
)

PCA = Plugin(
    kind="generators",
    name="pca",
    summary="Principal components of the pool, exact and linear.",
    params=PcaParams,
    build="dataeff_al.generators.pca:build",
    offers=offers,
    seconds=pca_seconds,
    fewest=pca_fewest,
)

CONTRASTIVE = Plugin(
    kind="generators",
    name="contrastive",
    summary="Contrastive encoder of images: a latent space by content, without a decoder (Chen et al., 2020).",
    params=ContrastiveParams,
    build="dataeff_al.generators.contrastive:build",
    offers=latent_only,
    seconds=contrastive_seconds,
)
