"""Solves needed to predict the stress in vessel walls, by sampler: ``python -m benchmarks vessel``.

The campaign that ships as ``vessel_stress``, with a budget of 320 solves and each sampler in turn: the walks (SNN, SI),
what the symmetries of the task say about uncertainty, and diversity. The error is that of the test's 200 sections.
"""

from benchmarks.label_efficiency.grid import Comparison, Question, benchmark_of
from benchmarks.label_efficiency.recipes import rounds, sampling
from benchmarks.label_efficiency.study import Arm, Group, Metric, Study

TRAINER = {"kind": "standard", "steps": 300, "warm_start": True}
PRIOR = [{"kind": "symmetry", "group": "rotation_mirror"}]
STRETCHED = {"kind": "lcmd", "stretch": "committee"}

SAMPLERS = Group(
    "samplers",
    {"sampler": STRETCHED},
    [
        Arm("lcmd-committee"),
        sampling("random"),
        sampling("lcmd"),
        sampling("committee"),
        sampling("core_set"),
        sampling("snn"),
        sampling("si"),
        Arm("random-no-symmetry", {"sampler": {"kind": "random"}, "prior": []}),
    ],
)

STUDY = Study(
    "vessel",
    {
        "pool": {"kind": "vessel_sections", "size": 2000},
        "evaluation": {"validation": 0, "test": 200},
        "initial": {"random": 20},
        "generator": {"kind": "conv_vae", "latent_dim": 16},
        "learner": {"kind": "unet", "task": "regression"},
        "prior": PRIOR,
        "trainer": TRAINER,
        "labeler": {"kind": "fem_stress", "lumen_pressure_kpa": 14.665},
        "budget": {**rounds(320, 20, 1.0), "unit": "solve"},
        "stop": {"metric": "nmse"},
    },
    [SAMPLERS],
    quick={
        "pool": {"kind": "vessel_sections", "size": 60},
        "evaluation": {"validation": 5, "test": 10},
        "budget": {"unit": "solve", "total": 40, "per_round": 20},
    },
)

OURS_KEY = ("samplers", "lcmd-committee")
RANDOM_KEY = ("samplers", "random")
QUESTIONS = [Question("solves_to_nmse_0.06_ours", OURS_KEY, 0.06)]
COMPARISONS = [
    Comparison("acquisition_saving", OURS_KEY, [RANDOM_KEY], None, "stretched LCMD against random choice"),
    Comparison("si_saving", ("samplers", "si"), [RANDOM_KEY], None, "synthesised sections against random choice"),
    Comparison("snn_saving", ("samplers", "snn"), [RANDOM_KEY], None, "nearest sections against random choice"),
    Comparison(
        "symmetry_saving",
        RANDOM_KEY,
        [("samplers", "random-no-symmetry")],
        None,
        "stating the symmetries, random choice on both sides",
    ),
]
PANELS = {
    "selection": [f"samplers/{name}" for name in ("lcmd-committee", "lcmd", "committee", "core_set", "random")],
    "walks and symmetry": [f"samplers/{name}" for name in ("snn", "si", "random", "random-no-symmetry")],
}

BENCHMARK = benchmark_of(
    STUDY, Metric("nmse", more_is_better=False), (0.3, 0.1, 0.06, 0.05), QUESTIONS, COMPARISONS, PANELS
)
