"""Labelers that run elsewhere behind a service that an administrator registered. A campaign says a name, never an
address.
"""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from dataeff_al.addresses import host_of, is_loopback
from dataeff_al.errors import RequestError
from dataeff_al.labeling.registered import Name, Registered
from dataeff_al.parts import Strict
from dataeff_al.registry import LabelerPlugin, Params
from dataeff_al.sentences import Finding, FindingsError

PathText = Annotated[str, Field(min_length=1, max_length=4096)]


class Service(Strict):
    """One service. ``address``: its ``host:port``. ``ca``: PEM file of the authority that vouches for it, needed unless
    it is on this machine. ``token_file``: a file whose first line is the token that lets us in. Relative files begin at
    the folder of the file in which the service is registered.
    """

    address: Annotated[str, Field(min_length=3, max_length=300)]
    ca: PathText | None = None
    token_file: PathText | None = None

    @model_validator(mode="after")
    def _safe(self) -> "Service":
        try:
            host = host_of(self.address)
        except RequestError as error:
            raise FindingsError([Finding(("address",), str(error).rstrip("."))]) from None
        if not is_loopback(host) and self.ca is None:
            raise FindingsError([Finding(("ca",), "must be given for a service on another machine, which speaks TLS")])
        return self

    def placed(self, folder: Path) -> "Service":
        """The service with its files under ``folder`` unless they are absolute."""
        return self.model_copy(update={name: _under(folder, getattr(self, name)) for name in ("ca", "token_file")})


def _under(folder: Path, path: str | None) -> str | None:
    return None if path is None else str(folder / path)


SERVICES: Registered[Service] = Registered("service")


class RemoteParams(Params):
    """Parameters of ``remote``: the name of a registered ``service``.

    ``max_cost``: the most that one answer may cost, in the budget's unit; a service that may cost more is refused.
    ``work_s``: a guess of the work on one, for the forecast alone. ``synthesised``: whether invented samples may be
    sent, which the service must accept.
    """

    service: Name
    max_cost: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    work_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    synthesised: bool = False


REMOTE = LabelerPlugin(
    kind="labelers",
    name="remote",
    summary="A labeler behind a service that the administrator registered, in any language (gRPC).",
    params=RemoteParams,
    build="dataeff_al.rpc.remote_labeler:RemoteLabeler",
    offers=lambda params: frozenset({"synthesised"} if params.synthesised else ()),
    seconds=lambda params: params.work_s,
    max_cost=lambda params: params.max_cost,
    obstacles=lambda params: SERVICES.unregistered(params.service),
)
