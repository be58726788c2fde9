"""A controller's campaigns from Python; needs neither torch nor ray."""

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc

from dataeff_al.errors import Problem, SpecError, UnavailableError
from dataeff_al.rpc import convert
from dataeff_al.rpc.channel import Access, Connection, new_request_id
from dataeff_al.rpc.failures import left_out
from dataeff_al.rpc.labeling_client import LabelingCalls
from dataeff_al.rpc.model_client import ModelCalls
from dataeff_al.rpc.types import CampaignInfo, Verdict, WatchedEvent
from dataeff_al.rpc.v1 import campaigns_pb2 as pb
from dataeff_al.rpc.v1.campaigns_pb2_grpc import CampaignServiceStub

CREATE_S = 600.0
PATIENCE_S = 30.0
PAUSE_S = 0.5


class Client(LabelingCalls, ModelCalls):
    """Talks to a controller. Threads may share one.

    Calls that change something may be given a ``request_id``; sent again under the same one, they are done once.
    Refusals are raised as errors of :mod:`dataeff_al.errors`, a service that is down as UnavailableError.

    Example::

        with Client("127.0.0.1:7460") as client:
            run = client.create(Path("digits.yaml").read_text())
            for event in client.watch(run.id):
                print(event.campaign, event.kind)
            print(client.get(run.id).outcome)

    Args:
        target: ``host:port`` of the controller.
        token: the bearer token, where the controller wants one.
        ca: PEM file of the certificate authority, where the controller speaks TLS.
        timeout_s: longest time of one call [s].
    """

    def __init__(
        self, target: str, *, token: str | None = None, ca: Path | None = None, timeout_s: float = 60.0
    ) -> None:
        self._connection = Connection(target, Access(token, ca), timeout_s)
        self._campaigns = CampaignServiceStub(self._connection.channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def validate(self, yaml: str, settings: Sequence[str] = ()) -> list[Problem]:
        """Every rule that a campaign file breaks at this controller."""
        answer = self._connection.call(self._campaigns.Validate, pb.ValidateRequest(yaml=yaml, settings=settings))
        return [convert.problem(each) for each in answer.problems]

    def create(self, yaml: str, settings: Sequence[str] = (), *, request_id: str = "") -> CampaignInfo:
        """A new campaign from a file's text, changed by ``key.path=value`` settings.

        Raises SpecError with every broken rule.
        """
        request = pb.CreateRequest(request_id=request_id or new_request_id(), yaml=yaml, settings=settings)
        try:
            answer = self._connection.call(self._campaigns.Create, request, CREATE_S)
        except SpecError as error:
            cause = error.__cause__
            if isinstance(cause, grpc.RpcError) and left_out(cause):
                raise SpecError(self.validate(yaml, settings)) from error
            raise
        return convert.campaign(answer.campaign)

    def get(self, campaign: str) -> CampaignInfo:
        """A campaign as it stands. Raises NotFoundError."""
        return convert.campaign(self._connection.call(self._campaigns.Get, pb.GetRequest(campaign=campaign)).campaign)

    def list(self, page_size: int = 0) -> Iterator[CampaignInfo]:
        """All campaigns in order of creation, fetched page by page; twins and repeats stand in their ``members``."""
        token = ""
        while True:
            request = pb.ListRequest(page_size=page_size, page_token=token)
            page = convert.page(self._connection.call(self._campaigns.List, request))
            yield from page.campaigns
            token = page.next_token
            if not token:
                return

    def watch(
        self,
        campaign: str,
        after: Mapping[str, int] | None = None,
        *,
        until_idle: bool = False,
        patience_s: float = PATIENCE_S,
    ) -> Iterator[WatchedEvent]:
        """Events of a campaign, its twins and repeats, as they come, until it ends. Each comes exactly once.

        Args:
            campaign: its id.
            after: by campaign, the number of the last event already seen.
            until_idle: end also when the campaign is paused or waits for answers from outside.
            patience_s: how long a controller may be away before UnavailableError is raised [s].
        """
        seen = dict(after or {})
        lost_at: float | None = None
        while True:
            request = pb.WatchRequest(campaign=campaign, after=seen, until_idle=until_idle)
            try:
                for answer in self._connection.stream(self._campaigns.Watch, request):
                    lost_at = None
                    for message in answer.events:
                        seen[message.campaign] = message.n
                        yield convert.event(message)
                return
            except UnavailableError:
                lost_at = lost_at or time.monotonic()
                if time.monotonic() - lost_at >= patience_s:
                    raise
                time.sleep(PAUSE_S)

    def pause(self, campaign: str, reason: str = "", *, request_id: str = "") -> CampaignInfo:
        """Start no new work. Raises StateError when the campaign has ended."""
        request = pb.PauseRequest(request_id=request_id or new_request_id(), campaign=campaign, reason=reason)
        return convert.campaign(self._connection.call(self._campaigns.Pause, request).campaign)

    def resume(self, campaign: str, *, request_id: str = "") -> CampaignInfo:
        """Go on. Raises StateError when the campaign has ended."""
        request = pb.ResumeRequest(request_id=request_id or new_request_id(), campaign=campaign)
        return convert.campaign(self._connection.call(self._campaigns.Resume, request).campaign)

    def cancel(self, campaign: str, reason: str = "", *, request_id: str = "") -> CampaignInfo:
        """End before the time. Raises StateError when the campaign is finished."""
        request = pb.CancelRequest(request_id=request_id or new_request_id(), campaign=campaign, reason=reason)
        return convert.campaign(self._connection.call(self._campaigns.Cancel, request).campaign)

    def extend(self, campaign: str, amount: int, *, request_id: str = "") -> CampaignInfo:
        """Add ``amount`` to the budget. Raises StateError when the campaign was cancelled."""
        request = pb.ExtendRequest(request_id=request_id or new_request_id(), campaign=campaign, amount=amount)
        return convert.campaign(self._connection.call(self._campaigns.Extend, request).campaign)

    def settle(self, campaign: str, attempt: str, verdict: Verdict, *, request_id: str = "") -> CampaignInfo:
        """Say what became of an attempt of unknown outcome. Raises StateError when it is not one."""
        request = pb.SettleRequest(
            request_id=request_id or new_request_id(),
            campaign=campaign,
            attempt=attempt,
            verdict=convert.verdict_number(verdict),
        )
        return convert.campaign(self._connection.call(self._campaigns.Settle, request).campaign)
