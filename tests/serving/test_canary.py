"""Two models served side by side: who answers, what is counted, and that the one beside takes nothing from the other."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from prefect_ledger import registry, start_run
from prefect_ledger.cli import app as cli
from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.saving import save_model
from prefect_ledger.serving.agreement import agreement
from prefect_ledger.serving.beside import Beside, chosen
from prefect_ledger.serving.tally import STEP, WARM, Pair, Tally
from prefect_ledger.tracking.ledger import Ledger
from tests.services_real.processes import clean_environment, wait_until
from tests.serving.running import Server, server

TIMES = {"champion": 2.0, "challenger": 3.0}
NESTED = json.loads("[" * 80 + "]" * 80)  # deeper than anybody reads
CASES = settings(max_examples=100, deadline=None)


def multiplying(factor: float) -> Callable[[Any], Any]:
    """A model that multiplies."""
    return lambda data: [factor * x for row in data for x in row]


def troubled() -> Callable[[Any], Any]:
    """One that raises at 13, dies at 14, hangs at 15, and for a while at 16; else it multiplies by two, and by three above 100."""

    def ask(data: Any) -> Any:
        import os
        import time

        x = float(data[0][0])
        if x == 13:
            raise RuntimeError("thirteen")
        if x == 14:
            os._exit(7)
        if x in (15, 16):
            print("it hangs", flush=True)
            time.sleep(60 if x == 15 else 3)
        print("what a model prints is nobody's message")
        return [(3.0 if x > 100 else 2.0) * x]

    return ask


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("beside")
    made = {name: multiplying(factor) for name, factor in TIMES.items()} | {"troubled": troubled()}
    for name, model in made.items():
        save_model(model, folder / name, signature=None, requirements=[])
    return {name: str(folder / name) for name in made}


class Two(Server):
    """A server of two models, asked over one connection."""

    def __init__(self, one: Server) -> None:
        super().__init__(one.port, one.child)
        self.connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)

    def times(self, number: Any, request_id: str = "") -> tuple[int, str, Any]:
        """Status, which side answered, and the number."""
        headers = {"Content-Type": "application/json"} | ({"X-Request-Id": request_id} if request_id else {})
        self.connection.request("POST", "/invocations", json.dumps({"inputs": [[number]]}), headers)
        answer = self.connection.getresponse()
        found = json.loads(answer.read())
        return answer.status, answer.headers.get("x-model-side", ""), found.get("predictions", [None])[0]

    def close(self) -> None:
        self.connection.close()


@contextmanager
def two(champion: str, challenger: str, folder: Path, *words: str, home: Path | None = None) -> Iterator[Two]:
    with server(champion, folder, "--beside", challenger, *words, home=home) as one, contextlib.closing(Two(one)) as found:
        yield found


def comparison(one: Server) -> Any:
    return one.ask(None, "/comparison")[1]


def settled(one: Two, folder: Path, asked: int) -> Any:
    """The comparison, once the shadow was asked or has dropped everything."""

    def all_come() -> bool:
        found = comparison(one)
        return bool(found["champion"]["count"] == asked == found["challenger"]["count"] + found["dropped"])

    wait_until(all_come, one.child, folder / "serve.log", seconds=60)
    one.close()  # the server ends a connection that nobody has asked on for a while; the next request opens one
    return comparison(one)


# --- shares -----------------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_share_of_the_requests_is_answered_by_the_one_beside(models: dict[str, str], tmp_path: Path) -> None:
    """Of 2,000 requests about as many as were said, each by the model that its answer names; the same again by the same; all are counted.

    A request's id decides, whatever its body, and without one its body.
    """
    share, count = 0.1, 2000
    with two(models["champion"], models["challenger"], tmp_path, "--share", str(share)) as one:
        found = [one.times(float(number)) for number in range(count)]
        again = [one.times(float(number)) for number in range(100)]
        named = {one.times(float(number), "request 7")[1] for number in range(50)}
        counted, metrics = comparison(one), one.ask(None, "/metrics")[1].decode()
        described, page = one.ask(None, "/openapi.json")[1], one.ask(None, "/docs")[1]
    assert "get" in described["paths"]["/comparison"]
    assert b"GET /comparison" in page
    assert {status for status, _, _ in found} == {200}
    assert all(answer == TIMES[side] * number for number, (_, side, answer) in enumerate(found))
    beside = sum(side == "challenger" for _, side, _ in found)
    assert abs(beside - share * count) < 5 * (count * share * (1 - share)) ** 0.5
    assert again == found[:100]
    assert len(named) == 1
    beside += sum(side == "challenger" for _, side, _ in again) + 50 * (named == {"challenger"})
    assert (counted["mode"], counted["share"], counted["pairs"]["count"]) == ("share", share, 0)
    assert (counted["challenger"]["count"], counted["champion"]["count"]) == (beside, count + 150 - beside)
    assert counted["champion"]["errors"] == counted["challenger"]["errors"] == 0
    assert 0 < counted["champion"]["seconds"]["p50"] <= counted["champion"]["seconds"]["p99"]
    assert 'prefect_ledger_comparison_requests_total{challenger="' in metrics


@CASES
@given(st.text(max_size=20), st.binary(max_size=50), st.floats(0.01, 0.99), st.floats(0.01, 0.99))
def test_a_larger_share_keeps_the_requests_of_a_smaller_one(request_id: str, body: bytes, one: float, other: float) -> None:
    """Nobody goes back to the champion as the share grows."""
    small, large = sorted((one, other))
    assert not chosen(small, request_id, body) or chosen(large, request_id, body)


@pytest.mark.long
def test_a_request_that_the_one_beside_fails_on_is_answered_by_the_other(models: dict[str, str], tmp_path: Path) -> None:
    """What it raises on is its error, and answered all the same; so is what it cannot be asked while it hangs; what it does not answer in
    time is refused. What neither takes is an error of nobody."""
    with two(models["champion"], models["troubled"], tmp_path, "--share", "0.5", "--timeout", "1") as one:
        theirs = next(f"r{n}" for n in range(100) if one.times(1.0, f"r{n}")[1] == "challenger")
        before = comparison(one)["challenger"]
        assert one.times(13.0, theirs) == (200, "champion", 26.0)
        assert one.times({"no": "number"}, theirs)[0] == 500
        assert one.times(NESTED, theirs)[0] == 400
        assert one.times(16.0, theirs)[0] == 504
        assert one.times(5.0, theirs) == (200, "champion", 10.0)
        after = comparison(one)["challenger"]
    assert {key: after[key] - before[key] for key in ("count", "errors", "refused")} == {"count": 4, "errors": 4, "refused": 1}


@pytest.mark.long
def test_the_counts_of_several_workers_are_added_up(models: dict[str, str], tmp_path: Path) -> None:
    """Whichever is asked says what all have counted, of shares and of shadows."""
    with two(models["champion"], models["challenger"], tmp_path, "--shadow", "--workers", "2") as one:
        for number in range(60):
            assert one.ask({"inputs": [[float(number)]]})[0] == 200
        found = settled(one, tmp_path, 60)
    assert found["pairs"]["count"] == found["challenger"]["count"] > 0
    assert found["workers"] == 2


# --- shadows ----------------------------------------------------------------------------------------------------------------


def test_a_shadow_is_compared_and_nobody_gets_its_answers(models: dict[str, str], tmp_path: Path) -> None:
    """Every answer is the champion's; how many agree, and the greatest difference, is counted. What it printed is not read."""
    with two(models["champion"], models["troubled"], tmp_path, "--shadow", "--queue", "1000") as one:
        for number in range(91, 111):
            assert one.times(float(number)) == (200, "champion", 2.0 * number)
        assert one.times(NESTED)[0] == 400
        many = [100.0] * 200_000
        assert one.ask({"inputs": [many]})[1]["predictions"] == [200.0] * len(many)  # more than a pipe takes at once
        found = settled(one, tmp_path, 21)
    assert (found["mode"], found["dropped"], found["champion"]["refused"], found["challenger"]["refused"]) == ("shadow", 0, 1, 0)
    assert found["pairs"] == {"count": 21, "agree": 10, "greatest_difference": 110.0}


