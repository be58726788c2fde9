import numpy as np
import pytest

from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.types import Label
from dataeff_al.rpc import Client


def test_a_controller_that_is_going_down_leases_nothing_anew_and_still_takes_labels(
    client, target, texts, controller, monkeypatch
):
    ward = client.create(texts.ward()).id
    list(client.watch(ward, until_idle=True))
    leases = client.ask(ward, 2, request_id="before")
    monkeypatch.setattr(controller, "_draining", True)
    with Client(target, timeout_s=2.0) as hasty, pytest.raises(UnavailableError):
        hasty.ask(ward, 2)
    assert client.ask(ward, 2, request_id="before") == leases
    client.tell(leases[0], Label({"label": np.int64(3)}, cost=2))
    assert client.get(ward).evaluation.spent == 2
