"""Requests: MLflow's formats are answered as MLflow answers them, and what is wrong is refused in a sentence, never by a traceback."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.cli import app as cli
from prefect_ledger.errors import InvalidValue
from prefect_ledger.serving import pages
from prefect_ledger.serving.answers import body
from prefect_ledger.serving.bodies import Asked, Reader
from prefect_ledger.serving.refusals import Refused
from tests.serving.asking import Answer, Client, Pause
from tests.serving.conftest import FRAME

Make = Callable[..., Client]
ROWS = [[1.0, 0.5], [2.0, 0.0], [3.0, 4.0]]
RECORDS: list[Any] = FRAME.to_dict("records")


def close(answer: Answer) -> None:
    assert answer.status == 200, answer.body
    assert [round(one, 6) for one in answer.json["predictions"]] == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": ["a", "b"], "data": ROWS}},
        {"dataframe_split": {"columns": ["b", "a"], "data": [row[::-1] for row in ROWS]}},
        {"dataframe_split": {"columns": ["a", "b", "c"], "index": [5, 6, 7], "data": [[*row, "x"] for row in ROWS]}},
        {"dataframe_records": RECORDS},
        {"instances": RECORDS},
        {"inputs": {"a": [1, 2, 3], "b": [0.5, 0, 4]}},
        {"inputs": RECORDS},
        {"inputs": ROWS},
    ],
)
def test_every_form_of_json_is_answered_alike(client: Make, columns_model: Path, body: Any) -> None:
    """Frames by rows or by columns, in any order of columns, with more than is needed; whole numbers stand for any."""
    close(client(columns_model).post(body))


def test_csv_and_parquet_are_answered_too(client: Make, columns_model: Path) -> None:
    """With their own content types, parameters of which do not matter."""
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    asked = client(columns_model)
    close(asked.post(FRAME.to_csv(index=False).encode(), "text/csv; charset=utf-8"))
    close(asked.post(buffer.getvalue(), "application/vnd.apache.parquet"))


def test_an_array_and_its_parameters(client: Make, array_model: Path) -> None:
    """Given or by default."""
    asked = client(array_model)
    assert asked.post({"inputs": [[1, 2]]}).json == {"predictions": [[2.0, 4.0]]}
    assert asked.post({"instances": [[1.0, 2.0], [3.0, 4.0]], "params": {"times": 3}}).json == {"predictions": [[3.0, 6.0], [9.0, 12.0]]}


def test_cells_that_are_lists_of_any_length_are_refused(client: Make, array_model: Path) -> None:
    """Rows whose cells hold lists make no array: that is said, and is no failure of the model."""
    refused = client(array_model).post({"dataframe_records": [{"": [], "0": [None]}]})
    assert refused.status == 400
    assert "float64 is wanted" in refused.json["message"]


def test_texts_and_times_come_as_json_has_them(client: Make, mixed_model: Path) -> None:
    """A time is ISO text, and the answer is text."""
    asked = client(mixed_model)
    row = {"name": "y", "count": 3, "at": "2027-05-01T00:00:00"}
    assert asked.post({"dataframe_records": [row]}).json == {"predictions": ["y 3 2027"]}
    refused = asked.post({"dataframe_records": [{**row, "count": 1.5}]})
    assert refused.status == 400
    assert "count" in refused.json["message"]


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"", "application/json", 400, "no JSON"),
        (b"{", "application/json", 400, "no JSON"),
        (b"[" * 100_000, "application/json", 400, "no JSON"),
        (b'{"inputs": NaN}', "application/json", 400, "no JSON"),
        (b"\xff\xfe", "application/json", 400, "no JSON"),
        ([1], "application/json", 400, "a JSON array"),
        ({}, "application/json", 400, "none of the fields"),
        ({"inputs": [1], "instances": [1]}, "application/json", 400, "instances and inputs"),
        ({"inputs": ROWS, "params": 3}, "application/json", 400, "params is a JSON number"),
        ({"inputs": ROWS, "params": {"x": 1}}, "application/json", 400, "does not know the parameter 'x'"),
        ({"dataframe_records": [{"a": 1.0}]}, "application/json", 400, "'b'"),
        ({"dataframe_records": [{"a": "x", "b": 1.0}]}, "application/json", 400, "'a'"),
        ({"dataframe_records": [{"a": 1.0, "b": 1.0}, {"a": None, "b": 1.0}]}, "application/json", 400, "row 1, column 'a' is missing"),
        ({"dataframe_records": 3}, "application/json", 400, "a list of objects"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "application/json", 400, "no frame"),
        ({"dataframe_split": []}, "application/json", 400, "dataframe_split is an object"),
        ({"inputs": [[1, 2], [3]]}, "application/json", 400, "different lengths"),
        ({"inputs": [[1, 2, 3]]}, "application/json", 400, "2 numbers"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "application/json", 400, "no frame"),
        ({"inputs": "x"}, "application/json", 400, ""),
        (b"", "text/csv", 400, "no CSV"),
        (b"a,b\n1", "text/csv", 400, "row 0, column 'b' is missing"),
        (b"\xff\xff", "text/csv", 400, "no CSV"),
        (b"x", "application/vnd.apache.parquet", 400, "no Parquet"),
        (b"x", "text/xml", 415, "'text/xml'"),
        (b"x", "", 415, "missing"),
    ],
)
def test_what_is_wrong_is_refused_in_a_sentence(
    client: Make, columns_model: Path, body: Any, content_type: str, status: int, words: str
) -> None:
    """With the status and code that programs know, and no traceback."""
    answer = client(columns_model).post(body, content_type)
    assert answer.status == status, answer.body
    assert set(answer.json) == {"error_code", "message"}
    assert words in answer.json["message"]
    assert "Traceback" not in answer.json["message"]


def test_a_model_that_fails_says_where_the_log_says_more(client: Make, array_model: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The answer has an id and nothing of the error; the log has both."""
    with caplog.at_level(logging.ERROR):
        answer = client(array_model).post({"inputs": [[13.0, 0.0]]})
    assert answer.status == 500
    reference = answer.json["message"].rpartition(" ")[2]
    assert "thirteen" not in answer.body.decode()
    assert any(reference in record.getMessage() and record.exc_info for record in caplog.records)


