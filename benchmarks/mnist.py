"""Labels needed on MNIST, by paradigm and by acquisition: ``python -m benchmarks mnist`` (DATAEFF_DATA must be set).

The pool are the first 20,000 training digits, the test is the whole test set, which nothing is tuned or stopped on.
"""

from benchmarks.label_efficiency.grid import Comparison, Question, benchmark_of
from benchmarks.label_efficiency.study import Arm, Group, Study

CNN = {"kind": "small_cnn", "task": "classification", "width": 32, "first_stride": 2}
PLAIN = {"kind": "standard", "steps": 1000, "batch_size": 64, "learning_rate": 0.003}
AUGMENTED = {**PLAIN, "augment": "distort"}
ENCODER = {"kind": "contrastive", "steps": 1500, "width": 32, "first_stride": 2}
VAE = {"kind": "conv_vae", "latent_dim": 16, "steps": 1500}
FLAT_VAE = {**VAE, "latent_dim": 2}
SEMI = {"kind": "semi_supervised", "steps": 300, "consistency_steps": 700}
OURS = {"kind": "margin", "diversity": 10}
TYPICAL_START = {"sampler": {"kind": "typical"}, "n": 20}
RANDOM_START = {"random": 20}


def _few(total: int) -> dict[str, object]:
    return {"unit": "label", "total": total, "per_round": 10, "growth": 0.5}


def _many(total: int) -> dict[str, object]:
    return {"unit": "label", "total": total, "per_round": 20, "growth": 1.0}


def _sampler(name: str, **params: object) -> Arm:
    return Arm(name, {"sampler": {"kind": name.split("-")[0], **params}})


PIPELINE = {"initial": TYPICAL_START, "generator": ENCODER, "trainer": SEMI, "sampler": OURS, "budget": _few(300)}
PUBLISHED_WALK = {
    "kind": "snn",
    "input": "decoded",
    "step_rule": "gradient",
    "step_size": 0.1,
    "trust_radius": 100.0,
    "density_penalty": 0.0,
}

TARGETS = Group(
    "targets",
    {
        "evaluation": {"validation": 0, "test": 10_000, "reference": "full"},
        "initial": RANDOM_START,
        "trainer": PLAIN,
        "sampler": {"kind": "random"},
        "budget": _many(5120),
    },
    [Arm("plain"), Arm("augmented", {"trainer": AUGMENTED})],
)
OURS_GROUP = Group("ours", PIPELINE, [Arm("ours"), _sampler("random"), _sampler("margin"), _sampler("badge")])
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
        "budget": _many(640),
    },
    [
        Arm("snn-2"),
        Arm("snn-2-original", {"sampler": {**PUBLISHED_WALK, "input": "original"}}),
        Arm("snn-2-bounded", {"sampler": {"kind": "snn"}}),
        Arm("snn-2-boosted", {"trainer": {**PLAIN, "reweight": "error", "ensemble": "rounds", "ensemble_size": 3}}),
        Arm("snn-16", {"generator": VAE}),
        _sampler("random"),
        _sampler("margin"),
        _sampler("badge"),
        _sampler("core_set"),
    ],
)
SAMPLERS = Group(
    "samplers",
    PIPELINE,
    [
        Arm("ours"),
        _sampler("entropy", diversity=10),
        _sampler("core_set", space="latent"),
        _sampler("lcmd", space="latent"),
        _sampler("typical"),
        _sampler("stochastic", sharpness=3.0),
        Arm(
            "staged",
            {"sampler": {"kind": "staged", "first": {"kind": "typical"}, "then": OURS, "labels": 60}},
        ),
    ],
)
PEERS = Group(
    "peers",
    PIPELINE,
    [
        Arm("ours"),
        *(
            Arm(f"skactiveml-{strategy}", {"sampler": {"kind": "skactiveml", "strategy": strategy}})
            for strategy in ("typiclust", "probcover", "badge", "clue")
        ),
    ],
    plugins=("peers/skactiveml_samplers.py",),
)
ABLATIONS = Group(
    "ablations",
    PIPELINE,
    [
        Arm("ours"),
        Arm("no-consistency", {"trainer": {**SEMI, "steps": 1000, "consistency_steps": 0}}),
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
    [Arm("walk"), Arm("walk-0-steps", {"sampler": {"kind": "latent_walk", "steps": 0}}), _sampler("random")],
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
    [TARGETS, OURS_GROUP, OWN_START, PUBLISHED, PEERS, ABLATIONS, SAMPLERS, WALKS],
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
            ("ours", "badge"),
            *(("samplers", arm.name) for arm in SAMPLERS.arms[1:]),
            *(("peers", arm.name) for arm in PEERS.arms[1:]),
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
        "ours/badge",
        "own-start/random+random",
    ],
    "ablations": [f"ablations/{arm.name}" for arm in ABLATIONS.arms],
}

BENCHMARK = benchmark_of(STUDY, "accuracy", (0.9, 0.95, 0.97, 0.98), QUESTIONS, COMPARISONS, PANELS)
