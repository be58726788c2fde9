"""Campaign text to plain data with line numbers: a small, strict part of YAML and nothing else.

Read: mappings with text keys, lists, and scalars of YAML 1.2's core schema. Refused: aliases, anchors, tags,
directives, several documents, duplicate keys, more than 256 KB, 20 levels or 10,000 values. Without the surprises of
YAML 1.1: ``no``, ``yes``, ``on``, ``1:30`` and ``2024-01-02`` are text, ``1e-3`` is a number; what readers disagree
about (``012``, ``0x1F``) and what is not finite (``.nan``, ``1e999``) is refused.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from dataeff_al.errors import Problem, SpecError
from dataeff_al.sentences import MAX_FINDINGS, Finding, Loc, path_text, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_VALUES = 10_000
MAX_KEY = 128
MAX_DIGITS = 64

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_DISPUTED = re.compile(r"[-+]?0[0-9_]+|0[xXoObB][0-9a-fA-F_]+")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(frozen=True)
class Source:
    """Plain data with the line of every key and list item, and the places that ``--set`` changed.

    ``findings`` are broken rules that did not stop the reading (a duplicate key, a disputed number).
    """

    data: Any
    lines: Mapping[Loc, int]
    findings: tuple[Finding, ...] = ()
    overridden: frozenset[Loc] = frozenset()
    name: str = ""

    def line(self, loc: Loc) -> int:
        """Line of the longest known beginning of ``loc``, counted from 1."""
        return next((self.lines[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in self.lines), 0)

    def problem(self, finding: Finding) -> Problem:
        """The finding with its place: path and line, or ``--set`` where the command line put the value."""
        loc = finding.loc
        if any(loc[:n] in self.overridden for n in range(1, len(loc) + 1)):
            return Problem(f"--set {path_text(loc)}", 0, finding.message)
        return Problem(path_text(loc), self.line(loc), finding.message)


def read(text: str, name: str = "") -> Source:
    """Read one document. Raises :class:`~dataeff_al.errors.SpecError` with the line when the text is not readable."""
    if len(text) > MAX_BYTES or len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise SpecError([Problem("", 0, f"a campaign must be at most {MAX_BYTES // 1024} KB of text.")], name)
    builder = _Builder()
    try:
        data = builder.document(yaml.parse(text, Loader=_Loader))
    except _RefusedError as error:
        raise SpecError([Problem(path_text(error.loc), error.line, str(error))], name) from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise SpecError([_syntax_problem(error)], name) from None
    return Source(data, builder.lines, tuple(builder.findings), name=name)


def _syntax_problem(error: Exception) -> Problem:
    mark: Any = getattr(error, "problem_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable text"
    return Problem("", mark.line + 1 if mark else 0, f"a campaign must be valid YAML, but {said}.")


def _line(event: Any) -> int:
    line: int = event.start_mark.line
    return line + 1


class _RefusedError(Exception):
    """Stops the reading at a place."""

    def __init__(self, message: str, event: Any, loc: Loc) -> None:
        super().__init__(message)
        self.line: int = _line(event)
        self.loc = loc


@dataclass
class _Builder:
    """Builds data from parser events, one document, never deeper than allowed."""

    lines: dict[Loc, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    values: int = 0

    def document(self, events: Iterator[Any]) -> Any:
        data: Any = None
        seen = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1 or event.tags or event.version:
                    raise _RefusedError("a campaign must be one YAML document without directives.", event, ())
            elif isinstance(event, yaml.NodeEvent):
                self.lines[()] = _line(event)
                data = self._node(event, events, ())
        return data

    def _node(self, event: Any, events: Iterator[Any], loc: Loc) -> Any:
        self._check(event, loc)
        self.values += 1
        if self.values > MAX_VALUES:
            raise _RefusedError(f"a campaign must hold at most {MAX_VALUES:,} values.", event, ())
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, loc)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, loc)
        return self._scalar(event, loc)

    @staticmethod
    def _check(event: Any, loc: Loc) -> None:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _RefusedError(f"aliases and anchors are not allowed, but got {shown(event.anchor)}.", event, loc)
        if getattr(event, "tag", None) is not None:
            raise _RefusedError(f"tags are not allowed, but got {shown(event.tag)}.", event, loc)
        if len(loc) > MAX_DEPTH:
            raise _RefusedError(f"a campaign must be at most {MAX_DEPTH} levels deep.", event, ())

    def _mapping(self, events: Iterator[Any], loc: Loc) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event, loc)
            place = (*loc, key)
            if key in data:
                self._find(place, f"a key must be given once, but got it again in line {_line(event)}")
            self.lines.setdefault(place, _line(event))
            data.setdefault(key, self._node(next(events), events, place))
        return data

    def _key(self, event: Any, loc: Loc) -> str:
        self._check(event, loc)
        if not isinstance(event, yaml.ScalarEvent) or not event.value or len(event.value) > MAX_KEY:
            raise _RefusedError(f"a key must be text of 1 to {MAX_KEY} characters.", event, loc)
        return str(event.value)

    def _sequence(self, events: Iterator[Any], loc: Loc) -> list[Any]:
        data: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            place = (*loc, len(data))
            self.lines[place] = _line(event)
            data.append(self._node(event, events, place))
        return data

    def _scalar(self, event: Any, loc: Loc) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _DISPUTED.fullmatch(text):
            self._find(loc, "a number must be decimal without leading zeros, and text like one in quotes", text)
        elif _INT.fullmatch(text) or _FLOAT.fullmatch(text) or _NOT_FINITE.fullmatch(text):
            return self._number(text, loc)
        return text

    def _number(self, text: str, loc: Loc) -> Any:
        if _NOT_FINITE.fullmatch(text) or len(text) > MAX_DIGITS or not math.isfinite(float(text)):
            self._find(loc, f"a number must be finite and of at most {MAX_DIGITS} characters", text)
            return text
        if not _INT.fullmatch(text):
            return float(text)
        if not -(2**63) <= int(text) < 2**63:
            self._find(loc, "a whole number must fit in 64 bits", text)
            return text
        return int(text)

    def _find(self, loc: Loc, must: str, got: str | None = None) -> None:
        finding = Finding(loc, must, None if got is None else shown(got))
        if len(self.findings) < MAX_FINDINGS and all(known.loc != loc for known in self.findings):
            self.findings.append(finding)
