"""Models that campaigns trained, from the record."""

from dataeff_al.campaign.launch import spec_of
from dataeff_al.campaign.outcome import model_card
from dataeff_al.digests import Ref
from dataeff_al.errors import StateError
from dataeff_al.rpc.types import ModelCard
from services.controller.families import Families
from services.rpc import requests


def newest_model(families: Families, campaign: str) -> tuple[ModelCard, bytes]:
    """A campaign's newest model and what it is.

    Raises NotFoundError, and StateError before the first model was trained.
    """
    families.members(requests.campaign_id(campaign))
    state = families.standing.state(campaign)
    created = state.created
    assert created is not None
    card = model_card(spec_of(created), state)
    if card["digest"] is None:
        raise StateError(f"a campaign must have trained a model, but got {campaign!r}, which has not yet.")
    content = families.hosts.blobs.get(Ref(card["digest"]))
    return ModelCard(card["digest"], len(content), card), content
