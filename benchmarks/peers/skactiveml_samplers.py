"""Query strategies of scikit-activeml (BSD-3) as a sampler plugin: ``dataeff-al run --plugin`` with this file.

A campaign then has ``sampler: {kind: skactiveml, strategy: Badge}``. The library sees what our samplers see: places of
candidates, of labelled and of pending samples, and the current model's probabilities for the candidates. Pending
samples count as labelled. ``DropQuery`` asks a linear probe on the places, as published for frozen encoders, because
it needs predictions for places with features dropped.

What is quadratic in the candidates (``ProbCover``, ``MaxHerding``) gets a random 5,000 of them, and ``Badge`` as many
as its gradients fit into half a gigabyte. Places are divided by the candidates' root mean square distance from their
mean, radii of ``ProbCover`` are parts of that, and k-means above 50 clusters goes by mini-batches, as in the code of
TypiClust's authors. The library may name a sample twice, or none, where clusters run dry: random candidates fill the
gaps.
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from dataeff_al.errors import CapabilityError
from dataeff_al.registry import Params, Plugin
from dataeff_al.samplers.candidates import candidates, inputs, learner_of
from dataeff_al.samplers.embedding import SPACES, held
from dataeff_al.samplers.protocol import Proposal, SamplerContext
from dataeff_al.samples.types import SampleId
from dataeff_al.view import Labelled, View

Strategy = Literal[
    "TypiClust",
    "ProbCover",
    "CoreSet",
    "Badge",
    "Clue",
    "Falcun",
    "DropQuery",
    "MaxHerding",
    "UncertaintySampling",
]
_QUADRATIC = ("ProbCover", "MaxHerding")
_BY_PROBABILITIES = ("Badge", "Clue", "Falcun", "UncertaintySampling")
_MOST_CANDIDATES, _MOST_NUMBERS, _MOST_CLUSTERS = 5000, 60_000_000, 50
_RADII = (1e-6, *np.geomspace(0.02, 2.0, 25))


class SkactivemlParams(Params):
    """Parameters of ``skactiveml``.

    ``space``: the generator's latents, or the current model's features (BADGE as published). ``method`` is of
    ``UncertaintySampling`` and ``Clue``. ``most``: candidates given to strategies of quadratic cost.
    """

    strategy: Strategy
    space: Literal["latent", "features"] = "latent"
    method: Literal["margin_sampling", "least_confident", "entropy"] = "margin_sampling"
    most: Annotated[int, Field(ge=10, le=100_000)] = _MOST_CANDIDATES


def needs(params: Any) -> frozenset[str]:
    """The space of comparison, and probabilities where the strategy reads them."""
    return frozenset({params.space} | ({"probabilities"} if params.strategy in _BY_PROBABILITIES else set()))


@dataclass(frozen=True)
class Scene:
    """What a strategy sees: candidates first, then held samples, all at ``places`` ``(m + h, d)``."""

    view: View
    ids: Sequence[SampleId]
    places: np.ndarray
    n: int
    seed: int
    params: SkactivemlParams

    @property
    def answers(self) -> np.ndarray:
        """NaN for candidates; held samples have some class, and no strategy here looks at which."""
        return np.r_[np.full(len(self.ids), np.nan), np.zeros(len(self.places) - len(self.ids))]

    @property
    def classes(self) -> int:
        """How many classes the target has."""
        return len(self.view.target.classes)

    def ask(self, strategy: Any, **more: Any) -> list[int]:
        """Rows that the library's strategy asks for."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            rows = np.arange(len(self.ids))
            found = strategy.query(self.places, self.answers, candidates=rows, batch_size=self.n, **more)
        return [int(row) for row in found]

    def probabilities(self) -> np.ndarray:
        """Of the candidates: ``(m, k)``. Raises CapabilityError where each pixel has its own."""
        learner = learner_of(self.view, "skactiveml")
        parts = [learner.predict(x).double().numpy() for x in inputs(self.view, self.ids)]
        if parts[0].ndim != 2:
            raise CapabilityError(f"sampler skactiveml must have one class per sample, but got {parts[0].shape[1:]}.")
        p = np.concatenate(parts)
        return p / p.sum(1, keepdims=True)


class Skactiveml:
    """One strategy of scikit-activeml."""

    def __init__(self, params: SkactivemlParams) -> None:
        from skactiveml import pool

        self._params, self._pool = params, pool

    @property
    def needs(self) -> frozenset[str]:
        """The space, and ``probabilities`` where the strategy reads them."""
        return needs(self._params)

    def propose(self, view: View, n: int, rng: np.random.Generator) -> Sequence[Proposal]:
        """At most ``n`` ids. Raises DataError when none is left, CapabilityError without what the strategy needs."""
        ids = candidates(view)
        n = min(n, len(ids))
        if n == 0:
            return []
        order = [int(row) for row in rng.permutation(len(ids))]
        scene = self._scene(view, [ids[row] for row in sorted(order[: max(self._most(view), n)])], n, rng)
        found = _STRATEGIES[self._params.strategy](self._pool, scene)
        chosen = dict.fromkeys([*(scene.ids[row] for row in found), *(ids[row] for row in order)])
        return [Proposal(sample_id) for sample_id in list(chosen)[:n]]

    def _most(self, view: View) -> int:
        if self._params.strategy in _QUADRATIC:
            return self._params.most
        if self._params.strategy != "Badge":
            return len(view.unlabelled)
        width = SPACES[self._params.space](view, "skactiveml").of_ids(view.unlabelled[:1]).shape[1]
        return _MOST_NUMBERS // (width * max(len(view.target.classes), 1))

    def _scene(self, view: View, ids: Sequence[SampleId], n: int, rng: np.random.Generator) -> Scene:
        space, known = SPACES[self._params.space](view, "skactiveml"), held(view)
        places = space.of_ids(ids).astype(np.float64)
        scale = float(np.sqrt(((places - places.mean(0)) ** 2).sum(1).mean())) or 1.0
        if known:
            places = np.concatenate([places, space.of_samples(known)])
        return Scene(view, ids, places / scale, n, int(rng.integers(2**31)), self._params)


