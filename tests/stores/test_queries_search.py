"""Searching: bounds, experiments, tokens, hostile questions, and the ways a large store is searched."""

from __future__ import annotations

import base64
import json
import math
import random
import re
from collections.abc import Iterator
from typing import Any

import pytest

from prefect_ledger.database import Database
from prefect_ledger.errors import ExperimentNotFound, InvalidFilter, InvalidValue
from prefect_ledger.queries import Reader, plan
from tests.stores.filling import BASE, Filled, Points, fill


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    found = Database(store_url)
    yield found
    found.close()


@pytest.fixture
def reader(database: Database) -> Reader:
    """A reader of it."""
    return Reader(database)


def number(i: int) -> str:
    """The id of the i-th run."""
    return f"{i:08d}-0000-4000-8000-000000000000"


def found(page: Any) -> list[int]:
    """Which runs they are."""
    return [int(run.id[:8]) for run in page]


# --- what may be asked ---------------------------------------------------------------------------------------------


def test_limits_are_whole_numbers_from_1_to_50000(reader: Reader) -> None:
    """Any other limit is refused before the store is asked."""
    wrong: tuple[Any, ...] = (0, -1, 50_001, 1.0, "10", None, True, math.inf)
    for limit in wrong:
        with pytest.raises(InvalidValue, match="from 1 to 50,000"):
            reader.search_runs(limit=limit)
    assert reader.search_runs(limit=50_000) == []


def test_other_words_are_refused(reader: Reader) -> None:
    """Lifecycle and form are one of three each; filters and orders are text that parses."""
    wrong: Any
    for wrong in ("", "Active", None):
        with pytest.raises(InvalidValue, match="'active', 'deleted', 'all'"):
            reader.search_runs(lifecycle=wrong)
        with pytest.raises(InvalidValue, match="'list', 'pandas', 'arrow'"):
            reader.search_runs(as_=wrong)
    for wrong in ("metrics.a >", "x", "1 = 1"):
        with pytest.raises(InvalidFilter):
            reader.search_runs(filter=wrong)
        with pytest.raises(InvalidFilter):
            reader.search_runs(order_by=wrong)
    with pytest.raises(InvalidFilter, match="at most 20"):
        reader.search_runs(order_by=[f"metrics.m{i}" for i in range(21)])
    with pytest.raises(InvalidFilter, match="an order is a text or several, not int"):
        reader.search_runs(order_by=5)  # type: ignore[arg-type]
    assert list(reader.search_runs(order_by=None)) == list(reader.search_runs())


def test_lifecycles(database: Database, reader: Reader) -> None:
    """Deleted runs are found when they are asked for, and only then."""
    fill(database, [Filled(number(1)), Filled(number(2), lifecycle="deleted")])
    assert found(reader.search_runs()) == [1]
    assert found(reader.search_runs(lifecycle="deleted")) == [2]
    assert found(reader.search_runs(lifecycle="all")) == [1, 2]


def test_experiments_by_name_or_id(database: Database, reader: Reader) -> None:
    """One or several, by name or id; a name that looks like an id goes before the id; none at all find nothing."""
    runs = [Filled(number(i), experiment=where) for i, where in enumerate((0, 7, 8, 9, None))]
    fill(database, runs, {7: "churn", 8: "fraud", 9: "7"})
    assert found(reader.search_runs("churn")) == [1]
    assert found(reader.search_runs(8)) == [2]
    assert found(reader.search_runs("8")) == [2]
    assert found(reader.search_runs("7")) == [3]
    assert found(reader.search_runs(7)) == [1]
    assert found(reader.search_runs(["fraud", "Default", 8])) == [0, 2]
    assert found(reader.search_runs(())) == []
    assert found(reader.search_runs()) == [0, 1, 2, 3, 4]


