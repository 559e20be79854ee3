"""log_figure: matplotlib's and plotly's figures, by themselves or as a series, readable where there is no network."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure
from PIL import Image

from prefect_ledger import get_run, log_figure, start_run
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.tracking.figures import render
from prefect_ledger.tracking.ledger import Ledger


def drawn() -> Figure:
    """A small figure."""
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2, 3])
    return figure


def test_a_page_of_plotlys_needs_no_network() -> None:
    """The program that draws it is in the page: no script, style or font is fetched from anywhere."""
    page = render(go.Figure(go.Scatter(y=[1, 2])), "plot.html").decode()
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)\s*=", page)
    assert "Plotly.newPlot" in page
    assert len(page) > 1_000_000


@pytest.mark.parametrize(("path", "begins"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF"), ("a.jpg", b"\xff\xd8")])
def test_matplotlibs_figures_are_written_by_the_ending(path: str, begins: bytes) -> None:
    """Figures and axes alike."""
    figure = drawn()
    assert render(figure, path).startswith(begins)
    assert render(figure.axes[0], path).startswith(begins)


def test_figures_come_back_by_step(fresh_ledger: Ledger) -> None:
    """matplotlib's as pictures, plotly's as what draws them; the step counts up where none is given."""
    with start_run(experiment="e") as run:
        for step in (10, 2):
            log_figure(drawn(), key="val/curve", step=step)
        for _ in range(2):
            run.log_figure(go.Figure(go.Scatter(y=[1, 2])), key="plotly")
        run.log_figure(drawn(), "one.svg")
    found = get_run(run.id)
    assert [one.step for one in found.figures("val/curve")] == [2, 10]
    assert found.figures("val/curve")[0].open().format == "PNG"
    plotly = found.figures("plotly")
    assert [(one.step, one.media) for one in plotly] == [(0, "application/json"), (1, "application/json")]
    assert go.Figure(json.loads(plotly[0].read())).data[0].y == (1, 2)
    assert found.figures()[0].path == "one.svg"
    assert found.images() == []
    with pytest.raises(InvalidValue, match="does not open as a picture"):
        plotly[0].open()


def test_what_is_no_figure_is_refused_and_leaves_nothing(fresh_ledger: Ledger) -> None:
    """Wrong values, endings and places, at the caller's line."""
    wrong: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
        (5, {"path": "a.png"}, InvalidValue, "takes a matplotlib or plotly figure, not int"),
        (5, {"key": "a"}, InvalidValue, "takes a matplotlib or plotly figure, not int"),
        (Image.new("L", (2, 2)), {"path": "a.png"}, InvalidValue, "log_image"),
        (drawn(), {"path": "a.exe"}, InvalidValue, "cannot be written as 'a.exe'"),
        (drawn(), {"path": "a"}, InvalidValue, "needs a path with a format"),
        (go.Figure(), {"path": "a.png"}, InvalidValue, "written as .html or .json"),
        (drawn(), {}, InvalidValue, "takes a path.* or a key"),
        (drawn(), {"path": "a.png", "step": 1}, InvalidValue, "with key="),
        (drawn(), {"path": "../a.png"}, InvalidName, "inside its run"),
    ]
    with start_run(experiment="e") as run:
        for figure, place, error, said in wrong:
            with pytest.raises(error, match=said):
                run.log_figure(figure, **place)
    assert get_run(run.id).artifacts == []


def test_a_png_of_matplotlibs_is_the_picture_that_was_drawn() -> None:
    """It opens with the size of the figure, cut to what is drawn."""
    with Image.open(io.BytesIO(render(drawn(), "a.png"))) as picture:
        assert picture.width > picture.height > 50


class Hostile:
    """Whatever is asked for raises."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name} here")


def test_what_answers_no_question_is_refused_in_words(fresh_ledger: Ledger) -> None:
    """An object that raises something else than AttributeError for what it has not is no figure and no picture."""
    with start_run(experiment="e") as run:
        places: list[dict[str, Any]] = [{"path": "a.png"}, {"key": "a"}]
        for place in places:
            with pytest.raises(InvalidValue, match="takes a matplotlib or plotly figure, not Hostile"):
                run.log_figure(Hostile(), **place)
            with pytest.raises(InvalidValue, match=r"log_image takes a Pillow image.*not a .*Hostile"):
                run.log_image(Hostile(), **place)
    assert get_run(run.id).artifacts == []


def test_a_class_and_a_figure_beyond_memory_are_refused_in_words() -> None:
    """Who gives the class, or a figure that no memory holds, is told so at that line."""
    with pytest.raises(InvalidValue, match="not the class Figure: make one of it first"):
        render(Figure, "a.png")
    huge = Figure(figsize=(300, 300), dpi=1e5)
    with pytest.raises(InvalidValue, match=r"cannot be written as 'a\.png'"):
        render(huge, "a.png")