def _typiclust(pool: Any, scene: Scene) -> list[int]:
    known = len(scene.places) - len(scene.ids)
    try:
        return scene.ask(pool.TypiClust(random_state=scene.seed, **_clustering(known, scene)))
    except UnboundLocalError:
        # The library's name for having no cluster without a label, as where all candidates are copies of labelled ones.
        return []


def _clustering(known: int, scene: Scene) -> dict[str, Any]:
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if known + scene.n <= _MOST_CLUSTERS:
        return {"cluster_algo": KMeans, "cluster_algo_dict": {"random_state": scene.seed}}
    batch = {"batch_size": 5000, "n_init": 1, "random_state": scene.seed}
    return {"cluster_algo": MiniBatchKMeans, "cluster_algo_dict": batch}


def _prob_cover(pool: Any, scene: Scene) -> list[int]:
    classes = max(scene.classes, 2)
    return scene.ask(pool.ProbCover(n_classes=min(classes, len(scene.places)), deltas=_RADII, random_state=scene.seed))


def _core_set(pool: Any, scene: Scene) -> list[int]:
    return scene.ask(pool.CoreSet(random_state=scene.seed))


def _max_herding(pool: Any, scene: Scene) -> list[int]:
    return scene.ask(pool.MaxHerding(random_state=scene.seed))


def _badge(pool: Any, scene: Scene) -> list[int]:
    return scene.ask(pool.Badge(random_state=scene.seed), clf=_model(scene), fit_clf=False)


def _clue(pool: Any, scene: Scene) -> list[int]:
    strategy = pool.Clue(method=scene.params.method, random_state=scene.seed, **_clustering(0, scene))
    return scene.ask(strategy, estimator=_model(scene), fit_estimator=False)


def _falcun(pool: Any, scene: Scene) -> list[int]:
    return scene.ask(pool.Falcun(random_state=scene.seed), clf=_model(scene), fit_clf=False)


def _uncertainty(pool: Any, scene: Scene) -> list[int]:
    strategy = pool.UncertaintySampling(method=scene.params.method, random_state=scene.seed)
    return scene.ask(strategy, clf=_model(scene), fit_clf=False)


def _drop_query(pool: Any, scene: Scene) -> list[int]:
    strategy = pool.DropQuery(random_state=scene.seed, **_clustering(0, scene))
    return scene.ask(strategy, clf=_probe(scene), fit_clf=False)


_STRATEGIES: Mapping[str, Callable[[Any, Scene], list[int]]] = {
    "TypiClust": _typiclust,
    "ProbCover": _prob_cover,
    "CoreSet": _core_set,
    "Badge": _badge,
    "Clue": _clue,
    "Falcun": _falcun,
    "DropQuery": _drop_query,
    "MaxHerding": _max_herding,
    "UncertaintySampling": _uncertainty,
}


def _model(scene: Scene) -> Any:
    """The current model in the library's clothes: it knows its answers for the candidates, in their order."""
    from skactiveml.base import SkactivemlClassifier

    class Answers(SkactivemlClassifier):
        """Probabilities that are known already."""

        def __init__(self, known: np.ndarray) -> None:
            super().__init__(classes=list(range(known.shape[1])), random_state=scene.seed)
            self.known = known

        def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> "Answers":  # noqa: ARG002
            """The model is fitted elsewhere."""
            return self

        def predict_proba(self, X: np.ndarray, **kwargs: Any) -> np.ndarray:  # noqa: ARG002
            """The candidates' probabilities. Raises ValueError when asked about anything else."""
            if len(X) != len(self.known) or not np.allclose(X, scene.places[: len(X)]):
                raise ValueError(f"the model must be asked about all candidates, but got {len(X)} rows.")
            return self.known

    return Answers(scene.probabilities())


def _probe(scene: Scene) -> Any:
    """A linear model on the places of the labelled samples."""
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    labelled = scene.view.labelled
    places = scene.places[len(scene.ids) :][: len(labelled)]
    classes = list(range(scene.classes))
    known = np.array([_class_of(entry, scene.view.target.name) for entry in labelled])
    probe = SklearnClassifier(LogisticRegression(max_iter=1000), classes=classes, random_state=scene.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return probe.fit(places, known)


def _class_of(entry: Labelled, name: str) -> float:
    """The labelled sample's class, NaN where the label is not valid."""
    valid = entry.label.valid is None or bool(np.all(entry.label.valid))
    return float(entry.label.target[name]) if valid else float("nan")


def build(params: SkactivemlParams, context: SamplerContext) -> Skactiveml:  # noqa: ARG001
    """The sampler of a campaign."""
    return Skactiveml(params)


SKACTIVEML = Plugin(
    kind="samplers",
    name="skactiveml",
    summary="A query strategy of scikit-activeml on our latents and our model's probabilities, for comparison.",
    params=SkactivemlParams,
    build=build,
    needs=needs,
)
