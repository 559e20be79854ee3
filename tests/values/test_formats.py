"""Values as people read them."""

from __future__ import annotations

import math
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.formats import clean, duration, number, numbers, paragraph, short, size


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_clean_text_holds_nothing_a_terminal_obeys(text: str) -> None:
    """Whatever a run is called, what is shown of it has no control, format or line-breaking characters but joiners."""
    shown = clean(text)
    assert all(unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp", "Cs"} or c in "\u200c\u200d" for c in shown)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
@settings(max_examples=100, deadline=None)
def test_clean_leaves_words_alone(text: str) -> None:
    """Letters, digits, signs and spaces of any language are shown as they are."""
    assert clean(text) == text


def test_paragraphs_keep_their_lines_and_lose_their_escape_codes() -> None:
    """A traceback stays readable and cannot move the cursor."""
    assert paragraph("a\r\nb\x1b[2J\tc") == "a\nb\\x1b[2J   c"


@given(st.text(), st.integers(1, 50))
@settings(max_examples=100, deadline=None)
def test_short_text_is_as_short_as_asked(text: str, width: int) -> None:
    """No cell is wider than its column."""
    assert len(short(text, width)) <= width


@given(st.floats(-1e300, 1e300) | st.sampled_from([math.nan, math.inf, -math.inf]))
@settings(max_examples=200, deadline=None)
def test_numbers_are_shown_close_to_what_they_are(value: float) -> None:
    """What is shown reads back as the number, to five digits; what is no number is named."""
    shown = number(value)
    if math.isnan(value):
        assert shown == "NaN"
    elif math.isinf(value):
        assert shown in ("∞", "-∞")
    else:
        assert math.isclose(float(shown.replace(",", "")), value, rel_tol=1e-4, abs_tol=1e-300)


@given(st.lists(st.floats(-1e8, 1e8), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_a_column_has_its_points_below_one_another(values: list[float]) -> None:
    """In a column of ordinary numbers all have the same number of places."""
    if any(v and abs(v) < 1e-4 for v in values):
        return
    assert len({len(text.partition(".")[2]) for text in numbers(values)}) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0, "0 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1m 00s"),
        (3599.4, "59m 59s"),
        (3600, "1h 00m"),
        (86399, "23h 59m"),
        (90_000, "1d 01h"),
        (-5, "0 ms"),
    ],
)
def test_durations_take_two_units_and_carry_over(seconds: float | None, text: str) -> None:
    """No duration says 60 seconds, 60 minutes or 24 hours."""
    assert duration(seconds) == text


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (999_900, "1.0 MB"), (2e12, "2.0 TB")])
def test_sizes_have_one_to_three_digits_before_the_point(count: float, text: str) -> None:
    """Sizes go to the next unit where people do."""
    assert size(count) == text
