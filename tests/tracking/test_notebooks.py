"""What a notebook shows of runs, searches, series and experiments: all that matters, and no stranger's text as markup."""

from __future__ import annotations

import doctest
from html.parser import HTMLParser
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger import describe_run, get_experiment, get_run, html, search_runs, start_run
from prefect_ledger.entities import Experiment, Run, RunStatus
from prefect_ledger.queries import Page
from prefect_ledger.series import Series
from prefect_ledger.tracking.ledger import Ledger

ALLOWED = {"div", "b", "bdi", "br", "table", "tr", "td", "th", "svg", "polygon"}


class Rich(Protocol):
    """What a notebook asks."""

    def _repr_html_(self) -> str: ...


class Reader(HTMLParser):
    """Tags, attributes and text as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.names: set[str] = set()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.names |= {name for name, _ in attrs}
        if tag not in ("br", "polygon"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It closes what was opened last."""
        if tag != "polygon":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.words.append(data)


def read(shown: Rich) -> Reader:
    """What is shown, after it was found to be whole and harmless."""
    found = Reader(shown._repr_html_())
    assert found.open == []
    assert set(found.tags) <= ALLOWED
    assert not {name for name in found.names if name.startswith("on") or name in ("href", "src", "xlink:href")}
    return found


evil = st.text(max_size=30) | st.sampled_from(
    ["<script>alert(1)</script>", "</td></tr></table>", '"><img src=x onerror=alert(1)>', "&lt;", "\u202edlrow", "\ud800", "a\0b"]
)


@given(texts=st.lists(evil, min_size=5, max_size=5), value=st.floats())
def test_no_text_is_markup(texts: list[str], value: float) -> None:
    """Names, values, tags, descriptions and reasons are shown as text, whatever is in them, and open or close nothing."""
    name, key, word, about, reason = texts
    run = Run("0" * 36, name, word, 1, RunStatus.FAILED, status_reason=reason, description=about)
    run = Run(**{**{f: getattr(run, f) for f in run.__slots__}, "params": {key: word}, "metrics": {key: value}, "tags": {word: about}})
    read(run)
    read(Page([run, run], next_page="x"))
    read(Experiment(1, name, description=about, tags={key: word}))
    read(Series(key, np.arange(3), np.array([value, 1.0, -value]), np.arange(3)))


@given(values=st.lists(st.floats(), min_size=1, max_size=600))
def test_a_curve_is_drawn_of_any_numbers(values: list[float]) -> None:
    """Whatever the numbers are, what is drawn has finite places within its picture."""
    series = Series("loss", np.arange(len(values)), np.array(values), np.arange(len(values)))
    text = series._repr_html_()
    read(series)
    if "points=" in text:
        places = [float(number) for pair in text.split('points="')[1].split('"')[0].split() for number in pair.split(",")]
        assert all(-0.5 <= place <= 480.5 for place in places)


def test_what_a_run_shows(fresh_ledger: Ledger) -> None:
    """A run shows name, status, description, parameters, last values and tags; an open one shows which it is; an experiment its tags."""
    with start_run(experiment="churn", name="first", tags={"team": "risk"}) as run:
        run.log_params({"depth": 6})
        run.log_metric("auc", 0.9125)
        assert {"first", "RUNNING", run.id} <= set(read(run).words)
    describe_run(run.id, "line one\nline two")
    words = read(get_run(run.id)).words
    assert {"first", "COMPLETED", "churn", "line one", "line two", "depth", "6", "auc", "0.9125", "team", "risk"} <= set(words)
    assert repr(get_run(run.id)) == f"<Run {run.id[:8]} 'first' in 'churn': COMPLETED, 1 params, 1 metrics>"
    assert "churn" in read(get_experiment("churn")).words


@pytest.mark.parametrize(("program", "name"), [("/lib/ipykernel_launcher.py", "notebook"), ("", "notebook"), ("/home/train.py", "train")])
def test_a_run_without_a_name_is_named_after_its_program(
    fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch, program: str, name: str
) -> None:
    """A run of a notebook is called one, and not after what starts kernels; a script's is named after its file."""
    monkeypatch.setattr("sys.argv", [program])
    with start_run(experiment="churn") as run:
        assert run.name == f"{name}-{run.id[:8]}"


def test_a_search_shows_what_differs(fresh_ledger: Ledger) -> None:
    """A page has a row a run, parameters that differ but none that is the same everywhere, and says how much more there is."""
    for depth in range(3):
        with start_run(experiment="churn") as run:
            run.log_params({"depth": depth, "seed": 0})
            run.log_metric("auc", depth / 10)
    found = read(search_runs("churn", limit=2))
    assert found.tags.count("tr") == 3
    assert {"depth", "auc", "0.2"} <= set(found.words)
    assert "seed" not in found.words
    assert "others on the next page" in "".join(found.words)
    assert search_runs("churn", "metrics.auc > 9")._repr_html_() == "no runs"


def test_a_spike_is_in_the_curve(fresh_ledger: Ledger) -> None:
    """Of 100,000 points with one that stands out, the curve reaches the top there; what is not finite is left out."""
    values: Any = np.zeros(100_000)
    values[77_777] = 5.0
    values[5] = np.nan
    series = Series("loss", np.arange(100_000), values, np.arange(100_000))
    words, text = read(series).words, series._repr_html_()
    assert {"5", "max", "points"} <= set(words)
    [place] = [pair for pair in text.split('points="')[1].split('"')[0].split() if pair.endswith(",0.0")]
    assert float(place.split(",")[0]) == pytest.approx(0.77777 * 480, abs=3)
    assert "no points" in Series("none", np.arange(0), np.zeros(0), np.arange(0))._repr_html_()


def test_examples() -> None:
    """What a docstring shows is what comes out."""
    result = doctest.testmod(html)
    assert (result.failed, result.attempted > 0) == (0, True)
