import threading
import time

import grpc
import pytest

from dataeff_al.campaign.commands import Pause, Resume
from dataeff_al.rpc import Client
from dataeff_al.rpc.v1 import campaigns_pb2
from dataeff_al.rpc.v1.campaigns_pb2_grpc import CampaignServiceStub

EVENTS = 400


@pytest.fixture
def ward(client, texts):
    run = client.create(texts.ward())
    list(client.watch(run.id, until_idle=True))
    return run.id


def stir(controller, campaign, count=EVENTS):
    """Write many events, then end the campaign."""
    for _ in range(count // 2):
        controller.families.submit(campaign, Pause(reason="x" * 200))
        controller.families.submit(campaign, Resume())


def end(client, campaign):
    client.cancel(campaign)
    return client.get(campaign)


def test_many_readers_of_many_events_lose_none(controller, target, client, ward):
    got = [[] for _ in range(10)]

    def read(k):
        with Client(target) as reader:
            got[k].extend(event.n for event in reader.watch(ward))

    threads = [threading.Thread(target=read, args=(k,)) for k in range(len(got))]
    for thread in threads:
        thread.start()
    stir(controller, ward)
    client.cancel(ward)
    last = list(client.watch(ward))[-1]
    for thread in threads:
        thread.join()
    assert last.kind == "cancelled"
    assert got == [list(range(1, last.n + 1))] * len(got)


def test_a_reader_that_stands_still_harms_nobody_and_loses_nothing(controller, target, client, ward):
    options = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)]
    with grpc.insecure_channel(target, options=options) as channel:
        still = CampaignServiceStub(channel).Watch(campaigns_pb2.WatchRequest(campaign=ward))
        first = next(still)
        stir(controller, ward)
        client.cancel(ward)
        others = [event.n for event in client.watch(ward)]
        assert others == list(range(1, len(others) + 1))
        kept = [event.n for answer in (first, *still) for event in answer.events]
        assert kept == others


def test_readers_that_leave_are_forgotten(controller, target, client, ward, eventually):
    wakers = controller.families.feed._wakers
    for _ in range(5):
        with Client(target) as reader:
            stream = reader.watch(ward)
            next(stream)
            stream.close()
    eventually(lambda: ward not in wakers)


def test_a_stream_ends_when_nothing_can_happen_without_somebody_only_if_asked_to(client, target, ward):
    assert next(event.kind for event in client.watch(ward, until_idle=True)) == "created"
    ended = threading.Event()

    def read():
        with Client(target) as reader:
            list(reader.watch(ward))
        ended.set()

    thread = threading.Thread(target=read)
    thread.start()
    time.sleep(0.3)
    assert not ended.is_set()
    client.cancel(ward)
    thread.join(30)
    assert ended.is_set()
