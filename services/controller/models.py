"""Models that campaigns trained, from the record: handed out, and used."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as NoAnswer
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from dataeff_al.campaign import tasks
from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.outcome import model_card
from dataeff_al.campaign.served import brought
from dataeff_al.campaign.spec import CampaignSpec
from dataeff_al.campaign.state import State
from dataeff_al.digests import Ref, canonical_json
from dataeff_al.errors import RequestError, StateError, UnavailableError
from dataeff_al.rpc import limits
from dataeff_al.rpc.types import ModelCard
from services.controller.families import Families
from services.rpc import requests

AT_ONCE = 8
ANSWER_S = 600.0


class Models:
    """The newest models of campaigns.

    Args:
        families: the campaigns.
    """

    def __init__(self, families: Families) -> None:
        self._families = families
        self._places = threading.BoundedSemaphore(AT_ONCE)
        self._turn = threading.Lock()

    def newest(self, campaign: str) -> tuple[ModelCard, bytes]:
        """A campaign's newest model and what it is.

        Raises NotFoundError, and StateError before the first model was trained.
        """
        _, _, card = self._trained(campaign)
        content = self._families.hosts.blobs.get(Ref(card["digest"]))
        return ModelCard(card["digest"], len(content), card), content

    def predict(self, campaign: str, content: bytes) -> tuple[str, bytes]:
        """The digest of a campaign's newest model, and what it says of packed samples.

        A worker beside the campaign's own answers, one request after the other. Raises DataError for samples of another
        form, UnavailableError when too many wait, and as :meth:`newest`.
        """
        state, spec, card = self._trained(campaign)
        if len(content) > limits.MAX_ARRAYS_BYTES:
            raise RequestError(f"samples must have at most {limits.MAX_ARRAYS_BYTES} bytes, but got {len(content)}.")
        checked = brought(content, self._families.hosts.parts(spec).pool.spec)
        with self._place():
            found = self._asked(state, spec, card["digest"], checked)
        if len(found) > limits.MAX_ARRAYS_BYTES:
            raise RequestError(
                f"predictions must have at most {limits.MAX_ARRAYS_BYTES} bytes, but got {len(found)}: ask about fewer "
                "samples."
            )
        return card["digest"], found

    def _trained(self, campaign: str) -> tuple[State, CampaignSpec, dict[str, Any]]:
        self._families.members(requests.campaign_id(campaign))
        state = self._families.standing.state(campaign)
        assert state.created is not None
        spec = spec_of(state.created)
        card = model_card(spec, state)
        if card["digest"] is None:
            raise StateError(f"a campaign must have trained a model, but got {campaign!r}, which has not yet.")
        return state, spec, card

    @contextmanager
    def _place(self) -> Iterator[None]:
        """One of few that wait, then the only one at work: each worker beside the campaigns takes memory."""
        if not self._places.acquire(blocking=False):
            raise UnavailableError(f"predictions must be asked for by at most {AT_ONCE} at once, but got more.")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()

    def _asked(self, state: State, spec: CampaignSpec, model: str, content: bytes) -> bytes:
        hosts, blobs = self._families.hosts, self._families.hosts.blobs
        name, refs = f"predicting {state.id}", [blobs.put(content)]
        try:
            refs.append(blobs.put(canonical_json(tasks.predict(state, model, refs[0]))))
            refs.append(hosts.worker(name, _alone(spec)).call("predict", refs[1]).result(ANSWER_S).ref)
            return blobs.get(refs[2])
        except NoAnswer:
            raise UnavailableError(f"a prediction must be made within {ANSWER_S:g} s, but was not.") from None
        except (ConnectionError, CancelledError) as error:
            raise UnavailableError(f"a worker must stay for a prediction, but got {error!r}.") from error
        finally:
            hosts.release(name)
            for ref in refs:
                blobs.discard(ref)


def _alone(spec: CampaignSpec) -> CampaignSpec:
    """A campaign whose learner asks for nothing of a cluster: one worker is enough to predict."""
    return spec.model_copy(update={"learner": replace(spec.learner, runtime=None)})
