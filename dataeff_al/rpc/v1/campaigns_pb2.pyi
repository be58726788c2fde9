from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_RUNNING: _ClassVar[Status]
    STATUS_PAUSED: _ClassVar[Status]
    STATUS_CANCELLING: _ClassVar[Status]
    STATUS_CANCELLED: _ClassVar[Status]
    STATUS_FINISHED: _ClassVar[Status]

class Activity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTIVITY_UNSPECIFIED: _ClassVar[Activity]
    ACTIVITY_QUEUED: _ClassVar[Activity]
    ACTIVITY_DRIVEN: _ClassVar[Activity]
    ACTIVITY_IDLE: _ClassVar[Activity]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_LOST: _ClassVar[Verdict]
    VERDICT_WASTED: _ClassVar[Verdict]
STATUS_UNSPECIFIED: Status
STATUS_RUNNING: Status
STATUS_PAUSED: Status
STATUS_CANCELLING: Status
STATUS_CANCELLED: Status
STATUS_FINISHED: Status
ACTIVITY_UNSPECIFIED: Activity
ACTIVITY_QUEUED: Activity
ACTIVITY_DRIVEN: Activity
ACTIVITY_IDLE: Activity
VERDICT_UNSPECIFIED: Verdict
VERDICT_LOST: Verdict
VERDICT_WASTED: Verdict

class Account(_message.Message):
    __slots__ = ("total", "reserved", "spent", "wasted")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    RESERVED_FIELD_NUMBER: _ClassVar[int]
    SPENT_FIELD_NUMBER: _ClassVar[int]
    WASTED_FIELD_NUMBER: _ClassVar[int]
    total: int
    reserved: int
    spent: int
    wasted: int
    def __init__(self, total: _Optional[int] = ..., reserved: _Optional[int] = ..., spent: _Optional[int] = ..., wasted: _Optional[int] = ...) -> None: ...

class UnknownAttempt(_message.Message):
    __slots__ = ("attempt", "query", "purpose", "payload", "reason")
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    attempt: str
    query: str
    purpose: str
    payload: str
    reason: str
    def __init__(self, attempt: _Optional[str] = ..., query: _Optional[str] = ..., purpose: _Optional[str] = ..., payload: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Campaign(_message.Message):
    __slots__ = ("id", "name", "parent", "status", "activity", "reason", "outcome", "problem", "events", "created_at", "round", "labels", "unit", "queries", "evaluation", "extra", "metric", "target", "validation", "reached", "members", "unknown", "spec_yaml")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACTIVITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    QUERIES_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_FIELD_NUMBER: _ClassVar[int]
    EXTRA_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    MEMBERS_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    SPEC_YAML_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    parent: str
    status: Status
    activity: Activity
    reason: str
    outcome: str
    problem: str
    events: int
    created_at: float
    round: int
    labels: int
    unit: str
    queries: Account
    evaluation: Account
    extra: int
    metric: str
    target: float
    validation: float
    reached: bool
    members: _containers.RepeatedScalarFieldContainer[str]
    unknown: _containers.RepeatedCompositeFieldContainer[UnknownAttempt]
    spec_yaml: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., parent: _Optional[str] = ..., status: _Optional[_Union[Status, str]] = ..., activity: _Optional[_Union[Activity, str]] = ..., reason: _Optional[str] = ..., outcome: _Optional[str] = ..., problem: _Optional[str] = ..., events: _Optional[int] = ..., created_at: _Optional[float] = ..., round: _Optional[int] = ..., labels: _Optional[int] = ..., unit: _Optional[str] = ..., queries: _Optional[_Union[Account, _Mapping]] = ..., evaluation: _Optional[_Union[Account, _Mapping]] = ..., extra: _Optional[int] = ..., metric: _Optional[str] = ..., target: _Optional[float] = ..., validation: _Optional[float] = ..., reached: _Optional[bool] = ..., members: _Optional[_Iterable[str]] = ..., unknown: _Optional[_Iterable[_Union[UnknownAttempt, _Mapping]]] = ..., spec_yaml: _Optional[str] = ...) -> None: ...

class Problem(_message.Message):
    __slots__ = ("path", "line", "message")
    PATH_FIELD_NUMBER: _ClassVar[int]
    LINE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    path: str
    line: int
    message: str
    def __init__(self, path: _Optional[str] = ..., line: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class ValidateRequest(_message.Message):
    __slots__ = ("yaml", "settings")
    YAML_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    yaml: str
    settings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, yaml: _Optional[str] = ..., settings: _Optional[_Iterable[str]] = ...) -> None: ...

class ValidateResponse(_message.Message):
    __slots__ = ("problems", "name")
    PROBLEMS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    problems: _containers.RepeatedCompositeFieldContainer[Problem]
    name: str
    def __init__(self, problems: _Optional[_Iterable[_Union[Problem, _Mapping]]] = ..., name: _Optional[str] = ...) -> None: ...

class CreateRequest(_message.Message):
    __slots__ = ("request_id", "yaml", "settings")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    YAML_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    yaml: str
    settings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, request_id: _Optional[str] = ..., yaml: _Optional[str] = ..., settings: _Optional[_Iterable[str]] = ...) -> None: ...

class CreateResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class GetRequest(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    def __init__(self, campaign: _Optional[str] = ...) -> None: ...

class GetResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class ListRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListResponse(_message.Message):
    __slots__ = ("campaigns", "next_page_token")
    CAMPAIGNS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    campaigns: _containers.RepeatedCompositeFieldContainer[Campaign]
    next_page_token: str
    def __init__(self, campaigns: _Optional[_Iterable[_Union[Campaign, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ("campaign", "after", "until_idle")
    class AfterEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    UNTIL_IDLE_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    after: _containers.ScalarMap[str, int]
    until_idle: bool
    def __init__(self, campaign: _Optional[str] = ..., after: _Optional[_Mapping[str, int]] = ..., until_idle: _Optional[bool] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("campaign", "n", "at", "kind", "body")
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    N_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    n: int
    at: float
    kind: str
    body: str
    def __init__(self, campaign: _Optional[str] = ..., n: _Optional[int] = ..., at: _Optional[float] = ..., kind: _Optional[str] = ..., body: _Optional[str] = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[Event]
    def __init__(self, events: _Optional[_Iterable[_Union[Event, _Mapping]]] = ...) -> None: ...

class PauseRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class PauseResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class ResumeRequest(_message.Message):
    __slots__ = ("request_id", "campaign")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ...) -> None: ...

class ResumeResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class CancelRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "reason")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    reason: str
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class CancelResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class ExtendRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "amount")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    amount: int
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., amount: _Optional[int] = ...) -> None: ...

class ExtendResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("request_id", "campaign", "attempt", "verdict")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    campaign: str
    attempt: str
    verdict: Verdict
    def __init__(self, request_id: _Optional[str] = ..., campaign: _Optional[str] = ..., attempt: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ...) -> None: ...

class SettleResponse(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: Campaign
    def __init__(self, campaign: _Optional[_Union[Campaign, _Mapping]] = ...) -> None: ...
