import grpc
import pytest

from dataeff_al import errors
from dataeff_al.errors import (
    CapabilityError,
    ConflictError,
    DataeffError,
    NotFoundError,
    Problem,
    RequestError,
    SpecError,
    UnavailableError,
    UnknownNameError,
)
from dataeff_al.rpc.failures import left_out, raised
from dataeff_al.rpc.limits import MAX_ERROR_BYTES
from services.rpc.status import refusal

LEAVES = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, DataeffError) and kind not in (SpecError, UnknownNameError)
]


class Failed(grpc.RpcError):
    """A failed call as gRPC gives it to a client."""

    def __init__(self, code, text="", metadata=()):
        self._code, self._text, self._metadata = code, text, metadata

    def code(self):
        return self._code

    def details(self):
        return self._text

    def trailing_metadata(self):
        return self._metadata


def travelled(error):
    """The error as a client gets it from a server that refused with it."""
    refused = refusal(error)
    return raised(Failed(refused.code, refused.text, refused.metadata), "there")


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_itself(kind):
    found = travelled(kind("a thing must hold, but got 'ä'."))
    assert type(found) is kind
    assert str(found) == "a thing must hold, but got 'ä'."


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_no_error_of_ours_is_unknown_or_internal(kind):
    assert refusal(kind("x")).code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL, grpc.StatusCode.OK)


def test_a_spec_error_comes_back_with_its_problems():
    problems = [Problem("pool.kind", 3, "must be given."), Problem("", 0, "must be text.")]
    found = travelled(SpecError(problems))
    assert isinstance(found, SpecError)
    assert list(found.problems) == problems


def test_problems_that_do_not_fit_are_counted():
    refused = refusal(SpecError([Problem(f"a{n}", n, "must be given. " * 5) for n in range(200)]))
    assert len(refused.metadata[0][1]) <= MAX_ERROR_BYTES + 200
    assert left_out(Failed(refused.code, refused.text, refused.metadata)) > 0


def test_an_unknown_name_comes_back_with_its_nearest():
    found = travelled(UnknownNameError("sampler", "rando", ["random", "snn"], "random"))
    assert isinstance(found, UnknownNameError)
    assert (found.kind, found.name, found.known, found.nearest) == ("sampler", "rando", ("random", "snn"), "random")


def test_a_subclass_from_elsewhere_comes_back_as_what_it_is():
    class SpecialError(CapabilityError):
        pass

    assert type(travelled(SpecialError("no."))) is CapabilityError


def test_what_nobody_foresaw_is_internal_and_tells_nothing(caplog):
    refused = refusal(ZeroDivisionError("secret path /etc"))
    assert refused.code is grpc.StatusCode.INTERNAL
    assert "secret" not in refused.text
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAVAILABLE, UnavailableError),
        (grpc.StatusCode.DEADLINE_EXCEEDED, UnavailableError),
        (grpc.StatusCode.UNIMPLEMENTED, RequestError),
        (grpc.StatusCode.NOT_FOUND, NotFoundError),
        (grpc.StatusCode.ALREADY_EXISTS, ConflictError),
        (grpc.StatusCode.UNKNOWN, DataeffError),
    ],
)
def test_a_status_without_details_still_becomes_one_of_our_errors(code, kind):
    found = raised(Failed(code, "first line\nsecond line"), "there:1")
    assert type(found) is kind
    assert "\n" not in str(found)
    assert "there:1" in str(found)


@pytest.mark.parametrize("value", ["", "{", "[]", "null", "3", '{"error": "SpecError", "problems": [3]}'])
def test_details_that_are_nonsense_are_passed_over(value):
    found = raised(Failed(grpc.StatusCode.NOT_FOUND, "gone", (("dataeff-error", value),)), "there")
    assert isinstance(found, NotFoundError)
