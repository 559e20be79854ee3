"""Where servers of ours listen."""

from __future__ import annotations

import doctest
import socket

import pytest

from prefect_ledger import listener
from prefect_ledger.errors import InvalidValue


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("localhost", "localhost"), ("::1", "[::1]")]
)
def test_the_address_that_is_told_answers(host: str, shown: str) -> None:
    """Whatever is listened on: a program of this machine connects to it."""
    with listener.listening(host, 0) as one:
        one.listen()
        told = listener.address(host, one)
        name, _, port = told.removeprefix("http://").rpartition(":")
        assert name == shown
        socket.create_connection((name.strip("[]"), int(port)), timeout=5).close()


def test_what_cannot_be_listened_on_is_refused_in_words() -> None:
    """A port that is none, one that is taken, a name that is nobody's."""
    with pytest.raises(InvalidValue, match="from 0 to 65535"), listener.listening("127.0.0.1", 65_536):
        pass
    with listener.listening("127.0.0.1", 0) as one:
        one.listen()
        with pytest.raises(InvalidValue, match="give another --port"), listener.listening("127.0.0.1", one.getsockname()[1]):
            pass
    with pytest.raises(InvalidValue, match="cannot listen on"), listener.listening("nobody.invalid", 0):
        pass


def test_the_examples_are_true() -> None:
    """Those of the docstrings."""
    assert doctest.testmod(listener) == (0, 1)
