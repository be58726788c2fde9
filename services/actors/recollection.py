"""What can be said of an attempt that nobody has in hand: the spool knows, or the labeler itself is asked."""

from dataeff_al.errors import UnavailableError
from dataeff_al.labeling.types import Done, Progress, Running, Unknown
from services.actors.duty import Duty
from services.actors.hired import Hired


def remembered(duty: Duty, attempt: str) -> Done | Unknown:
    """What the spool holds; a labeler that is free to call leaves nothing there."""
    if duty.spool is None:
        return Unknown(started=False)
    return duty.spool.outcome(attempt) or Unknown(started=duty.spool.was_started(attempt))


def looked_up(attempt: str, ready: Hired | None) -> Progress:
    """What a queryable labeler says of it. Without a replica that can say so now, it is asked again later: running is
    the answer that changes nothing."""
    try:
        return ready.look_up(attempt) if ready else Running()
    except UnavailableError:
        return Running()
