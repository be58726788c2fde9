"""What went wrong, as one sentence on stderr and an exit code: 2 usage or invalid spec, 1 anything else."""

import os
import sys
import traceback

import typer

from dataeff_al.errors import CapabilityError, DataeffError, SpecError, UnknownNameError

USAGE = 2
FAILED = 1
_ASKED_WRONGLY = (SpecError, UnknownNameError, CapabilityError)


def exit_code_of(error: BaseException, debug: bool) -> int:
    """Say what happened and return the exit code. ``SystemExit`` and the like keep their own code."""
    # The command-line library turns a broken pipe into an exit of its own, which keeps it as its context.
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        return _reader_left()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if debug:
        traceback.print_exception(error)
    else:
        sys.stderr.write(f"{sentence(error)}\n")
    usage = isinstance(error, _ASKED_WRONGLY) or _is_usage(error)
    return USAGE if usage else FAILED


def sentence(error: BaseException) -> str:
    """The error for people."""
    if isinstance(error, DataeffError):
        return f"Error: {error}" if "\n" not in str(error) else f"Errors:\n{error}"
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "Interrupted."
    if _is_usage(error):
        return f"Error: {_usage_text(error)} Try 'dataeff-al --help'."
    if isinstance(error, OSError):
        name = f" {error.filename!r}" if error.filename else ""
        return f"Error: the file{name} must be usable, but got {error.strerror or error!r}."
    return f"Error: an unexpected {type(error).__name__} ({error}); --debug shows where."


def _is_usage(error: BaseException) -> bool:
    """Whether the command line itself was wrong; typer raises this from its own copy of click or from click."""
    return hasattr(error, "format_message")


def _usage_text(error: BaseException) -> str:
    text: str = getattr(error, "format_message")()  # noqa: B009 - no public class of typer declares it
    return text


def _reader_left() -> int:
    """``dataeff-al schema | head``: nobody reads on, which is no error; keep Python from complaining at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
