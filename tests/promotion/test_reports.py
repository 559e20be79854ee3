"""Reports of what anybody may have written: whatever it is, a pull request shows it as text, and calls nobody."""

from __future__ import annotations

import re
import unicodedata
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger.gates import Report, Verdict
from prefect_ledger.promotion import Check, Promotion
from prefect_ledger.promotion.report import escaped, junit, markdown

_NASTY = "@octocat <b> \x1b[31m \u202eabc\u2028z \ud800 \x00 `x`\n# head"


def _seen(text: str) -> str:
    """``text`` without what reports use themselves."""
    return text.replace("\n", "")


def test_nobody_is_called_and_nothing_is_hidden() -> None:
    """No name in a comment of a pull request calls somebody, nor do our own aliases; what turns the writing or moves a terminal's cursor is
    written out; the report can be written as UTF-8 whatever a model said."""
    checks = (Check("@champion means version 1", True, "it means version 1"), Check(_NASTY, False, _NASTY))
    text = markdown(Promotion("churn", 1, "production", "failed", _NASTY, checks=checks, unasked={_NASTY: _NASTY}))
    assert not re.search(r"@\w", text)
    assert _seen(text).isprintable()
    assert "\\\\u202eabc" in text
    assert text.encode()
    ElementTree.fromstring(junit(Promotion("churn", 1, "production", "failed", _NASTY, checks=checks)))


def test_what_gates_say_calls_nobody_either() -> None:
    """Names of metrics and tags, which gates repeat, are written by anybody too."""
    text = Report((Verdict("size", _NASTY, False, _NASTY),)).to_markdown()
    assert not re.search(r"@\w|<b>|\n# ", text)
    assert _seen(text).isprintable()


@given(st.text())
def test_escaped_text_is_one_line_that_can_be_seen(text: str) -> None:
    """Whatever the text: one line without what nobody would see but for joiners, without a tag, a mark or a call."""
    found = escaped(text)
    assert not {unicodedata.category(char) for char in found if char not in "\u200c\u200d"} & {"Cc", "Cf", "Zl", "Zp", "Cs"}
    assert not re.search(r"[<>]|@(?!&#8203;)|(?<!\\)(?:\\\\)*[`*_|~]", found)


@pytest.mark.parametrize("text", ["churn-eu", "better on March, 0.9 > 0.8", "völlig 日本語 🚀"])
def test_what_harms_nobody_is_read_as_it_was_written(text: str) -> None:
    """Words, numbers and letters of every script stay what they are."""
    assert escaped(text).replace("&gt;", ">") == text
