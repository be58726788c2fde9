"""Labels needed on MNIST, by paradigm and by acquisition: ``python -m benchmarks mnist`` (DATAEFF_DATA must be set).

The pool are the first 20,000 training digits, the test is the whole test set, which nothing is tuned or stopped on.
"""

from benchmarks.label_efficiency.grid import Comparison, Question, benchmark_of
from benchmarks.label_efficiency.recipes import BOOSTED, OURS, PLAIN, PUBLISHED_WALK, rounds, sampling, typical_start
from benchmarks.label_efficiency.study import Arm, Group, Metric, Study

CNN = {"kind": "small_cnn", "task": "classification", "width": 32, "first_stride": 2}
AUGMENTED = {**PLAIN, "augment": "distort"}
ENCODER = {"kind": "contrastive", "steps": 1500, "width": 32, "first_stride": 2}
VAE = {"kind": "conv_vae", "latent_dim": 16, "steps": 1500}
FLAT_VAE = {**VAE, "latent_dim": 2}
SEMI = {"kind": "semi_supervised", "steps": 300, "consistency_steps": 700}
GRAPH_START, BALL_START = typical_start(20, clusters="graph"), typical_start(20)
RANDOM_START = {"random": 20}


PIPELINE = {
    "initial": GRAPH_START,
    "generator": ENCODER,
    "trainer": SEMI,
    "sampler": OURS,
    "budget": rounds(150, 10, 0.5),
}
FROM_BALLS = {**PIPELINE, "initial": BALL_START}

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
OURS_GROUP = Group("ours", PIPELINE, [Arm("ours"), sampling("margin"), sampling("random")])
BALLS = Group(
    "ball-start",
    {**FROM_BALLS, "budget": rounds(300, 10, 0.5)},
    [Arm("ours"), sampling("random"), sampling("margin"), sampling("badge")],
)
OWN_START = Group(
    "own-start",
    {**PIPELINE, "initial": RANDOM_START, "sampler": {"kind": "random"}},
    [Arm("random+random"), Arm("random+ours", {"sampler": OURS})],
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
        sampling("core_set", space="latent"),
        sampling("lcmd", space="latent"),
        sampling("typical"),
        sampling("badge"),
        sampling("stochastic", sharpness=3.0),
    ],
)
REGIMES = Group(
    "regimes",
    {**FROM_BALLS, "sampler": {"kind": "staged", "first": {"kind": "typical"}, "then": OURS, "labels": 60}},
    [Arm("typical-then-ours")],
)
PEERS = Group(
    "peers",
    {**PIPELINE, "sampler": {"kind": "skactiveml", "strategy": "typiclust"}},
    [
        Arm("skactiveml-typiclust"),
        *(
            Arm(f"skactiveml-{strategy}", {"sampler": {"kind": "skactiveml", "strategy": strategy}})
            for strategy in ("probcover", "badge", "clue")
        ),
    ],
    plugins=("peers/skactiveml_samplers.py",),
)
ABLATIONS = Group(
    "ablations",
    {**FROM_BALLS, "trainer": {**SEMI, "steps": 1000, "consistency_steps": 0}},
    [
        Arm("no-consistency"),
        Arm("no-blending", {"trainer": {**SEMI, "blend": 0.0}}),
        Arm("labels-only", {"trainer": AUGMENTED}),
        Arm("pixel-vae", {"generator": VAE}),
        Arm("warm-start", {"trainer": {**SEMI, "warm_start": True}}),
        Arm("twice-the-steps", {"trainer": {**SEMI, "steps": 600, "consistency_steps": 1400}}),
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
    [TARGETS, OURS_GROUP, BALLS, REGIMES, OWN_START, PUBLISHED, PEERS, ABLATIONS, SAMPLERS, WALKS],
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
        [("targets", "augmented")],
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
            ("ours", "margin"),
            *(("samplers", arm.name) for arm in SAMPLERS.arms),
            *(("peers", arm.name) for arm in PEERS.arms),
        ],
        0.98,
        "acquisition, against the best peer",
    ),
]

PANELS = {
    "paradigms": ["ours/ours", "targets/augmented", "targets/plain", "published/snn-2", "published/snn-16"],
    "acquisition inside the pipeline": [
        "ours/ours",
        "ours/random",
        "ours/margin",
        "ball-start/ours",
        "ball-start/badge",
        "regimes/typical-then-ours",
        "own-start/random+random",
    ],
    "ablations": ["ball-start/ours", *(f"ablations/{arm.name}" for arm in ABLATIONS.arms)],
}

BENCHMARK = benchmark_of(STUDY, Metric("accuracy"), (0.9, 0.95, 0.97, 0.98), QUESTIONS, COMPARISONS, PANELS)
