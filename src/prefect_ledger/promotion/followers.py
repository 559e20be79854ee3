"""Floor 5. The deployments that serve a registered model by what a stage or alias means, brought to what it means now."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prefect_ledger.errors import InvalidName, LedgerError

if TYPE_CHECKING:
    from prefect_ledger.deploying import Deployment
    from prefect_ledger.registered import ModelVersion

_TIMES, _PAUSE = 5, 1.0  # while somebody else changes the deployment


@dataclass(frozen=True, slots=True)
class Follower:
    """A deployment that follows, by its target and name, and whether it serves what it should; ``reason`` says why not."""

    target: str
    name: str
    url: str = ""
    ok: bool = True
    changed: bool = False
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Followers:
    """What follows, and which targets could not be asked, with their words."""

    found: tuple[Follower, ...] = ()
    unasked: Mapping[str, str] = field(default_factory=dict)


def bring(version: ModelVersion, *, targets: Sequence[str] | None = None) -> Followers:
    """Have each deployment of this model's stages and aliases serve ``version``, where it is what they mean now.

    Those made for a version by its number, or for a logged model, stay as they are. ``targets`` are those that are asked, all if not said:
    one that was named and cannot be asked is a follower that is not as it should be, another is only told of.
    """
    from prefect_ledger.deploying import target_names

    meanings = {version.stage, *(f"@{alias}" for alias in version.aliases)}
    found, unasked = list[Follower](), dict[str, str]()
    for target in target_names() if targets is None else targets:
        try:
            found += [_brought(one, version) for one in _following(target, version.name, meanings)]
        except LedgerError as error:
            unasked[target] = str(error)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # of a target of another package, or of the tools that it calls
            unasked[target] = f"{type(error).__name__}: {error}"
    if targets is not None:
        found += [Follower(target, "", ok=False, reason=words) for target, words in unasked.items()]
    return Followers(tuple(found), unasked)


def _following(target: str, name: str, meanings: Collection[str]) -> list[Deployment]:
    from prefect_ledger.deploying import get_target
    from prefect_ledger.tracking.references import parse

    found = []
    for one in get_target(target).list():
        try:
            meant = parse(one.model)
        except InvalidName:
            continue
        if meant.kind == "registry" and meant.text == name and meant.selector in meanings:
            found.append(one)
    return found


def _brought(one: Deployment, version: ModelVersion) -> Follower:
    from prefect_ledger.deploying import get_target

    begun, target = time.monotonic(), get_target(one.target)
    if one.digest == version.digest and one.state in ("serving", "written"):
        return Follower(one.target, one.name, one.url)
    reason = ""
    for turn in range(_TIMES):
        try:
            done = target.update(one.name)
        except LedgerError as error:
            reason = str(error)
            if "at this moment" not in reason or turn == _TIMES - 1:
                break
            time.sleep(_PAUSE)
            continue
        wrong = done.state == "failed" or done.digest != version.digest
        reason = f"it is {done.state}, and serves {done.model_id or done.model}" if wrong else ""
        return Follower(one.target, one.name, done.url, not wrong, True, reason, time.monotonic() - begun)
    return Follower(one.target, one.name, one.url, False, False, reason, time.monotonic() - begun)