def test_unknown_experiments_offer_near_ones(database: Database, reader: Reader) -> None:
    """The error names experiments of a similar name, or those there are."""
    fill(database, [], {7: "churn", 8: "fraud"})
    with pytest.raises(ExperimentNotFound, match=r"no experiment 'chrun'; there is 'churn'$"):
        reader.search_runs("chrun")
    for wrong in ("", "zzzz", "' or 1=1 --", "a\0b", "\ud800", "9" * 30, "\N{ARABIC-INDIC DIGIT SEVEN}", -1, 10**30):
        with pytest.raises(ExperimentNotFound, match=r"there is .*'churn'"):
            reader.search_runs(wrong)
    other: tuple[Any, ...] = (1.5, True, [None], [b"churn"])
    for one in other:
        with pytest.raises(InvalidValue, match="by its name or id"):
            reader.search_runs(one)


# --- questions meant to break it --------------------------------------------------------------------------------------


def test_deep_and_wide_filters(database: Database, reader: Reader) -> None:
    """Every filter that parses is answered: 50 levels, 1,000 conditions, 600 keys, in any shape; SQLite's parser has room for 100."""
    fill(database, [Filled(number(1), metrics={"a": Points((1.0,))}, tags={"t": "x"})])
    wide = " or ".join(["user='x'"] * 700 + ["metrics.a = 1"])
    assert found(reader.search_runs(filter=wide)) == [1]
    assert found(reader.search_runs(filter=f"not ({wide})")) == []
    assert found(reader.search_runs(filter=" and ".join(["tags.t='x'"] * 600))) == [1]
    assert found(reader.search_runs(filter=" or ".join([f"tags.k{i}='x'" for i in range(550)] + ["tags.t = 'x'"]))) == [1]
    assert found(reader.search_runs(filter="tags.t in (" + ", ".join(f"'{i}'" for i in range(998)) + ", 'x')")) == [1]
    for width in (1, 3, 9, 16):
        for shape in _nests(width):
            assert found(reader.search_runs(filter=shape)) == [1], shape


def _nests(width: int) -> Iterator[str]:
    """Filters that are true of the run, 24 or 48 levels deep, with ``width`` more conditions on each level."""
    never, always = "user='x'", "tags.t='x'"
    for levels in (24, 48):
        if levels * (width + 1) * 14 > 9_500:
            continue
        left = right = middle = nots = always
        for level in range(levels):
            word, other = (" or ", never) if level % 2 else (" and ", always)
            more = word.join([other] * width)
            left, right, middle = f"({left}{word}{more})", f"({more}{word}{right})", f"({other}{word}{middle}{word}{more})"
            nots = f"not {nots}"
        yield from (left, right, middle, nots)


def test_bushy_filters(database: Database, reader: Reader) -> None:
    """A tree that branches on every level is answered."""
    fill(database, [Filled(number(1), tags={"t": "x"})])

    def bush(depth: int, word: str) -> str:
        if not depth:
            return "tags.t='x'"
        other = bush(depth - 1, " and " if word == " or " else " or ")
        return f"({other}{word}{other})"

    assert found(reader.search_runs(filter=bush(9, " or "))) == [1]


def test_literals_at_the_edge(database: Database, reader: Reader) -> None:
    """Infinite, huge and tiny numbers, the longest whole numbers, the last times: each is compared, or refused by name."""
    fill(
        database,
        [
            Filled(number(1), metrics={"a": Points((1.7976931348623157e308,))}, params={"p": "9" * 400, "q": "1e-320"}),
            Filled(number(2), metrics={"a": Points((math.inf,))}, params={"p": "12345678901234567890"}),
        ],
    )
    for question, expected in {
        "metrics.a < inf": [1],
        "metrics.a >= inf": [2],
        "metrics.a > -1.7976931348623157e308": [1, 2],
        "metrics.a = 1.7976931348623157e308": [1],
        "params.p = inf": [1],
        "params.p = 12345678901234567890": [2],
        "params.q > 0 and params.q < 1e-300": [1],
        "attempt < 999999999999999999 and experiment_id > -999999999999999999": [1, 2],
        "start_time < 9200000000000000": [1, 2],
        "start_time < '9999-12-31T23:59:59' and start_time > '0001-01-01'": [1, 2],
        "duration > 0": [],
        "params.p like '9%9'": [1],
        "tags.x = '" + "🎲" * 2_400 + "'": [],
        "run_name not like '" + "%_" * 4_000 + "'": [],
    }.items():
        assert found(reader.search_runs(filter=question)) == expected, question
    for refused in ("metrics.a > 1e999", "attempt = 1e3", "attempt = 99999999999999999999", "tags.x = 'a\0b'", "tags.x = '\ud800'"):
        with pytest.raises(InvalidFilter):
            reader.search_runs(filter=refused)


