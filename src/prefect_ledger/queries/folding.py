"""Floor 3, pure. What the rows of the audit log add up to, as a ledger is added up: models, their versions and aliases at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACTIONS = (
    "model.created model.renamed model.deleted model.restored version.registered version.moved version.deleted version.restored alias.moved"
).split()
_FOLDED = frozenset(ACTIONS)


@dataclass(slots=True)
class FoldedVersion:
    """A version, as far as the log is compared with the tables."""

    stage: str
    digest: str
    logged_id: str
    deleted: bool = False


@dataclass(slots=True)
class FoldedModel:
    """A registered model."""

    name: str
    deleted: bool = False
    versions: dict[int, FoldedVersion] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)

    def add(self, action: str, number: Any, after: Mapping[str, Any]) -> None:
        """Add what the next row says of this model; of what is not folded, nothing.

        Raises:
            KeyError, TypeError: the row says nothing that can be added up.
        """
        match action:
            case "version.registered":
                self.versions[number] = FoldedVersion(after["stage"], after["digest"], after["logged_id"])
            case "version.moved":
                self.versions[number].stage = after["stage"]
            case "alias.moved" if after["version"] is None:
                self.aliases.pop(after["alias"], None)
            case "alias.moved":
                self.aliases[after["alias"]] = after["version"]
            case "version.deleted" | "version.restored":
                self.versions[number].deleted = action == "version.deleted"
            case "model.deleted" | "model.restored":
                self.deleted = action == "model.deleted"
            case "model.renamed":
                self.name = after["name"]

    def meant(self, selector: str, *, alias: bool) -> int | None:
        """The version that a stage or an alias means: of several in a stage the highest, of a deleted model none, nor a deleted version."""
        if self.deleted:
            return None
        if alias:
            return self.aliases.get(selector)
        return max((number for number, one in self.versions.items() if one.stage == selector and not one.deleted), default=None)


class Folded:
    """What the rows of the log that were given add up to, by the ids of models."""

    def __init__(self) -> None:
        self.models: dict[int, FoldedModel] = {}

    def add(self, change: Mapping[str, Any]) -> None:
        """Add a row's text, the next one; one that says nothing that can be added up is left out."""
        try:
            if (action := change["action"]) not in _FOLDED:
                return
            if (model := self.models.get(change["model_id"])) is None:
                model = self.models[change["model_id"]] = FoldedModel(change["name"])
            model.add(action, change["version"], change["after"])
        except (KeyError, TypeError, AttributeError):
            return
