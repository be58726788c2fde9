from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Booking(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BOOKING_UNSPECIFIED: _ClassVar[Booking]
    BOOKING_POSTED: _ClassVar[Booking]
    BOOKING_EXTRA: _ClassVar[Booking]
BOOKING_UNSPECIFIED: Booking
BOOKING_POSTED: Booking
BOOKING_EXTRA: Booking

class DescribeRequest(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    def __init__(self, campaign: _Optional[str] = ...) -> None: ...

class DescribeResponse(_message.Message):
    __slots__ = ("samples", "target", "instructions", "cost")
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    samples: str
    target: str
    instructions: str
    cost: int
    def __init__(self, samples: _Optional[str] = ..., target: _Optional[str] = ..., instructions: _Optional[str] = ..., cost: _Optional[int] = ...) -> None: ...

class ListLeasedRequest(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    def __init__(self, campaign: _Optional[str] = ...) -> None: ...

class AskRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "count")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    count: int
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("attempt", "campaign", "query", "deadline", "request")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    attempt: str
    campaign: str
    query: str
    deadline: float
    request: bytes
    def __init__(self, attempt: _Optional[str] = ..., campaign: _Optional[str] = ..., query: _Optional[str] = ..., deadline: _Optional[float] = ..., request: _Optional[bytes] = ...) -> None: ...

class AskResponse(_message.Message):
    __slots__ = ("leases",)
    LEASES_FIELD_NUMBER: _ClassVar[int]
    leases: _containers.RepeatedCompositeFieldContainer[Lease]
    def __init__(self, leases: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ...) -> None: ...

class RenewRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "attempts")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    attempts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., attempts: _Optional[_Iterable[str]] = ...) -> None: ...

class RenewResponse(_message.Message):
    __slots__ = ("deadline", "renewed")
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    RENEWED_FIELD_NUMBER: _ClassVar[int]
    deadline: float
    renewed: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, deadline: _Optional[float] = ..., renewed: _Optional[_Iterable[str]] = ...) -> None: ...

class TellRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "attempt", "label", "work_s")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    WORK_S_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    attempt: str
    label: bytes
    work_s: float
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., attempt: _Optional[str] = ..., label: _Optional[bytes] = ..., work_s: _Optional[float] = ...) -> None: ...

class TellResponse(_message.Message):
    __slots__ = ("booking", "label", "repeated")
    BOOKING_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    booking: Booking
    label: str
    repeated: bool
    def __init__(self, booking: _Optional[_Union[Booking, str]] = ..., label: _Optional[str] = ..., repeated: _Optional[bool] = ...) -> None: ...

class DeclineRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "attempt", "reason", "others_may_try")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OTHERS_MAY_TRY_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    attempt: str
    reason: str
    others_may_try: bool
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., attempt: _Optional[str] = ..., reason: _Optional[str] = ..., others_may_try: _Optional[bool] = ...) -> None: ...

class DeclineResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
