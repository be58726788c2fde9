"""Decode, call the controller in a thread, encode."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

from dataeff_al.errors import UnavailableError
from dataeff_al.rpc import convert, limits
from dataeff_al.rpc.v1 import campaigns_pb2 as pb
from dataeff_al.rpc.v1 import campaigns_pb2_grpc, labeling_pb2, labeling_pb2_grpc, models_pb2, models_pb2_grpc
from services.controller.controller import Controller
from services.controller.leases import Leases
from services.controller.models import Models
from services.controller.watching import Watching
from services.rpc.calls import Calls, Context
from services.rpc.status import refusal


class CampaignServicer(campaigns_pb2_grpc.CampaignServiceServicer):
    """Campaigns."""

    def __init__(self, controller: Controller, calls: Calls, closing: asyncio.Event) -> None:
        self._controller, self._calls, self._closing = controller, calls, closing

    async def Validate(self, request: pb.ValidateRequest, context: Context) -> pb.ValidateResponse:  # noqa: N802
        """Check a campaign file."""
        call = self._controller.validate
        name, problems = await self._calls.answer(context, call, request.yaml, request.settings)
        return pb.ValidateResponse(name=name, problems=map(convert.problem_message, problems))

    async def Create(self, request: pb.CreateRequest, context: Context) -> pb.CreateResponse:  # noqa: N802
        """Create a campaign."""
        call = self._controller.create
        info = await self._calls.answer(context, call, request.yaml, request.settings, request.request_id)
        return pb.CreateResponse(campaign=convert.campaign_message(info))

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.GetResponse:  # noqa: N802
        """Tell how a campaign stands."""
        info = await self._calls.answer(context, self._controller.get, request.campaign)
        return pb.GetResponse(campaign=convert.campaign_message(info))

    async def List(self, request: pb.ListRequest, context: Context) -> pb.ListResponse:  # noqa: N802
        """Tell how campaigns stand."""
        call = self._controller.list
        return convert.page_message(await self._calls.answer(context, call, request.page_size, request.page_token))

    async def Watch(self, request: pb.WatchRequest, context: Context) -> AsyncIterator[pb.WatchResponse]:  # noqa: N802
        """Send events as they come."""
        watching = Watching(self._controller, self._calls.run, request.campaign, until_idle=request.until_idle)
        try:
            async with aclosing(watching.events(dict(request.after), self._closing)) as batches:
                async for events in batches:
                    yield pb.WatchResponse(events=events)
            if not self._closing.is_set():
                return
            raise UnavailableError("a controller that is watched must go on, but got one that is going down.")
        except Exception as error:
            refused = refusal(error)
        await context.abort(refused.code, refused.text, refused.metadata)

    async def Pause(self, request: pb.PauseRequest, context: Context) -> pb.PauseResponse:  # noqa: N802
        """Pause a campaign."""
        call = self._controller.pause
        info = await self._calls.answer(context, call, request.campaign, request.reason, request.request_id)
        return pb.PauseResponse(campaign=convert.campaign_message(info))

    async def Resume(self, request: pb.ResumeRequest, context: Context) -> pb.ResumeResponse:  # noqa: N802
        """Resume a campaign."""
        info = await self._calls.answer(context, self._controller.resume, request.campaign, request.request_id)
        return pb.ResumeResponse(campaign=convert.campaign_message(info))

    async def Cancel(self, request: pb.CancelRequest, context: Context) -> pb.CancelResponse:  # noqa: N802
        """Cancel a campaign."""
        call = self._controller.cancel
        info = await self._calls.answer(context, call, request.campaign, request.reason, request.request_id)
        return pb.CancelResponse(campaign=convert.campaign_message(info))

    async def Extend(self, request: pb.ExtendRequest, context: Context) -> pb.ExtendResponse:  # noqa: N802
        """Extend a campaign's budget."""
        call = self._controller.extend
        info = await self._calls.answer(context, call, request.campaign, request.amount, request.request_id)
        return pb.ExtendResponse(campaign=convert.campaign_message(info))

    async def Settle(self, request: pb.SettleRequest, context: Context) -> pb.SettleResponse:  # noqa: N802
        """Settle an attempt."""
        verdict = convert.verdict(request.verdict)
        args = (request.campaign, request.attempt, verdict, request.request_id)
        info = await self._calls.answer(context, self._controller.settle, *args)
        return pb.SettleResponse(campaign=convert.campaign_message(info))


