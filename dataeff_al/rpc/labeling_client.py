"""Labels from outside: lease queries, bring labels back."""

from collections.abc import Sequence
from functools import cached_property

from dataeff_al.labeling.packing import pack_outcome
from dataeff_al.labeling.types import Label
from dataeff_al.rpc import convert
from dataeff_al.rpc.channel import Connection, new_request_id
from dataeff_al.rpc.types import Form, Lease, Receipt, Renewed
from dataeff_al.rpc.v1 import labeling_pb2 as pb
from dataeff_al.rpc.v1.labeling_pb2_grpc import LabelingServiceStub


class LabelingCalls:
    """What a client can do for a campaign whose labeler is ``external``.

    Example::

        for lease in client.ask("ward", 10):
            answer = look_at(lease.request.sample.fields["x"])
            client.tell(lease, Label({"label": np.int64(answer)}))
    """

    _connection: Connection

    @cached_property
    def _labeling(self) -> LabelingServiceStub:
        return LabelingServiceStub(self._connection.channel)

    def describe(self, campaign: str) -> Form:
        """What is shown to those who answer, and what an answer must look like. Raises StateError as :meth:`ask`."""
        return convert.form(self._connection.call(self._labeling.Describe, pb.DescribeRequest(campaign=campaign)))

    def list_leased(self, campaign: str) -> list[Lease]:
        """Leases without an answer yet, whoever holds them; as many as fit into one message."""
        request = pb.ListLeasedRequest(campaign=campaign)
        return [convert.lease(each) for each in self._connection.call(self._labeling.ListLeased, request).leases]

    def ask(self, campaign: str, count: int, *, request_id: str = "") -> list[Lease]:
        """Lease up to ``count`` queries. Raises StateError when the labeler is not one that is asked."""
        request = pb.AskRequest(request_id=request_id or new_request_id(), campaign=campaign, count=count)
        return [convert.lease(each) for each in self._connection.call(self._labeling.Ask, request).leases]

    def renew(self, campaign: str, attempts: Sequence[str], *, request_id: str = "") -> Renewed:
        """Move the deadline of leases on."""
        request = pb.RenewRequest(request_id=request_id or new_request_id(), campaign=campaign, attempts=attempts)
        return convert.renewed(self._connection.call(self._labeling.Renew, request))

    def tell(self, lease: Lease, label: Label, *, request_id: str = "") -> Receipt:
        """Bring a label. Raises DataError when it has another form, ConflictError when it was told otherwise before."""
        request = pb.TellRequest(
            request_id=request_id or new_request_id(),
            campaign=lease.campaign,
            attempt=lease.attempt,
            label=pack_outcome(label),
            work_s=label.times.work_s,
        )
        return convert.receipt(self._connection.call(self._labeling.Tell, request))

    def decline(self, lease: Lease, reason: str, *, others_may_try: bool = False, request_id: str = "") -> None:
        """Give a query back without a label."""
        request = pb.DeclineRequest(
            request_id=request_id or new_request_id(),
            campaign=lease.campaign,
            attempt=lease.attempt,
            reason=reason,
            others_may_try=others_may_try,
        )
        self._connection.call(self._labeling.Decline, request)
