"""The ``fem_stress`` labeler's light description."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dataeff_al.registry import LabelerPlugin, Params

Positive = Annotated[float, Field(gt=0, lt=1e9)]
Channel = Literal["first_principal", "von_mises", "circumferential"]
Tissue = Literal["wall", "fibrous", "lipid", "calcium", "adventitia"]


class MeshParams(Params):
    """Elements across the wall and around the vessel."""

    radial: int = Field(8, ge=2, le=64)
    circumferential: int = Field(96, ge=16, le=1024)


class TissueParams(Params):
    """One tissue's law: ``youngs_modulus_kpa`` (linear), or ``c1_kpa`` with or without ``d1_kpa`` and ``d2``."""

    youngs_modulus_kpa: Positive | None = None
    poisson_ratio: float = Field(0.49, gt=-1, lt=0.5)
    c1_kpa: Positive | None = None
    d1_kpa: float = Field(0.0, ge=0, lt=1e9)
    d2: float = Field(0.0, ge=0, lt=1e3)

    @model_validator(mode="after")
    def _one_law(self) -> "TissueParams":
        if (self.youngs_modulus_kpa is None) == (self.c1_kpa is None):
            raise ValueError("a tissue must have either youngs_modulus_kpa or c1_kpa.")
        return self


class AuditParams(Params):
    """A random ``share`` of the labels is solved again on a mesh ``refine`` times as fine, and its error noted."""

    share: float = Field(0.0, ge=0, le=1, description="0: none, 1: every label")
    refine: int = Field(2, ge=2, le=8)


class FemStressParams(Params):
    """Stress of a vessel section under lumen pressure, in plane strain.

    ``fidelity`` chooses the default laws and must agree with the laws of ``tissues``: linear and hyperelastic answers
    differ by about a tenth and are never mixed.
    """

    lumen_pressure_kpa: float = Field(14.665463, ge=0, le=200, description="110 mmHg by default")
    fidelity: Literal["linear", "hyperelastic"] = "linear"
    mesh: MeshParams = MeshParams()
    tissues: dict[Tissue, TissueParams] = Field(default_factory=dict, description="laws that replace the defaults")
    outer: Literal["free", "elastic_foundation", "adventitia"] = "free"
    foundation_kpa_per_mm: Positive = 30.0
    adventitia_mm: float = Field(0.25, ge=0.001, le=10, description="thickness of the layer that outer adventitia adds")
    imaged_at_kpa: float = Field(
        0.0, ge=0, le=200, description="lumen pressure of the image; above 0 the unloaded section is found first"
    )
    audit: AuditParams = AuditParams()
    channels: list[Channel] = Field(default=["first_principal"], min_length=1)

    @model_validator(mode="after")
    def _agreeing(self) -> "FemStressParams":
        for name, tissue in self.tissues.items():
            linear = tissue.youngs_modulus_kpa is not None
            if linear != (self.fidelity == "linear"):
                raise ValueError(f"tissue {name} must have a {self.fidelity} law, as fidelity says.")
        radial, around = self.mesh.radial * self.audit.refine, self.mesh.circumferential * self.audit.refine
        if self.audit.share > 0 and not (radial <= 128 and around <= 2048):
            raise ValueError(f"an audit's mesh must have at most 128 by 2048 elements, but got {radial} by {around}.")
        if len(set(self.channels)) != len(self.channels):
            raise ValueError(f"channels must differ, but got {self.channels!r}.")
        return self


def _seconds(params: FemStressParams) -> float:
    """Grows with the elements around and the cube of those across; Newton takes about five linear solves."""
    linear = 0.005 * (params.mesh.circumferential / 96) * (params.mesh.radial / 8) ** 3
    linear *= 1 + params.audit.share * params.audit.refine**4
    return linear if params.fidelity == "linear" else 5 * linear


PLUGIN = LabelerPlugin(
    kind="labelers",
    name="fem_stress",
    summary="Finite-element wall stress of a vessel section under lumen pressure (plane strain).",
    params=FemStressParams,
    build="labelers.fem_stress.labeler:FemStressLabeler",
    offers=lambda _: frozenset({"synthesised"}),
    seconds=_seconds,
)
