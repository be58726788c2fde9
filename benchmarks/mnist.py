"""Labels needed on MNIST, by paradigm and by acquisition: ``python -m benchmarks mnist`` (DATAEFF_DATA must be set).

The pool are the first 20,000 training digits, the test is the whole test set, which nothing is tuned or stopped on.
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

CNN = {"kind": "small_cnn", "task": "classification", "width": 32, "first_stride": 2}
AUGMENTED = {**PLAIN, "augment": "distort"}
ENCODER = {"kind": "contrastive", "steps": 1500, "width": 32, "first_stride": 2}
VAE = {"kind": "conv_vae", "latent_dim": 16, "steps": 1500}
FLAT_VAE = {**VAE, "latent_dim": 2}
FRESH = {"kind": "semi_supervised", "steps": 300, "consistency_steps": 700}
SEMI = {**FRESH, "warm_start": True}
OURS = {"kind": "margin"}
GRAPH_START, BALL_START = typical_start(20, clusters="graph"), typical_start(20)
RANDOM_START = {"random": 20}


PIPELINE = {
    "initial": GRAPH_START,
    "generator": ENCODER,
    "trainer": SEMI,
    "sampler": OURS,
    "budget": rounds(150, 10, 0.5),
}
# Every round from fresh weights, and the choice spread over the latent space: what the pipeline was first.
FROM_FRESH = {**PIPELINE, "trainer": FRESH, "sampler": DIVERSE}
FROM_BALLS = {**FROM_FRESH, "initial": BALL_START}

TARGETS = Group(
    "targets",
    {
        "evaluation": {"validation": 0, "test": 10_000, "reference": "full"},
        "initial": RANDOM_START,
        "trainer": PLAIN,
        "sampler": {"kind": "random"},
        "budget": rounds(5120, 20, 1.0),
    },
    [Arm("plain"), Arm("augmented", {"trainer": AUGMENTED})],
)
WARM_TARGETS = warm_targets(RANDOM_START, AUGMENTED, rounds(640, 20, 1.0))
OURS_GROUP = Group("ours", PIPELINE, [Arm("ours"), sampling("random")])
FRESH_WEIGHTS = Group("fresh-weights", FROM_FRESH, [Arm("margin-diverse"), sampling("margin"), sampling("random")])
BALLS = Group(
    "ball-start",
    {**FROM_BALLS, "budget": rounds(300, 10, 0.5)},
    [Arm("margin-diverse"), sampling("random"), sampling("margin"), sampling("badge")],
)
OWN_START = Group(
    "own-start",
    {**PIPELINE, "initial": RANDOM_START, "sampler": {"kind": "random"}},
    [Arm("random+random"), Arm("random+ours", {"sampler": OURS})],
)
FRESH_OWN_START = Group(
    "fresh-own-start",
    {**FROM_FRESH, "initial": RANDOM_START, "sampler": {"kind": "random"}},
    [Arm("random+random"), Arm("random+margin-diverse", {"sampler": DIVERSE})],
)
PUBLISHED = Group(
    "published",
    {
        "initial": RANDOM_START,
        "generator": FLAT_VAE,
        "trainer": PLAIN,
        "sampler": PUBLISHED_WALK,
        "budget": rounds(640, 20, 1.0),
    },
    [
        Arm("snn-2"),
        Arm("snn-2-original", {"sampler": {**PUBLISHED_WALK, "input": "original"}}),
        Arm("snn-2-bounded", {"sampler": {"kind": "snn"}}),
        Arm("snn-2-boosted", {"trainer": BOOSTED}),
        Arm("snn-16", {"generator": VAE}),
        sampling("random"),
        sampling("margin"),
        sampling("badge"),
        sampling("core_set"),
    ],
)
SAMPLERS = Group(
    "samplers",
    {**PIPELINE, "sampler": {"kind": "entropy", "diversity": 10}},
    [
        Arm("entropy"),
        Arm("margin-diverse", {"sampler": DIVERSE}),
        sampling("core_set", space="latent"),
        sampling("lcmd", space="latent"),
        sampling("typical"),
        sampling("badge"),
        sampling("stochastic", sharpness=3.0),
    ],
)
REGIMES = Group(
    "regimes",
    {**FROM_BALLS, "sampler": {"kind": "staged", "first": {"kind": "typical"}, "then": DIVERSE, "labels": 60}},
    [Arm("typical-then-margin")],
)
PEERS = Group(
    "peers",
    {**PIPELINE, "sampler": {"kind": "skactiveml", "strategy": "TypiClust"}},
    [
        Arm("skactiveml-typiclust"),
        *(
            Arm(f"skactiveml-{strategy.lower()}", {"sampler": {"kind": "skactiveml", "strategy": strategy}})
            for strategy in ("ProbCover", "Badge", "Clue")
        ),
    ],
    plugins=("peers/skactiveml_samplers.py",),
)
ABLATIONS = Group(
    "ablations",
    {**FROM_BALLS, "trainer": {**FRESH, "steps": 1000, "consistency_steps": 0}},
    [
        Arm("no-consistency"),
        Arm("no-blending", {"trainer": {**FRESH, "blend": 0.0}}),
        Arm("labels-only", {"trainer": AUGMENTED}),
        Arm("pixel-vae", {"generator": VAE}),
        Arm("warm-start", {"trainer": SEMI}),
        Arm("twice-the-steps", {"trainer": {**FRESH, "steps": 600, "consistency_steps": 1400}}),
    ],
)
WALKS = Group(
    "walks",
    {**PIPELINE, "generator": VAE, "sampler": {"kind": "latent_walk"}},
    [Arm("walk"), Arm("walk-0-steps", {"sampler": {"kind": "latent_walk", "steps": 0}}), sampling("random")],
)

STUDY = Study(
    "mnist",
    {
        "pool": {"kind": "mnist", "size": 20_000},
        "evaluation": {"validation": 0, "test": 10_000},
        "learner": CNN,
        "labeler": {"kind": "dataset"},
        "stop": {"metric": "accuracy"},
    },
    [
        TARGETS,
        WARM_TARGETS,
        OURS_GROUP,
        FRESH_WEIGHTS,
        BALLS,
        REGIMES,
        OWN_START,
        FRESH_OWN_START,
        PUBLISHED,
        PEERS,
        ABLATIONS,
        SAMPLERS,
        WALKS,
    ],
    plugins=[KEPT_ENCODER],
    quick={
        "pool": {"kind": "mnist", "size": 600},
        "evaluation": {"validation": 0, "test": 200},
        "budget": {"unit": "label", "total": 40, "per_round": 20},
    },
)

OURS_KEY = ("ours", "ours")
QUESTIONS = [
    Question("labels_to_97_ours", OURS_KEY, 0.97),
    Question("labels_to_98_ours", OURS_KEY, 0.98),
]
COMPARISONS = [
    Comparison("paradigm_saving_97", OURS_KEY, [("targets", "plain")], 0.97, "paradigm, against the plain target"),
    Comparison(
        "paradigm_saving_97_vs_augmented",
        OURS_KEY,
        [("targets", "augmented"), ("warm-targets", "augmented")],
        0.97,
        "paradigm, against the augmented target",
    ),
    Comparison("acquisition_saving_98", OURS_KEY, [("ours", "random")], 0.98, "acquisition, same first labels"),
    Comparison("acquisition_saving_97", OURS_KEY, [("ours", "random")], 0.97, "acquisition, same first labels"),
    Comparison(
        "acquisition_saving_98_own_start",
        OURS_KEY,
        [("own-start", "random+random")],
        0.98,
        "acquisition, each its own start",
    ),
    Comparison(
        "acquisition_vs_best_peer_98",
        OURS_KEY,
        [
            *(("samplers", arm.name) for arm in SAMPLERS.arms),
            *(("peers", arm.name) for arm in PEERS.arms),
        ],
        0.98,
        "acquisition, against the best peer",
    ),
]

PANELS = {
    "paradigms": [
        "ours/ours",
        "targets/augmented",
        "warm-targets/augmented",
        "targets/plain",
        "published/snn-2",
        "published/snn-16",
    ],
    "acquisition inside the pipeline": [
        "ours/ours",
        "ours/random",
        "samplers/margin-diverse",
        "samplers/badge",
        "fresh-weights/margin",
        "own-start/random+ours",
        "own-start/random+random",
    ],
    "ablations": ["ball-start/margin-diverse", *(f"ablations/{arm.name}" for arm in ABLATIONS.arms)],
}

BENCHMARK = benchmark_of(STUDY, Metric("accuracy"), (0.9, 0.95, 0.97, 0.98), QUESTIONS, COMPARISONS, PANELS)