def test_patterns_in_an_order_of_reading(database: Database, reader: Reader) -> None:
    """LIKE minds case and ILIKE does not, of every letter; % and _ are wildcards, a backslash takes that away."""
    fill(database, [Filled(number(i), name=name) for i, name in enumerate(("Größe", "größe", "GRÖßE", "50%", "500", "a_b", "axb", "a\\b"))])
    for question, expected in {
        "name like 'Größe'": [0],
        "name ilike 'grÖ%'": [0, 1, 2],
        "name like '50%'": [3, 4],
        r"name like '50\%'": [3],
        "name like 'a_b'": [5, 6, 7],
        r"name like 'a\_b'": [5],
        r"name like 'a\\b'": [7],
        "name not like '%b'": [0, 1, 2, 3, 4],
        "name not ilike '%ö%' and name not like '%0%'": [5, 6, 7],
    }.items():
        assert found(reader.search_runs(filter=question)) == expected, question


def test_a_pattern_cannot_take_for_ever(database: Database, reader: Reader) -> None:
    """A pattern of many wildcards over long text is answered in time that does not explode."""
    fill(database, [Filled(number(1), tags={"t": "a" * 6_000})])
    assert reader.search_runs(filter=f"tags.t like '{'%a' * 40}%b'") == []


# --- pages ------------------------------------------------------------------------------------------------------------


def test_tokens_are_of_one_search(database: Database, reader: Reader) -> None:
    """A token goes on with its own search at any limit; in another search, or changed, it is refused by name."""
    fill(database, [Filled(number(i), metrics={"a": Points((float(i % 3),))}) for i in range(9)], {7: "churn"})
    first = reader.search_runs(filter="metrics.a >= 0", order_by="metrics.a desc", limit=4)
    assert first.next_page is not None
    rest = reader.search_runs(filter=" metrics.a>=0.0 ", order_by=["metrics.a  DESC"], limit=50, page=first.next_page)
    assert found(first) + found(rest) == [2, 5, 8, 1, 4, 7, 0, 3, 6]
    assert rest.next_page is None
    others: list[dict[str, Any]] = [
        {"order_by": "metrics.a"},
        {"order_by": ["metrics.a desc", "status"]},
        {"filter": "metrics.a > 0"},
        {"experiment": "churn"},
        {"lifecycle": "all"},
    ]
    for other in others:
        with pytest.raises(InvalidValue, match="another search"):
            reader.search_runs(**({"filter": "metrics.a >= 0", "order_by": "metrics.a desc"} | other), page=first.next_page)


def test_changed_tokens_are_refused(database: Database, reader: Reader) -> None:
    """Whatever is not a token, or was one until a character was changed, gives a clear error and no rows."""
    fill(database, [Filled(number(i)) for i in range(3)])
    token = reader.search_runs(limit=1).next_page
    assert token is not None
    for at in range(len(token)):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        if base64.b64decode(changed + "==", altchars=b"-_") == base64.b64decode(token + "==", altchars=b"-_"):
            continue  # the last character has bits that say nothing
        with pytest.raises(InvalidValue, match="page="):
            reader.search_runs(limit=1, page=changed)
    wrong: tuple[Any, ...] = ("", "x", "é", "====", token[:-4], token + "AAAA", "' or 1=1 --", "\ud800", 7, b"x", 1.5)
    for one in wrong:
        with pytest.raises(InvalidValue, match=r"is not a token of search_runs|another search"):
            reader.search_runs(page=one)


