"""Events: what is said travels as JSON and comes out as it went in."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger import events
from prefect_ledger.errors import InvalidValue
from prefect_ledger.events import ArtifactLogged, DatasetLogged, Event, Noted, RunDescribed, RunStarted, TagsSet, clean, pack, unpack

KINDS: list[type[Any]] = [getattr(events, str(kind.__name__)) for kind in events.Event.__args__]


def _power(digits: int) -> int:
    """An integer of more digits than Python writes."""
    return int(-(10**digits))


whole = st.integers(-(2**63), 2**63 - 1)
fine_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
fine_json = st.recursive(
    st.none() | st.booleans() | whole | st.floats(allow_nan=False, allow_infinity=False) | fine_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fine_text, inner, max_size=3),
    max_leaves=8,
)
any_text = st.text(st.characters(codec=None), max_size=20)
any_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | any_text
    | st.sampled_from([b"x", {1, 2}])
    | st.integers(4_000, 5_000).map(_power),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(any_text | st.integers(), inner, max_size=3),
    max_leaves=8,
)


def built(kind: type[Any], text: st.SearchStrategy[str], json_value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Events of a kind, each field of its type."""
    of_type = {
        "str": text,
        "int": whole,
        "bool": st.booleans(),
        "Json": st.dictionaries(text, json_value, max_size=3),
        "str | None": st.none() | text,
        "int | None": st.none() | whole,
    }
    return st.builds(kind, **{f.name: of_type[str(f.type)] for f in dataclasses.fields(kind)})


@settings(max_examples=200)
@given(st.one_of([built(kind, fine_text, fine_json) for kind in KINDS]))
def test_what_is_packed_is_unpacked(event: Event) -> None:
    """Every event of text and numbers that JSON has words for comes back equal."""
    assert unpack(pack(event)) == event


@settings(max_examples=200)
@given(st.one_of([built(kind, any_text, any_json) for kind in KINDS]))
def test_whatever_is_said_is_kept_as_every_database_takes_it(event: Event) -> None:
    """NUL, lone surrogates, NaN, numbers of any length, other types: packed as valid UTF-8 JSON, the same when packed again."""
    packed = pack(event)
    assert b"\\u0000" not in packed
    json.loads(packed.decode(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    once = unpack(packed)
    assert type(once) is type(event)
    assert once is not None
    assert unpack(pack(once)) == once


def test_what_json_has_no_word_for_is_said_in_text() -> None:
    """NaN, infinities and integers beyond 64 bits become text; keys become text too."""
    facts = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 2**63, "e": 2**63 - 1, "f": 2**70, "g": {1: 2}}
    got = unpack(pack(RunDescribed(run="r", at=1, facts=facts)))
    assert isinstance(got, RunDescribed)
    expected = {"a": "NaN", "b": "Infinity", "c": "-Infinity", "d": hex(2**63), "e": 2**63 - 1, "f": hex(2**70), "g": {"1": 2}}
    assert got.facts == expected


@given(any_text)
def test_clean_text_is_text_without_nul_and_half_characters(text: str) -> None:
    """Cleaned text encodes, has no NUL, is the same when cleaned again, and only what was broken was changed."""
    cleaned = clean(text)
    assert "\0" not in cleaned.encode().decode()
    assert clean(cleaned) == cleaned
    if text.isascii() and "\0" not in text:
        assert cleaned == text


def test_what_a_newer_version_added_is_passed_over() -> None:
    """Fields that are not known are ignored, kinds that are not known come back as None."""
    packed = json.loads(pack(Noted(run="r", at=1, text="x")))
    assert unpack(json.dumps(packed | {"colour": "red"}).encode()) == Noted(run="r", at=1, text="x")
    assert unpack(json.dumps(packed | {"t": "from the future"}).encode()) is None


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff", b"null", b"[]", b"3", b'"note"', b"{}", b'{"t":"note"}', b'{"t":"note","run":"r","at":"1","text":"x"}']
    + [
        b'{"t":["note"]}',
        b'{"t":"note","run":5,"at":1,"text":"x"}',
        b'{"t":"tags","run":"r","at":1,"values":[1]}',
        b'{"t":"note","at":true}',
    ]
    + [b"[" * 100_000, b'{"t":"artifact","run":"r","at":1}'],
)
def test_what_is_no_event_is_none(data: bytes) -> None:
    """Bytes that are no event, or one with fields missing or of other types, are None and never an error."""
    assert unpack(data) is None


@pytest.mark.parametrize(
    ("event", "says"),
    [
        (Noted(run="r", at=1, text=5), r"Noted\.text is str, not int"),  # type: ignore[arg-type]
        (Noted(run="r", at=True, text="x"), r"Noted\.at is int, not bool"),
        (RunDescribed(run="r", at=1, facts=[1]), r"RunDescribed\.facts is dict, not list"),  # type: ignore[arg-type]
    ],
)
def test_what_could_not_be_read_back_is_not_written(event: Event, says: str) -> None:
    """An event with a field of another type is refused where it is said: readers would pass over it without a word."""
    with pytest.raises(InvalidValue, match=says):
        pack(event)


def test_texts_of_classes_of_somebodys_are_text() -> None:
    """A subclass of str is packed as the text it is."""

    class Text(str):
        __slots__ = ()

    assert unpack(pack(Noted(run=Text("r"), at=1, text=Text("é")))) == Noted(run="r", at=1, text="é")


def test_defaults_are_left_out() -> None:
    """What has its default takes no room in the journal."""
    assert json.loads(pack(RunStarted(run="r", at=5))) == {"t": "start", "run": "r", "at": 5}
    assert json.loads(pack(TagsSet(run="r", at=5))) == {"t": "tags", "run": "r", "at": 5}
    full = ArtifactLogged(run="r", at=1, attempt=1, path="p", uri="u", size=0, sha256="", kind="model", metadata={"a": 1})
    assert json.loads(pack(full))["metadata"] == {"a": 1}
    assert unpack(pack(DatasetLogged(run="r", at=1, attempt=1, name="d", digest="x", rows=0))).rows == 0  # type: ignore[union-attr]