def test_a_shadow_may_answer_what_the_other_fails_on(models: dict[str, str], tmp_path: Path) -> None:
    """It is asked about that too, so that both are counted by the same requests; there is nothing to compare its answer with."""
    with two(models["troubled"], models["champion"], tmp_path, "--shadow") as one:
        assert one.times(13.0)[0] == 500
        found = settled(one, tmp_path, 1)
    assert (found["champion"]["errors"], found["challenger"]["errors"], found["pairs"]["count"]) == (1, 0, 0)
    assert (found["challenger"]["count"], found["dropped"]) == (1, 0)


@pytest.mark.long
def test_a_shadow_that_fails_dies_or_hangs_touches_no_answer(models: dict[str, str], tmp_path: Path) -> None:
    """While it hangs, all is answered, its queue is full and what is beyond is dropped and counted; one that died is begun again."""
    with two(models["champion"], models["troubled"], tmp_path, "--shadow", "--queue", "10", "--timeout", "3") as one:
        assert one.times(13.0)[2] == 26.0
        assert settled(one, tmp_path, 1)["challenger"]["errors"] == 1
        assert one.times(15.0)[2] == 30.0
        answers = [one.times(float(number)) for number in range(100, 130)]
        assert comparison(one)["challenger"]["count"] == 1, "it hangs all the while"
        found = settled(one, tmp_path, 32)
        assert answers == [(200, "champion", 2.0 * number) for number in range(100, 130)]
        assert (found["challenger"]["errors"], found["challenger"]["count"], found["dropped"]) == (2, 12, 20)
        assert one.times(14.0)[2] == 28.0
        assert settled(one, tmp_path, 33)["challenger"]["errors"] == 3
        asked = 33

        def back() -> bool:
            nonlocal asked
            asked += 1
            return one.times(1.0)[0] == 200 and settled(one, tmp_path, asked)["challenger"]["count"] > 13

        wait_until(back, one.child, tmp_path / "serve.log", seconds=30)
    assert one.child.returncode == 0