def test_a_bad_request_spoils_nobody_elses(client: Make, array_model: Path) -> None:
    """Of many that are asked together, those that can be answered are."""
    bodies = [{"inputs": [[float(number), 0.0]]} for number in (1, 2, 13, 4, 13, 6)]
    answers = client(array_model, rows=1000).posts(bodies)
    assert [one.status for one in answers] == [200, 200, 500, 200, 500, 200]
    assert [one.json["predictions"][0][0] for one in answers if one.status == 200] == [2.0, 4.0, 8.0, 12.0]


def test_what_waits_meanwhile_is_asked_together(client: Make, array_model: Path) -> None:
    """While the model works on one request, the others gather and are answered by one call, each its own rows."""
    asked = client(array_model, rows=1000)
    slow = [{"inputs": [[1100.0, 0.0]]}]
    answers = asked.posts(slow + [{"inputs": [[float(number), float(number)]] * (1 + number % 3)} for number in range(20, 40)])
    assert [one.json["predictions"] for one in answers[1:]] == [[[2.0 * number] * 2] * (1 + number % 3) for number in range(20, 40)]
    text = asked.get("/metrics").body.decode()
    calls = next(float(line.split()[1]) for line in text.splitlines() if line.startswith("prefect_ledger_batch_requests_count"))
    assert calls < 10


def test_a_python_model_is_asked_about_each_request_alone(client: Make, centring_model: Path) -> None:
    """Its answer to one who asks does not depend on who else asks, unless somebody said how many rows it may be asked about together."""
    bodies: list[Any] = [{"inputs": [[2000.0]]}, *({"inputs": [[float(number)], [number + 2.0]]} for number in range(20))]
    assert [one.json["predictions"] for one in client(centring_model).posts(bodies)] == [[[0.0]], *[[[-1.0], [1.0]]] * 20]
    assert [one.json["predictions"] for one in client(centring_model, rows=100).posts(bodies)][1:] != [[[-1.0], [1.0]]] * 20


