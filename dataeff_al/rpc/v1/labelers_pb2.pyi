from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Effect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EFFECT_UNSPECIFIED: _ClassVar[Effect]
    EFFECT_PURE: _ClassVar[Effect]
    EFFECT_QUERYABLE: _ClassVar[Effect]

class AttemptState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTEMPT_STATE_UNSPECIFIED: _ClassVar[AttemptState]
    ATTEMPT_STATE_RUNNING: _ClassVar[AttemptState]
    ATTEMPT_STATE_DONE: _ClassVar[AttemptState]
    ATTEMPT_STATE_UNKNOWN: _ClassVar[AttemptState]
    ATTEMPT_STATE_LOST: _ClassVar[AttemptState]
EFFECT_UNSPECIFIED: Effect
EFFECT_PURE: Effect
EFFECT_QUERYABLE: Effect
ATTEMPT_STATE_UNSPECIFIED: AttemptState
ATTEMPT_STATE_RUNNING: AttemptState
ATTEMPT_STATE_DONE: AttemptState
ATTEMPT_STATE_UNKNOWN: AttemptState
ATTEMPT_STATE_LOST: AttemptState

class DescribeLabelerRequest(_message.Message):
    __slots__ = ("samples",)
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    samples: str
    def __init__(self, samples: _Optional[str] = ...) -> None: ...

class DescribeLabelerResponse(_message.Message):
    __slots__ = ("name", "version", "target", "effect", "deterministic", "cost", "max_cost", "batch", "timeout_s", "accepts_synthesised", "fidelities")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    DETERMINISTIC_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_S_FIELD_NUMBER: _ClassVar[int]
    ACCEPTS_SYNTHESISED_FIELD_NUMBER: _ClassVar[int]
    FIDELITIES_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    target: str
    effect: Effect
    deterministic: bool
    cost: int
    max_cost: int
    batch: int
    timeout_s: float
    accepts_synthesised: bool
    fidelities: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., target: _Optional[str] = ..., effect: _Optional[_Union[Effect, str]] = ..., deterministic: _Optional[bool] = ..., cost: _Optional[int] = ..., max_cost: _Optional[int] = ..., batch: _Optional[int] = ..., timeout_s: _Optional[float] = ..., accepts_synthesised: _Optional[bool] = ..., fidelities: _Optional[_Iterable[str]] = ...) -> None: ...

class AttemptRequest(_message.Message):
    __slots__ = ("attempt", "request")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    attempt: str
    request: bytes
    def __init__(self, attempt: _Optional[str] = ..., request: _Optional[bytes] = ...) -> None: ...

class StartAttemptsRequest(_message.Message):
    __slots__ = ("request_id", "samples", "attempts")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    samples: str
    attempts: _containers.RepeatedCompositeFieldContainer[AttemptRequest]
    def __init__(self, request_id: _Optional[str] = ..., samples: _Optional[str] = ..., attempts: _Optional[_Iterable[_Union[AttemptRequest, _Mapping]]] = ...) -> None: ...

class StartAttemptsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PollAttemptsRequest(_message.Message):
    __slots__ = ("attempts", "wait_s")
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    WAIT_S_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedScalarFieldContainer[str]
    wait_s: float
    def __init__(self, attempts: _Optional[_Iterable[str]] = ..., wait_s: _Optional[float] = ...) -> None: ...

class AttemptProgress(_message.Message):
    __slots__ = ("attempt", "state", "outcome", "work_s", "reason")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    WORK_S_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    attempt: str
    state: AttemptState
    outcome: bytes
    work_s: float
    reason: str
    def __init__(self, attempt: _Optional[str] = ..., state: _Optional[_Union[AttemptState, str]] = ..., outcome: _Optional[bytes] = ..., work_s: _Optional[float] = ..., reason: _Optional[str] = ...) -> None: ...

class PollAttemptsResponse(_message.Message):
    __slots__ = ("attempts",)
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    attempts: _containers.RepeatedCompositeFieldContainer[AttemptProgress]
    def __init__(self, attempts: _Optional[_Iterable[_Union[AttemptProgress, _Mapping]]] = ...) -> None: ...

class AckAttemptsRequest(_message.Message):
    __slots__ = ("request_id", "attempts")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    attempts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., attempts: _Optional[_Iterable[str]] = ...) -> None: ...

class AckAttemptsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CancelAttemptsRequest(_message.Message):
    __slots__ = ("request_id", "attempts")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    attempts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., attempts: _Optional[_Iterable[str]] = ...) -> None: ...

class CancelAttemptsResponse(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
