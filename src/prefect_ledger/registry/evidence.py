"""Floor 5. The evidence of a request: what the ledger recorded of both sides, what they predicted, and where that is kept.

It is kept under its digest: the JSON in the store, the arrays (which no pickle is needed for) below the artifact root. What is read back is
what was judged, or an error.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from prefect_ledger.audit_chain import canonical
from prefect_ledger.errors import EvidenceCorrupt, NotFound
from prefect_ledger.tracking.ledger import ledger

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.gates import Evidence, Side
    from prefect_ledger.registered import ModelVersion

FOLDER = "registry/evidence"


class Kept(NamedTuple):
    """Evidence that stands: its digest, its JSON, the digest of its arrays and where they are ("" where there are none)."""

    digest: str
    content: str
    arrays: str = ""
    uri: str = ""


def side(tx: Any, one: ModelVersion, latency: tuple[float, ...] = ()) -> Side:
    """What the ledger says of a version: metrics, parameters and tags of its run, size and signature of its model."""
    from prefect_ledger.gates import Side
    from prefect_ledger.queries import details, models

    logged = models.by_id(tx, one.logged_id)
    if logged is None:
        raise NotFound(f"the logged model of version {one.version} of {one.name!r} is gone: {one.logged_id}")
    run = details.runs(tx, [one.run_id], None)[0]
    return Side(
        name=one.name,
        version=one.version,
        digest=one.digest,
        metrics=dict(run.metrics),
        params=dict(run.params),
        tags={**run.tags, **one.tags},
        size=logged.size,
        signature=logged.details.get("signature"),
        latency=latency,
    )


def facts(tx: Any, one: ModelVersion) -> dict[str, Any]:
    """What is kept beside the two sides: the commit of the candidate's code, and the data it used."""
    from prefect_ledger.queries import details

    commit = details.facts(tx, one.run_id).get("git", {})
    return {"run_id": one.run_id, "git": commit, "datasets": datasets(tx, one)}


def datasets(tx: Any, one: ModelVersion) -> list[list[str]]:
    """Name, digest and context of the data that the run of a version used."""
    from prefect_ledger.queries import details

    return [[name, digest, context] for name, digest, context in details.dataset_uses(tx, one.run_id)]


def by_tags(gates: Sequence[Any]) -> bool:
    """Whether one of the gates may look at tags: an expression that names some, or somebody's own function."""
    from prefect_ledger.gates import FUNCTIONS

    expressions = [gate if isinstance(gate, str) else gate.get("expression", "") for gate in gates]
    named = [gate.get("gate", "") for gate in gates if not isinstance(gate, str)]
    return any("tag" in one.lower() for one in expressions) or any(name and name not in FUNCTIONS for name in [*named, *_bare(expressions)])


def _bare(expressions: Sequence[str]) -> list[str]:
    """Those that are one word: the name of somebody's function."""
    return [word for text in expressions if re.fullmatch(r"[A-Za-z_][\w-]*", word := text.strip())]