@pytest.mark.long
def test_no_shadow_outlives_a_server_that_is_killed(models: dict[str, str], tmp_path: Path) -> None:
    """SIGKILL of the server, while its shadow hangs: the shadow's process ends too."""
    with two(models["champion"], models["troubled"], tmp_path, "--shadow") as one:
        children = psutil.Process(one.child.pid).children()
        assert len(children) == 1
        one.times(15.0)
        wait_until(lambda: "it hangs" in (tmp_path / "serve.log").read_text(), one.child, tmp_path / "serve.log", seconds=30)
        os.kill(one.child.pid, signal.SIGKILL)
        one.child.wait(20)
        assert not psutil.wait_procs(children, timeout=30)[1]


# --- both -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [("--share", "0.5"), ("--shadow",)], ids=["share", "shadow"])
@pytest.mark.long
def test_both_references_are_followed_and_counted_anew(fresh_ledger: Ledger, tmp_path: Path, how: tuple[str, ...]) -> None:
    """Where either alias comes to mean another model, that one is asked, and what is counted begins at nothing."""
    ids = []
    for factor in (2.0, 3.0, 4.0, 5.0):
        with start_run(experiment="serving") as run:
            ids.append(run.log_model(multiplying(factor), "m", requirements=[], register=True).id)
    fresh_ledger.flush()
    registry.set_alias("m", "champion", 1)
    registry.set_alias("m", "challenger", 2)
    words = (*how, "--follow", "0.2")
    with two("models:/m@champion", "models:/m@challenger", tmp_path, *words, home=fresh_ledger.settings.home) as one:

        def compared(first: int, second: int) -> bool:
            assert {one.times(1.0, str(number))[0] for number in range(10)} == {200}
            found = comparison(one)
            models = [found[side]["model_id"] for side in TIMES]
            return models == [ids[first], ids[second]] and found["challenger"]["count"] > 0 and found["champion"]["count"] > 0

        def wait(first: int, second: int) -> None:
            wait_until(lambda: compared(first, second), one.child, tmp_path / "serve.log", seconds=30)

        wait(0, 1)
        for _ in range(5):
            compared(0, 1)
        before = comparison(one)["champion"]["count"]
        registry.set_alias("m", "challenger", 3)
        wait(0, 2)
        assert comparison(one)["champion"]["count"] < before
        registry.set_alias("m", "champion", 4)
        wait(3, 2)


@pytest.mark.parametrize("how", [("--share", "0.5"), ("--shadow",)], ids=["share", "shadow"])
def test_one_beside_that_cannot_be_opened_ends_the_server(models: dict[str, str], tmp_path: Path, how: tuple[str, ...]) -> None:
    """With a sentence that names it, before anything is served."""
    command = [sys.executable, "-m", "prefect_ledger.cli", "serve", models["champion"], "--port", "0", "--trust"]
    command += ["--beside", str(tmp_path / "nothing"), *how]
    env = clean_environment(PREFECT_LEDGER_HOME=str(tmp_path / "ledger"))
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert str(tmp_path / "nothing") in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--share 0.1", "say with --beside which one"),
        ("--shadow", "say with --beside which one"),
        ("--tolerance 0.1", "say with --beside which one"),
        ("--beside other", "either with --share which part"),
        ("--beside other --share 0.1 --shadow", "either with --share which part"),
        ("--beside other --share 0", "as 0.1 for a tenth"),
        ("--beside other --share 1", "as 0.1 for a tenth"),
        ("--beside other --share nan", "as 0.1 for a tenth"),
        ("--beside other --share 0.1 --tolerance 0.1", "with --shadow alone"),
        ("--beside other --shadow --tolerance=-1", "0 or more"),
        ("--beside other --shadow --tolerance=inf", "0 or more"),
        ("--beside model --shadow", "is the model that is served"),
        (f"--beside other --shadow --digest {'0' * 64}", "do not go together"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words: str, said: str) -> None:
    """Before any model is opened, in words that say what to give."""
    with pytest.raises(InvalidValue, match=said):
        cli(["serve", "model", *words.split()], exit_on_error=False, result_action="return_value")