def test_only_quick_models_of_frameworks_are_asked_where_the_connections_are(
    client: Make, centring_model: Path, columns_model: Path
) -> None:
    """A Python model may start a loop of its own, or wait, however quick it was before; a large request goes to a thread too."""
    asked = client(centring_model)
    assert {asked.post({"inputs": [[float(number)]]}).status for number in range(30)} == {200}
    assert asked.app.scorer.here(Asked(rows=np.ones((1, 1)))) is None
    asked = client(columns_model)
    asked.app.scorer._lately.extend([0.0] * 20)
    assert asked.app.scorer.here(Asked(rows=np.ones((1, 2)))) is not None
    assert asked.app.scorer.here(Asked(rows=np.ones((100, 2)))) is None
    close(asked.post({"inputs": ROWS}))


def test_what_is_too_much_is_refused(client: Make, array_model: Path) -> None:
    """A body beyond its limit, in one part or in many, and requests beyond the queue's, with when to come again."""
    asked = client(array_model, body=1000, waiting=2, seconds=0.6)
    big = json.dumps({"inputs": [[1.0] * 2] * 500}).encode()
    assert asked.post(big).status == 413
    parts = asyncio.run(asked.ask("POST", "/invocations", big, "application/json", parts=50))
    assert parts.status == 413
    answers = asked.posts([{"inputs": [[1100.0, 0.0]]}] * 8)
    assert {one.status for one in answers} <= {503, 504}
    refused = [one for one in answers if one.status == 503]
    assert refused
    assert all(one.headers["retry-after"] == "1" for one in refused)


def test_bodies_that_come_in_together_are_limited_too(client: Make, array_model: Path) -> None:
    """While one is being received, another that would make them too many is refused and told when to come again; a small one is not."""
    asked = client(array_model, body=400_000, bodies=300_000)
    big, small = (json.dumps({"inputs": [[1.0] * 2] * rows}).encode() for rows in (20_000, 2))

    async def together() -> list[Answer]:
        pause = Pause()
        first = asyncio.create_task(asked.ask("POST", "/invocations", big, "application/json", parts=5, pause=pause))
        await pause.reached.wait()
        others = [await asked.ask("POST", "/invocations", one, "application/json") for one in (big, small)]
        pause.over.set()
        return [await first, *others, await asked.ask("POST", "/invocations", big, "application/json")]

    first, second, little, last = asyncio.run(together())
    assert [first.status, second.status, little.status, last.status] == [200, 503, 200, 200]
    assert (second.headers["retry-after"], second.json["error_code"]) == ("1", "RESOURCE_EXHAUSTED")
    assert asked.app.held.size == 0


def test_a_model_that_takes_too_long_is_not_waited_for(client: Make, array_model: Path) -> None:
    """504 after the limit, and a ping says that the model hangs; afterwards others are answered again."""
    asked = client(array_model, seconds=0.2)
    assert asked.get("/ping").status == 200
    assert [asked.post({"inputs": [[2000.0, 0.0]]}).status for _ in range(2)] == [504, 504]
    hangs = asked.get("/ping")
    assert (hangs.status, hangs.headers["retry-after"]) == (503, "1")
    assert "more than 0.2 seconds" in hangs.json["message"]
    while asked.get("/ping").status != 200:
        threading.Event().wait(0.05)
    assert asked.post({"inputs": [[1.0, 0.0]]}).status == 200


def test_what_the_server_says_of_itself(client: Make, columns_model: Path) -> None:
    """Life, version, model, counters, a description and a page; other paths and methods are refused."""
    asked = client(columns_model)
    assert [asked.get(path).status for path in ("/ping", "/health", "/version", "/metadata", "/metrics", "/openapi.json", "/docs")] == [
        200
    ] * 7
    said = asked.get("/metadata").json
    assert [one["name"] for one in said["signature"]["inputs"]] == ["a", "b"]
    assert asked.get("/openapi.json").json["openapi"] == "3.1.0"
    assert "/comparison" not in asked.get("/openapi.json").json["paths"]
    page = asked.get("/docs")
    assert "<script" not in page.body.decode()
    assert "http://" not in page.body.decode().replace("http://127.0.0.1:8000", "")
    assert b"http://[::1]:8123/invocations" in pages.docs(asked.app.followed.current, ("::1", 8123))
    assert asked.get("/invocations").status == 405
    assert asked.post({}, path="/ping").status == 405
    assert asked.get("/nowhere").status == 404
    assert asked.get("/ping", "HEAD").body == b""


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3) | st.sampled_from(["a", "b", "data", "columns"]), inner)
    ),
    max_leaves=12,
)