class LabelingServicer(labeling_pb2_grpc.LabelingServiceServicer):
    """Labels from outside."""

    def __init__(self, leases: Leases, calls: Calls) -> None:
        self._leases, self._calls = leases, calls

    async def Describe(  # noqa: N802
        self, request: labeling_pb2.DescribeRequest, context: Context
    ) -> labeling_pb2.DescribeResponse:
        """Tell the form of samples and labels."""
        return convert.form_message(await self._calls.answer(context, self._leases.describe, request.campaign))

    async def ListLeased(  # noqa: N802
        self, request: labeling_pb2.ListLeasedRequest, context: Context
    ) -> labeling_pb2.AskResponse:
        """Tell which queries are leased."""
        leases = await self._calls.answer(context, self._leases.leased, request.campaign)
        return labeling_pb2.AskResponse(leases=map(convert.lease_message, leases))

    async def Ask(self, request: labeling_pb2.AskRequest, context: Context) -> labeling_pb2.AskResponse:  # noqa: N802
        """Lease queries."""
        args = (request.campaign, request.count, request.request_id)
        leases = await self._calls.answer(context, self._leases.ask, *args)
        return labeling_pb2.AskResponse(leases=map(convert.lease_message, leases))

    async def Renew(  # noqa: N802
        self, request: labeling_pb2.RenewRequest, context: Context
    ) -> labeling_pb2.RenewResponse:
        """Renew leases."""
        args = (request.campaign, request.attempts, request.request_id)
        return convert.renewed_message(await self._calls.answer(context, self._leases.renew, *args))

    async def Tell(self, request: labeling_pb2.TellRequest, context: Context) -> labeling_pb2.TellResponse:  # noqa: N802
        """Take a label."""
        args = (request.campaign, request.attempt, request.label, request.work_s, request.request_id)
        return convert.receipt_message(await self._calls.answer(context, self._leases.tell, *args))

    async def Decline(  # noqa: N802
        self, request: labeling_pb2.DeclineRequest, context: Context
    ) -> labeling_pb2.DeclineResponse:
        """End a lease."""
        args = (request.campaign, request.attempt, request.reason, request.others_may_try, request.request_id)
        await self._calls.answer(context, self._leases.decline, *args)
        return labeling_pb2.DeclineResponse()


class ModelServicer(models_pb2_grpc.ModelServiceServicer):
    """Trained models."""

    def __init__(self, models: Models, calls: Calls) -> None:
        self._models, self._calls = models, calls

    async def Predict(  # noqa: N802
        self, request: models_pb2.PredictRequest, context: Context
    ) -> models_pb2.PredictResponse:
        """Use a model."""
        call = self._models.predict
        digest, predictions = await self._calls.answer(context, call, request.campaign, request.samples)
        return models_pb2.PredictResponse(digest=digest, predictions=predictions)

    async def Download(  # noqa: N802
        self, request: models_pb2.DownloadRequest, context: Context
    ) -> AsyncIterator[models_pb2.DownloadResponse]:
        """Send a model in pieces."""
        card, content = await self._calls.answer(context, self._models.newest, request.campaign)
        yield models_pb2.DownloadResponse(card=convert.card_message(card))
        for start in range(0, len(content), limits.CHUNK_BYTES):
            yield models_pb2.DownloadResponse(chunk=content[start : start + limits.CHUNK_BYTES])
