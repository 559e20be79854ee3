"""How two versions of a model differ: what they are, what they take, how they were made and how good they were."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from prefect_ledger.formats import moment, size

from ..data import models, promotions
from ..data.models import Whole
from . import facts, links, persons, said


def show(found: Whole) -> None:
    """Show them, beside the version that the address names."""
    one = found.one
    others = [str(version.version) for version in models.versions(one.name) if version.version != one.version]
    if not others:
        st.info("It is the only version.", icon=":material/inbox:")
        return
    named = st.query_params.get("beside")
    place = others.index(named) if named in others else _champion(found, others)
    beside = st.selectbox("Beside version", others, index=place, key=f"beside-{one.name}-{one.version}", width=260)
    st.query_params["beside"] = beside  # also where it is the one that is offered: that may be another tomorrow
    other = models.whole(one.name, beside)
    heads = ("", f"version {one.version}", f"version {other.one.version}")
    _table("What they are", models.beside(_about(found), _about(other)), heads)
    _table("Signature", models.beside(_signature(found), _signature(other)), heads)
    _metrics(found, other, heads)
    _table("Parameters", models.beside(_params(found), _params(other)), heads)
    _table("Data", models.beside(_data(found), _data(other)), heads)
    _table("Packages", models.beside(models.packages(one.run_id), models.packages(other.one.run_id)), heads)
    _table("Judged", models.beside(_judged(found), _judged(other)), heads)
    if found.run and other.run:
        links.link("Both runs, with their curves", "compare", icon=":material/compare_arrows:", runs=f"{one.run_id},{other.one.run_id}")


def _champion(found: Whole, others: list[str]) -> int:
    """The place of the version that is in production, else of the one before."""
    now = str(models.get(found.one.name).stages.get("production", ""))
    before = next((text for text in others if int(text) < found.one.version), others[0])
    return others.index(now if now in others else before)


def _table(title: str, rows: list[tuple[str, Any, Any]], heads: tuple[str, str, str]) -> None:
    if not rows:
        st.caption(f"{title}: no difference.")
        return
    st.subheader(title, anchor=False)
    facts.table([(key, *("" if value is None else str(value) for value in values)) for key, *values in rows], heads)


def _metrics(found: Whole, other: Whole, heads: tuple[str, str, str]) -> None:
    mine, theirs = (dict(one.run.metrics) if one.run else {} for one in (found, other))
    rows = models.beside(mine, theirs)
    if not rows:
        st.caption("Metrics: no difference.")
        return
    st.subheader("Metrics", anchor=False)
    frame = pd.DataFrame(rows, columns=["metric", *heads[1:]])
    numbers = [pd.to_numeric(frame[name]) for name in heads[1:]]
    frame = frame.assign(**dict(zip(heads[1:], numbers, strict=True)), difference=numbers[0] - numbers[1])
    st.dataframe(
        frame, hide_index=True, column_config={name: st.column_config.NumberColumn(format="%.6g") for name in (*heads[1:], "difference")}
    )


def _about(found: Whole) -> Mapping[str, Any]:
    one, logged = found.one, found.logged
    about: dict[str, Any] = {"stage": one.stage, "aliases": ", ".join(one.aliases), "by": persons.text(one.author)}
    about |= {"registered": moment(one.created_at), "digest": one.digest[:16], "description": one.description}
    if logged is not None:
        about |= {"flavor": logged.flavor, "size": size(logged.size)}
    return about | {f"tag {key}": value for key, value in one.tags.items()}


def _signature(found: Whole) -> Mapping[str, str]:
    signature = found.signature
    if signature is None:
        return {}
    told: dict[str, str] = {}
    for kind, schema in (("input", signature.inputs), ("output", signature.outputs)):
        fields: tuple[Any, ...] = schema.fields if schema else ()
        for place, field in enumerate(fields):
            told[f"{kind} {place if field.name is None else field.name}"] = str(field).partition(": ")[2] or str(field)
    return told | {f"parameter {one.name}": str(one).partition(": ")[2] for one in signature.params}


def _params(found: Whole) -> Mapping[str, str]:
    return dict(found.run.params) if found.run else {}


def _data(found: Whole) -> Mapping[str, str]:
    return {f"{one.name} ({one.context})" if one.context else one.name: one.digest[:16] for one in models.datasets(found.one.run_id)}


def _judged(found: Whole) -> Mapping[str, str]:
    """The newest request for each stage: what its gates said, and on which evidence."""
    told: dict[str, str] = {}
    for one in promotions.listed(found.one.name, None):
        if one.version == found.one.version:
            gates = "gates passed" if one.passed else "gates refused"
            told.setdefault(f"for {one.stage}", f"request {one.id} ({promotions.state_now(one)}), {gates}")
    return {said.text(key): value for key, value in told.items()}