@given(st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs"]), any_json)
@settings(max_examples=200, deadline=None)
def test_no_json_makes_the_reader_fail(form: str, value: Any) -> None:
    """Whatever is sent is read or refused."""
    from prefect_ledger.models.schema import Column, DataType, Schema, Signature, Tensor

    columns = Signature(Schema((Column("a", DataType.double), Column("b", DataType.double))))
    mixed = Signature(Schema((Column("a", DataType.string), Column("b", DataType.long))))
    arrays = Signature(Schema((Tensor("float64", (-1, 2)),)))
    for signature in (None, columns, mixed, arrays):
        try:
            Reader(signature).read(json.dumps({form: value}).encode(), "application/json")
        except Refused:
            continue


def test_frames_are_answered_as_records() -> None:
    """What a model answers as a frame, a series, an array of texts or a mapping is JSON."""
    assert json.loads(body(pd.DataFrame({"x": [1], "y": ["a"]}))) == {"predictions": [{"x": 1, "y": "a"}]}
    assert json.loads(body(pd.Series([1.5, float("nan")]))) == {"predictions": [1.5, None]}
    assert json.loads(body(np.array(["a", "b"]))) == {"predictions": ["a", "b"]}
    assert json.loads(body({"p": np.array([[1.0]]), "n": np.int64(3)})) == {"predictions": {"p": [[1.0]], "n": 3}}
    with pytest.raises(TypeError):
        body(object())


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (np.array(["2026-01-02T03:04:05", "NaT"], dtype="datetime64[ns]"), ["2026-01-02T03:04:05.000000000", None]),
        (np.array([["2026-01-02"]], dtype="datetime64[D]"), [["2026-01-02"]]),
        ([np.datetime64("2026-01-02"), np.datetime64("NaT")], ["2026-01-02", None]),
        ([pd.NaT, pd.NA, None], [None, None, None]),
        (pd.DataFrame({"x": [2**70, "a"]}), [{"x": 2.0**70}, {"x": "a"}]),
        (np.ma.array(np.array(["2026-01-02"] * 2, dtype="datetime64[D]"), mask=[True, False]), [None, "2026-01-02"]),
        (pd.DataFrame({"at": [pd.Timestamp("2026-01-02"), pd.NaT]}), [{"at": "2026-01-02T00:00:00"}, {"at": None}]),
        (np.ma.array([1.0, 2.0], mask=[False, True]), [1.0, None]),
        (np.ma.array([1, 2]), [1, 2]),
        ([Decimal("1.5"), Decimal("NaN"), 2**70, np.longdouble(0.5)], [1.5, None, 2.0**70, 0.5]),
        (np.array([0.5, 1.5], dtype=np.longdouble), [0.5, 1.5]),
        (np.array([0.5, 1.5], dtype=np.float16), [0.5, 1.5]),
        (np.array([1.5, np.nan], dtype=">f8"), [1.5, None]),
        (np.array([Decimal("1.5"), None], dtype=object), [1.5, None]),
    ],
)
def test_what_json_has_no_word_for_is_said_in_one_it_has(found: Any, wanted: Any) -> None:
    """Times as ISO text, what is missing or masked as null, numbers of other kinds as numbers."""
    assert json.loads(body(found)) == {"predictions": wanted}


def test_no_column_of_an_answer_is_lost() -> None:
    """A frame with two columns of one name has no records: it is an error, and not one of the two."""
    with pytest.raises(TypeError, match="several columns 'a'"):
        body(pd.DataFrame([[1, 2]], columns=["a", "a"]))


@pytest.mark.parametrize(
    "words",
    [("--timeout", "0"), ("--timeout", "nan"), ("--max-body", "0"), ("--follow", "-1"), ("--max-bodies", "5"), ("--batch-rows", "0")],
)
def test_options_that_make_no_sense_are_refused(words: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """By their name, before a model is looked for."""
    command, found, _ = cli.parse_args(["serve", "nowhere", *words], exit_on_error=False, print_error=False)
    with pytest.raises(InvalidValue, match=f"^{words[0]} "):
        command(*found.args, **found.kwargs)
    assert not capsys.readouterr().out
