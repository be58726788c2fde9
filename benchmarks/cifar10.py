"""Labels needed on photographs, by paradigm and by acquisition: ``python -m benchmarks cifar10`` (DATAEFF_DATA must be
set).

The pool are the first 10,000 training photographs, the test is the whole test set. The target that counts is what the
augmented target reaches on 2,000 random labels, seed by seed.
"""

from benchmarks.label_efficiency.grid import Comparison, Question, benchmark_of
from benchmarks.label_efficiency.recipes import (
    BOOSTED,
    DIVERSE,
    KEPT_ENCODER,
    PLAIN,
    PUBLISHED_WALK,
    rounds,
    sampling,
    typical_start,
    warm_targets,
)
from benchmarks.label_efficiency.study import Arm, Group, Metric, Study

CNN = {"kind": "small_cnn", "task": "classification", "width": 48, "hidden": 256, "first_stride": 2}
AUGMENTED = {**PLAIN, "augment": "photograph"}
# The views of Chen et al. (2020) for small photographs, as far as they have a counterpart here.
VIEWS = {
    "turn_deg": 0.0,
    "scale": 0.0,
    "shift": 0.0,
    "elastic": 0.0,
    "crop": 0.45,
    "mirror": True,
    "tone": 0.4,
    "colour": 0.6,
}
ENCODER = {"kind": "contrastive", "steps": 3000, "width": 48, "hidden": 256, "first_stride": 2, **VIEWS}
MILD = {"turn_deg": 5.0, "scale": 0.2, "shift": 0.1, "elastic": 0.0, "mirror": True, "tone": 0.3, "colour": 0.3}
# Chosen on other training photographs; the docs say how.
SEMI = {
    "kind": "semi_supervised",
    "steps": 100,
    "consistency_steps": 900,
    "threshold": 0.8,
    "warm_start": True,
    **MILD,
}
OURS = {"kind": "typical"}
TYPICAL_START = typical_start(50)
RANDOM_START = {"random": 50}


PIPELINE = {
    "initial": TYPICAL_START,
    "generator": ENCODER,
    "trainer": SEMI,
    "sampler": OURS,
    "budget": rounds(800, 50, 1.0),
}

TARGETS = Group(
    "targets",
    {
        "evaluation": {"validation": 0, "test": 10_000, "reference": "full"},
        "initial": RANDOM_START,
        "trainer": AUGMENTED,
        "sampler": {"kind": "random"},
        "budget": rounds(2000, 50, 1.0),
    },
    [Arm("augmented"), Arm("plain", {"trainer": PLAIN})],
)
WARM_TARGETS = warm_targets(RANDOM_START, AUGMENTED, rounds(2000, 50, 1.0))
OURS_GROUP = Group("ours", PIPELINE, [Arm("ours"), sampling("random")])
OWN_START = Group(
    "own-start",
    {**PIPELINE, "initial": RANDOM_START, "sampler": {"kind": "random"}},
    [Arm("random+random"), Arm("random+ours", {"sampler": OURS})],
)
SAMPLERS = Group(
    "samplers",
    {**PIPELINE, "sampler": {"kind": "margin"}},
    [
        Arm("margin"),
        Arm("margin-diverse", {"sampler": DIVERSE}),
        sampling("badge"),
        sampling("lcmd", space="latent"),
        Arm("staged", {"sampler": {"kind": "staged", "first": OURS, "then": DIVERSE, "labels": 300}}),
    ],
)
ABLATIONS = Group(
    "ablations",
    {**PIPELINE, "trainer": {**SEMI, "steps": 1000, "consistency_steps": 0}},
    [
        Arm("no-consistency"),
        Arm("labels-only", {"trainer": AUGMENTED}),
        Arm("fresh-weights", {"trainer": {**SEMI, "warm_start": False}}),
        Arm("half-and-half", {"trainer": {**SEMI, "steps": 500, "consistency_steps": 500}}),
    ],
)
PUBLISHED = Group(
    "published",
    {
        "initial": RANDOM_START,
        "generator": {"kind": "alpha_gan", "steps": 2000},
        "trainer": PLAIN,
        "sampler": PUBLISHED_WALK,
        "budget": rounds(800, 50, 1.0),
    },
    [
        Arm("snn"),
        Arm("snn-boosted", {"trainer": BOOSTED}),
        sampling("random"),
        sampling("margin"),
        sampling("badge"),
    ],
)

STUDY = Study(
    "cifar10",
    {
        "pool": {"kind": "cifar10", "size": 10_000},
        "evaluation": {"validation": 0, "test": 10_000},
        "learner": CNN,
        "labeler": {"kind": "dataset"},
        "stop": {"metric": "accuracy"},
    },
    [TARGETS, WARM_TARGETS, OURS_GROUP, OWN_START, PUBLISHED, SAMPLERS, ABLATIONS],
    plugins=[KEPT_ENCODER],
    quick={
        "pool": {"kind": "cifar10", "size": 600},
        "evaluation": {"validation": 0, "test": 200},
        "budget": {"unit": "label", "total": 150, "per_round": 50},
    },
)

OURS_KEY = ("ours", "ours")
AUGMENTED_KEYS = [("targets", "augmented"), ("warm-targets", "augmented")]
QUESTIONS = [Question("labels_to_50_ours", OURS_KEY, 0.5)]
COMPARISONS = [
    Comparison("paradigm_saving", OURS_KEY, AUGMENTED_KEYS, None, "paradigm, against the augmented target"),
    Comparison("paradigm_saving_50", OURS_KEY, AUGMENTED_KEYS, 0.5, "paradigm, against the augmented target"),
    Comparison("paradigm_saving_40_plain", OURS_KEY, [("targets", "plain")], 0.4, "paradigm, against the plain target"),
    Comparison("acquisition_saving_50", OURS_KEY, [("ours", "random")], 0.5, "acquisition, same first labels"),
    Comparison("acquisition_saving", OURS_KEY, [("ours", "random")], None, "acquisition, same first labels"),
    Comparison(
        "acquisition_saving_own_start",
        OURS_KEY,
        [("own-start", "random+random")],
        None,
        "acquisition, each its own start",
    ),
    Comparison(
        "acquisition_vs_best_peer",
        OURS_KEY,
        [("samplers", arm.name) for arm in SAMPLERS.arms],
        None,
        "acquisition, against the best peer",
    ),
]

PANELS = {
    "paradigms": ["ours/ours", "targets/augmented", "warm-targets/augmented", "targets/plain", "published/snn"],
    "acquisition inside the pipeline": ["ours/ours", "ours/random", "samplers/badge", "own-start/random+random"],
    "ablations": ["ours/ours", *(f"ablations/{arm.name}" for arm in ABLATIONS.arms)],
}

BENCHMARK = benchmark_of(STUDY, Metric("accuracy"), (0.4, 0.45, 0.5, 0.55), QUESTIONS, COMPARISONS, PANELS)
