"""Labelers that count their invoices and misbehave as told, and a host's surroundings."""

import threading
from collections import Counter

import numpy as np
import pytest

from dataeff_al.labeling.packing import pack_request, unpack_outcome
from dataeff_al.labeling.spool import FileSpool, MemorySpool
from dataeff_al.labeling.spooled import Spooled
from dataeff_al.labeling.types import Done, Label, LabelerInfo, Request
from dataeff_al.samples.types import Sample, SampleId, TargetSpec
from dataeff_al.stores.blobs import MemoryBlobs

TARGET = TargetSpec("label", "class", (), ("dark", "bright"))


def info(effect="pure", **changes):
    return LabelerInfo(name="toy", version="1", target=TARGET, effect=effect, **changes)


class Toy:
    """Answers whether a sample is bright; ``answer(request)`` may be replaced to misbehave."""

    def __init__(self, effect="pure", answer=None, **changes):
        self.info = info(effect, **changes)
        self.invoices, self.batches = Counter(), []
        self._answer = answer or self.truth

    def truth(self, request):
        return Label({"label": np.int64(request.sample.fields["x"].mean() > 0.5)})

    def label(self, batch):
        self.batches.append([request.key for request in batch])
        self.invoices.update(request.key for request in batch)
        return [self._answer(request) for request in batch]


class Queried(Toy):
    """A toy that can be asked; ``known`` holds what it says of attempts, an exception is raised."""

    def __init__(self, *given, **changes):
        super().__init__("queryable", *given, **changes)
        self.known = {}

    def lookup(self, key):
        found = self.known.get(key)
        if isinstance(found, Exception):
            raise found
        return found


class Hosted:
    """A Spooled host whose finished attempts can be waited for; ``again`` is its next life on the same spool."""

    def __init__(self, labeler, spool, blobs=None, **options):
        self.labeler, self.spool, self.blobs, self.options = labeler, spool, blobs or MemoryBlobs(), options
        self.news, self.heard = threading.Condition(), Counter()
        self.host = Spooled(labeler, self.blobs, spool, on_done=self._on_done, **options)

    def _on_done(self, attempt):
        with self.news:
            self.heard[attempt] += 1
            self.news.notify_all()

    def again(self, labeler=None):
        return Hosted(labeler or self.labeler, self.spool, self.blobs, **self.options)

    def request(self, bright=True):
        sample = Sample(SampleId("a"), {"x": np.full((1, 2, 2), float(bright), np.float32)}, "a")
        return self.blobs.put(pack_request(Request("", sample, seed=4)))

    def start(self, *attempts):
        for attempt in attempts:
            self.host.start(attempt, self.request())
        return self

    def wait(self, *attempts, times=1, timeout_s=30):
        with self.news:
            done = self.news.wait_for(lambda: all(self.heard[one] >= times for one in attempts), timeout_s)
        assert done, f"no news of {attempts}, only {dict(self.heard)}"
        return self

    def poll(self, attempt):
        return self.host.poll([attempt])[attempt]

    def outcome(self, attempt):
        found = self.poll(attempt)
        assert isinstance(found, Done), found
        return unpack_outcome(self.blobs.get(found.outcome))


@pytest.fixture
def toy():
    return Toy


@pytest.fixture
def queried():
    return Queried


@pytest.fixture
def hosted(tmp_path):
    """``hosted(labeler, timeout_s=1)``, on a durable spool unless the labeler is pure."""

    def make(labeler, **options):
        spool = MemorySpool() if labeler.info.effect == "pure" else FileSpool(tmp_path / "spool")
        return Hosted(labeler, spool, **options)

    return make


@pytest.fixture
def hosted_over():
    """``hosted_over(labeler, spool, blobs)``: a host over what outlives it."""
    return Hosted