def test_forged_tokens_carry_values_only(database: Database, reader: Reader) -> None:
    """Even one whose digests were made anew is held to the types of its keys."""
    import hashlib

    fill(database, [Filled(number(i)) for i in range(3)])
    token = reader.search_runs(order_by="name", limit=1).next_page
    assert token is not None
    head = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_")[:8]
    places: list[Any] = [
        [[7, 0], [1, 0], ["x", 0]],
        [["x", 0], ["1; drop table runs", 0], ["x", 0]],
        [["x", 0], [2**70, 0], ["x", 0]],
        [["x", 0], [1, 0]],
        [["x", 3], [1, 0], ["x", 0]],
        [["x", None], [1, 0], ["x", 0]],
        [[["x"], 0], [1, 0], ["x", 0]],
        [],
        {"a": 1},
        7,
        [[True, 0], [1, 0], ["x", 0]],
    ]
    for place in places:
        content = json.dumps(place).encode()
        forged = base64.urlsafe_b64encode(head + hashlib.sha256(content).digest()[:8] + content).decode()
        with pytest.raises(InvalidValue, match="page="):
            reader.search_runs(order_by="name", page=forged)


def test_sort_values_survive_a_token(database: Database, reader: Reader) -> None:
    """Floats to the last bit, infinities, NaN, missing, whole numbers beyond 2**53: pages of one row go through them all, once each."""
    values = [0.1 + 0.2, 0.3, 5e-324, -5e-324, -0.0, 0.0, math.inf, -math.inf, math.nan, math.nan, 1e308]
    runs = [Filled(number(i), metrics={"a": Points((value,))}, started=2**53 + i) for i, value in enumerate(values)]
    fill(database, [*runs, Filled(number(98), started=None), Filled(number(99))])
    for order in ("metrics.a", "metrics.a desc", "start_time", "start_time desc", "duration, metrics.a"):
        whole, token, seen = found(reader.search_runs(order_by=order)), None, []
        while True:
            page = reader.search_runs(order_by=order, limit=1, page=token)
            seen += found(page)
            if (token := page.next_page) is None:
                break
        assert seen == whole
        assert len(set(whole)) == len(runs) + 2
    assert found(reader.search_runs(order_by="metrics.a"))[-4:] == [9, 8, 99, 98]
    assert found(reader.search_runs(order_by="metrics.a desc"))[-4:] == [9, 8, 99, 98]


def test_long_text_in_a_token(database: Database, reader: Reader) -> None:
    """An order by long texts of any letters pages like any other."""
    fill(database, [Filled(number(i), params={"p": chr(0x1F3B2 - i) * 3_000}) for i in range(3)])
    first = reader.search_runs(order_by="params.p", limit=2)
    assert found(first) + found(reader.search_runs(order_by="params.p", page=first.next_page)) == [2, 1, 0]


