"""From a campaign's parameters to the solver's settings."""

from labelers.fem_stress.laws import Law, LinearElastic, MooneyRivlin
from labelers.fem_stress.settings import HYPERELASTIC_TISSUES, LINEAR_TISSUES, StressSettings
from labelers.fem_stress.spec import FemStressParams, TissueParams


def settings_of(params: FemStressParams) -> StressSettings:
    """Settings with the default laws of the fidelity, replaced where ``tissues`` says so."""
    laws: dict[str, Law] = dict(LINEAR_TISSUES if params.fidelity == "linear" else HYPERELASTIC_TISSUES)
    laws.update({name: _law(tissue) for name, tissue in params.tissues.items()})
    return StressSettings(
        lumen_pressure_kpa=params.lumen_pressure_kpa,
        mesh=(params.mesh.radial, params.mesh.circumferential),
        tissues=laws,
        outer=params.outer,
        foundation_kpa_per_mm=params.foundation_kpa_per_mm,
        adventitia_mm=params.adventitia_mm,
        imaged_at_kpa=params.imaged_at_kpa,
    )


def _law(tissue: TissueParams) -> Law:
    if tissue.youngs_modulus_kpa is not None:
        return LinearElastic(tissue.youngs_modulus_kpa, tissue.poisson_ratio)
    return MooneyRivlin(tissue.c1_kpa or 0.0, tissue.d1_kpa, tissue.d2)