# --- counting ---------------------------------------------------------------------------------------------------------------

PAIR = Pair("m-1", "m-2")


@CASES
@given(st.lists(st.floats(3e-5, 60.0), min_size=1, max_size=300))
def test_a_quantile_is_known_to_a_step(seconds: list[float]) -> None:
    """Whatever the seconds were, in whatever order, their quantiles are off by a quarter at most; those of a cold model do not count."""
    tally = Tally(CollectorRegistry())
    for one in [90.0] * WARM + seconds:
        tally.count(PAIR, "champion", "answered", one)
    found = tally.counts(PAIR)["champion"]
    ordered = sorted(seconds)
    for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
        true = ordered[max(0, -(-round(part * 100) * len(ordered) // 100) - 1)]
        assert true / STEP * 0.999 <= found["seconds"][name] <= true * STEP * 1.001
    assert (found["count"], found["errors"]) == (WARM + len(seconds), 0)


def test_what_is_remembered_has_an_end() -> None:
    """However often models are exchanged, a few pairs are counted at once, the latest among them."""
    tally, sizes = Tally(CollectorRegistry()), []
    for number in range(50):
        pair = Pair("m", str(number))
        tally.count(pair, "champion", "answered", 0.1)
        tally.count(pair, "challenger", "failed")
        tally.compare(pair, False, 1.0)
        tally.drop(pair)
        sizes.append(sum(len(metric.samples) for metric in tally._registry.collect()))
    assert sizes[-1] == sizes[20]
    found = tally.counts(Pair("m", "49"))
    assert (found["challenger"]["errors"], found["champion"]["count"], found["dropped"]) == (1, 1, 1)
    assert tally.counts(Pair("m", "0"))["champion"]["count"] == 0


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=5) | st.integers(-1000, 1000) | st.floats(-1e6, 1e6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def said(value: Any) -> bytes:
    return orjson.dumps({"predictions": value})


@CASES
@given(VALUES, VALUES)
def test_answers_agree_with_themselves_and_both_ways(one: Any, other: Any) -> None:
    """An answer agrees with itself, however it is spaced; whether two do does not depend on their order."""
    assert agreement(said(one), said(one) + b" ", 0.0) == (True, 0.0)
    assert agreement(said(one), said(other), 1e-6) == agreement(said(other), said(one), 1e-6)


@CASES
@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.data())
def test_one_number_that_is_off_is_found(numbers: list[float], data: st.DataObject) -> None:
    """Wherever it stands: within the tolerance both agree, beyond it they do not, and its difference is the greatest."""
    place = data.draw(st.integers(0, len(numbers) - 1))
    for off, agree in ((0.5, True), (3e6, False)):
        others = [*numbers[:place], numbers[place] + off, *numbers[place + 1 :]]
        found = agreement(said({"a": [numbers]}), said({"a": [others]}), 0.6)
        assert found.agree is agree
        assert found.difference == pytest.approx(off)


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ([1.0], [1], True),
        ([1.0], [True], False),
        ([1.0], [None], False),
        ([1.0], ["1.0"], False),
        ([1.0], [1.0, 1.0], False),
        ([1.0], 1.0, False),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        (["yes"], ["no"], False),
        ([1e308], [-1e308], False),
        ([], [], True),
    ],
)
def test_what_is_of_another_kind_does_not_agree(one: Any, other: Any, agree: bool) -> None:
    """A truth value, a text, nothing, a list of another length are no numbers; a difference is always a number."""
    found = agreement(said(one), said(other), 1e-6)
    assert found.agree is agree
    assert found.difference < float("inf")


def test_values_refuse_nonsense() -> None:
    """Whoever serves from Python is told as the command tells."""
    for reference, share, tolerance in (("", 0.1, 0.0), ("m", 2.0, 0.0), ("m", None, -1.0)):
        with pytest.raises(InvalidValue):
            Beside(reference, share, tolerance)
