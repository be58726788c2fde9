from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PredictRequest(_message.Message):
    __slots__ = ("campaign", "samples")
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    samples: bytes
    def __init__(self, campaign: _Optional[str] = ..., samples: _Optional[bytes] = ...) -> None: ...

class PredictResponse(_message.Message):
    __slots__ = ("digest", "predictions")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    PREDICTIONS_FIELD_NUMBER: _ClassVar[int]
    digest: str
    predictions: bytes
    def __init__(self, digest: _Optional[str] = ..., predictions: _Optional[bytes] = ...) -> None: ...

class DownloadRequest(_message.Message):
    __slots__ = ("campaign",)
    CAMPAIGN_FIELD_NUMBER: _ClassVar[int]
    campaign: str
    def __init__(self, campaign: _Optional[str] = ...) -> None: ...

class ModelCard(_message.Message):
    __slots__ = ("digest", "size", "card")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    CARD_FIELD_NUMBER: _ClassVar[int]
    digest: str
    size: int
    card: str
    def __init__(self, digest: _Optional[str] = ..., size: _Optional[int] = ..., card: _Optional[str] = ...) -> None: ...

class DownloadResponse(_message.Message):
    __slots__ = ("card", "chunk")
    CARD_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    card: ModelCard
    chunk: bytes
    def __init__(self, card: _Optional[_Union[ModelCard, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...