# --- a larger store ----------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_all_ways_of_a_larger_store_agree(database: Database, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way a search begins, the page is the same: by its rarest condition, by the order, by neither."""
    rng = random.Random(7)
    runs = [
        Filled(
            number(i),
            experiment=7 if i % 10 == 0 else 0,
            started=BASE + rng.randrange(500),
            metrics={
                "a": Points((float(rng.randrange(300)),)),
                **({"b": Points((rng.random(), rng.random()))} if i % 3 else {}),
                **({"few": Points((rng.choice((1.0, 2.0, math.nan)),))} if i % 200 == 0 else {}),
            },
            stale_metrics={"few": Points((9.0,))} if i % 500 == 1 else {},
            attempt=2,
            params={"m": rng.choice("xyz"), "n": str(rng.randrange(50)), "long": "l" * 64 + rng.choice("abc")},
            tags={"rare": "1"} if i % 400 == 0 else {},
        )
        for i in range(2_000)
    ]
    fill(database, runs, {7: "churn"})
    questions: list[dict[str, Any]] = [
        {"order_by": ["metrics.a desc"]},
        {"order_by": ["metrics.b"], "filter": "params.m = 'x'"},
        {"order_by": ["metrics.b desc", "metrics.a"], "filter": "metrics.a > 250 and params.n = 7"},
        {"order_by": ["metrics.a"], "filter": "params.n in ('3', '4') and metrics.b < 0.5"},
        {"filter": "tags.rare = '1'", "order_by": ["metrics.b"]},
        {"experiment": "churn", "filter": "metrics.b is null"},
        {"experiment": ["churn", 0], "filter": "not metrics.a < 290", "order_by": ["start_time"]},
        {"filter": "metrics.nope = 1 or metrics.a = 3"},
        {"order_by": ["metrics.nope desc", "params.n"]},
        {"filter": "status = 'COMPLETED' and start_time > 0", "order_by": ["metrics.b desc"]},
        {"filter": "max(metrics.a) > 290 and min(metrics.a) < 299", "order_by": ["max(metrics.b)", "params.m"]},
        {"filter": "mean(metrics.b) < 0.2", "order_by": ["count(metrics.a)", "first(metrics.b) desc"]},
        {"filter": "params.m = 'y'", "order_by": ["count(metrics.a) desc"]},
        {"order_by": ["params.m desc", "metrics.a"]},
        {"filter": "params.m in ('x', '7') and params.n = '7'", "order_by": ["params.m"]},
        {"order_by": ["metrics.few desc", "metrics.a"]},
        {"order_by": ["min(metrics.few)", "params.n desc"], "filter": "metrics.a < 200"},
        {"order_by": ["metrics.nope", "params.nope", "metrics.b"]},
        {"order_by": ["params.long desc", "metrics.a"]},
    ]
    ways = [
        plan.Bounds(),
        plan.Bounds(0, 1, 0, 1),
        plan.Bounds(0, 50, 1, 1_500),
        plan.Bounds(20, 100, 0, 400),
        plan.Bounds(10**9, 10**9, 0, 10**9),
        plan.Bounds(0, 30, 1, 500),
        plan.Bounds(0, 0, 3, 10**9),
        plan.Bounds(0, 50, 1, 1_500, 100),
        plan.Bounds(0, 50, 1, 1_500, 0),
    ]
    for question in questions:
        answers = []
        for way in ways:
            monkeypatch.setattr(plan, "BOUNDS", way)
            first = reader.search_runs(**question, limit=25)
            second = reader.search_runs(**question, limit=40, page=first.next_page) if first.next_page else []
            answers.append(found(first) + found(second))
        assert all(answer == answers[0] for answer in answers), question
        assert answers[0] or re.search("rare|nope", str(question))


def test_long_texts_are_told_apart(database: Database, reader: Reader) -> None:
    """Texts that differ beyond what an index holds of them are different; so are texts that read as the same number."""
    begin = "é🎲" * 32
    texts = (begin, begin + "a", begin + "b", begin[:-1], "1", "1.0", " 1", "01")
    fill(database, [Filled(number(i), params={"p": text}) for i, text in enumerate(texts)])
    for i, text in enumerate(texts):
        assert found(reader.search_runs(filter=f"params.p = '{text}'")) == [i]
        assert found(reader.search_runs(filter=f"params.p in ('{text}', 'none')")) == [i]
        assert sorted(found(reader.search_runs(filter=f"params.p in ('{text}', '{texts[0]}', '1')"))) == sorted({0, 4, i})
    assert found(reader.search_runs(filter="params.p = 1")) == [4, 5, 7]


def test_the_largest_page(database: Database, reader: Reader) -> None:
    """More runs than a statement takes parameters come in one page, with all they have."""
    fill(database, [Filled(number(i), params={"p": str(i)}) for i in range(1_500)])
    runs = reader.search_runs(limit=50_000, order_by="run_id")
    assert [run.params["p"] for run in runs] == [str(i) for i in range(1_500)]