def standing(tx: Any, candidate: ModelVersion, champion: ModelVersion | None, *, tags: bool) -> dict[str, Any]:
    """What an approval rests on and may change: compared when somebody votes, and when the version moves. Tags only where they are
    judged: they are notes otherwise."""
    found: dict[str, Any] = {}
    for what, one in (("candidate", candidate), ("champion", champion)):
        if one is None:
            found[what] = None
            continue
        told = side(tx, one).to_json()
        parts = {key: _digest(told[key]) for key in ("metrics", "params", "size", "signature", *(("tags",) if tags else ()))}
        found[what] = {"version": one.version, "digest": one.digest, **parts, "data": _digest(datasets(tx, one))}
    return found


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What of the standing is another now, in a sentence; "" where nothing is."""
    for what in ("candidate", "champion"):
        then, here = before.get(what), now.get(what)
        if then == here:
            continue
        if then is None:
            return f"version {here['version']} became the champion, and there was none"  # type: ignore[index]
        if here is None:
            return f"version {then['version']} is not the champion any more"
        if then["version"] != here["version"]:
            return f"the champion is version {here['version']} now, and was version {then['version']}"
        parts = [key for key in then if then[key] != here.get(key)]
        return f"the {', '.join(parts)} of the {what} (version {then['version']}) changed"
    return ""


def keep(evidence: Evidence) -> Kept:
    """Put the arrays of evidence where they stay; the JSON is for :func:`write`, in the transaction of the request."""
    arrays = evidence.arrays()
    told: dict[str, Any] = {"evidence": evidence.to_json(), "arrays": ""}
    if not arrays:
        content = canonical(told)
        return Kept(hashlib.sha256(content.encode()).hexdigest(), content)
    data = _packed(arrays)
    told["arrays"] = hashlib.sha256(data).hexdigest()
    content = canonical(told)
    store = ledger().artifacts
    stored = store.put_bytes(f"{store.root.rstrip('/')}/{FOLDER}", f"{told['arrays']}.npz", data)
    return Kept(hashlib.sha256(content.encode()).hexdigest(), content, told["arrays"], stored.uri)


def write(chain: Chain, kept: Kept) -> None:
    """Write evidence into the store."""
    from prefect_ledger import request_store as store

    store.add_evidence(chain, kept.digest, kept.content, kept.arrays, kept.uri)


def read(tx: Any, digest: str) -> Evidence:
    """The evidence of this digest, every byte checked.

    Raises:
        EvidenceNotFound. EvidenceCorrupt: it is not what was judged. ArtifactNotFound, ArtifactsUnavailable: of its arrays.
    """
    from prefect_ledger import request_store as store
    from prefect_ledger.gates import evidence_of

    content, arrays, uri = store.evidence(tx, digest)
    _check(digest, content)
    try:
        told = json.loads(content)
        if told["arrays"] != arrays:
            raise EvidenceCorrupt(f"the evidence {digest} names other arrays than its row")
        data = ledger().artifacts.read_bytes(uri, sha256=arrays) if arrays else b""
        return evidence_of(told["evidence"], _unpacked(data) if data else {})
    except (ValueError, TypeError, KeyError) as error:
        raise EvidenceCorrupt(f"the evidence {digest} does not read as evidence: {error}") from error


def told(tx: Any, digest: str) -> dict[str, Any]:
    """What evidence says, without its arrays, its digest checked.

    Raises:
        EvidenceNotFound, EvidenceCorrupt.
    """
    from prefect_ledger import request_store as store

    content = store.evidence(tx, digest)[0]
    _check(digest, content)
    try:
        return dict(json.loads(content)["evidence"])
    except (ValueError, TypeError, KeyError) as error:
        raise EvidenceCorrupt(f"the evidence {digest} does not read as evidence: {error}") from error


def check_text(tx: Any, digest: str) -> None:
    """Refuse evidence that is gone, or whose JSON is not what was judged; its arrays are not asked for.

    Raises:
        EvidenceNotFound, EvidenceCorrupt.
    """
    from prefect_ledger import request_store as store

    _check(digest, store.evidence(tx, digest)[0])


def _check(digest: str, content: str) -> None:
    if hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest() != digest:
        raise EvidenceCorrupt(f"the evidence {digest} was changed: its digest is another")


def _packed(arrays: Mapping[str, Any]) -> bytes:
    """The arrays as ``.npz``, the same bytes for the same arrays: members in order, all of one date."""
    import zipfile

    import numpy as np

    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name in sorted(arrays):
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asarray(arrays[name], order="C"), allow_pickle=False)
            file.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_DEFLATED)
    return data.getvalue()


def _unpacked(data: bytes) -> dict[str, Any]:
    import numpy as np

    with np.load(io.BytesIO(data), allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def _digest(value: Any) -> str:
    return hashlib.sha256(canonical({"value": value}).encode()).hexdigest()
