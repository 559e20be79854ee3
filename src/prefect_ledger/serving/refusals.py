"""Floor 5. Answers that are no predictions: a status, a code that programs know, and a sentence for people."""

from __future__ import annotations

from http import HTTPStatus


class Refused(Exception):
    """A request is not answered; ``code`` is one of MLflow's error codes."""

    def __init__(self, message: str, *, status: int = HTTPStatus.BAD_REQUEST, code: str = "BAD_REQUEST") -> None:
        super().__init__(message)
        self.message, self.status, self.code = message, int(status), code


def too_large(limit: int) -> Refused:
    """More bytes than a body may have."""
    return Refused(f"the body has more than {limit:,} bytes", status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="REQUEST_LIMIT_EXCEEDED")


def too_busy(waiting: int) -> Refused:
    """More requests are waiting than are taken."""
    return _later(f"{waiting} requests are waiting already: try again in a second")


def too_full(limit: int) -> Refused:
    """More bytes are being received, or wait for an answer, than are held at once."""
    return _later(f"the bodies of all requests together have more than {limit:,} bytes: try again in a second")


def too_many(limit: int) -> Refused:
    """More connections are open than are kept."""
    return _later(f"{limit:,} connections are open in this process: try again in a second")


def stuck(seconds: float) -> Refused:
    """The model works on something for longer than anybody waits."""
    return _later(f"the model has been busy with one thing for more than {seconds:g} seconds: start the server anew if it stays so")


def _later(message: str) -> Refused:
    return Refused(message, status=HTTPStatus.SERVICE_UNAVAILABLE, code="RESOURCE_EXHAUSTED")


def too_late(seconds: float) -> Refused:
    """The model took too long."""
    return Refused(f"the model did not answer within {seconds:g} seconds", status=HTTPStatus.GATEWAY_TIMEOUT, code="DEADLINE_EXCEEDED")


def broken(reference: str) -> Refused:
    """The model raised something."""
    return Refused(
        f"the model failed on this input; the log says more under {reference}",
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code="INTERNAL_ERROR",
    )
