"""Floor 5. Targets that keep what they know on this machine: what they have in common, whatever it is that serves."""

from __future__ import annotations

import builtins
import shutil
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from prefect_ledger.deploying.asking import ask
from prefect_ledger.deploying.base import Deployment, State, Target, check_config, check_name
from prefect_ledger.deploying.placing import Placed, place
from prefect_ledger.deploying.records import Record, Records
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, DeploymentNotFound, InvalidValue
from prefect_ledger.models import flavors, trust


class Seen(NamedTuple):
    """How a deployment is now: its state, where it answers, and what else there is to say."""

    state: State
    url: str = ""
    details: Mapping[str, Any] = {}


class KeptTarget(Target):
    """A target whose deployments have records below the ledger's home."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = home

    @property
    def records(self) -> Records:
        """What is remembered."""
        from prefect_ledger.tracking.ledger import ledger

        return Records(self.name, self._home or ledger().settings.home)

    # --- what each of them does its own way -----------------------------------------------------------------------------

    def check(self, config: Mapping[str, Any]) -> None:
        """Refuse options that cannot be. Raises InvalidValue."""

    @abstractmethod
    def start(self, record: Record, placed: Placed, before: Record | None) -> Record:
        """Have the model in ``placed.folder`` served; returns the record with what is to be remembered.

        Raises:
            DeploymentFailed: it does not serve. What was begun for it is ended by ``stop``.
        """

    @abstractmethod
    def see(self, record: Record) -> Seen:
        """How it is now."""

    @abstractmethod
    def stop(self, record: Record, instance: str) -> None:
        """End what was begun for this instance of the deployment; no error where nothing is left."""

    # --- what all of them do alike ----------------------------------------------------------------------------------------

    def create(self, name: str, model: str, config: Mapping[str, Any] | None = None) -> Deployment:
        """Deploy it; see the interface."""
        check_name(name)
        options = check_config(config, self.options, self.name)
        self.check(options)
        records = self.records
        with records.held(name, DeploymentExists):
            if records.has(name):
                raise DeploymentExists(f"the target {self.name!r} has a deployment {name!r} already: update it, or give another name")
            self._clear(name)
            record = self._bring(name, model, options, None)
        return self._told(record)

    def update(self, name: str, model: str | None = None, config: Mapping[str, Any] | None = None) -> Deployment:
        """Bring something else into place; see the interface. Options that are not given stay, but for ``trust``, said each time."""
        records = self.records
        records.read(name)
        with records.held(name):
            before = records.read(name)
            kept = {key: value for key, value in before.config.items() if key in self.options and key != "trust"}
            options = check_config({**kept, **(config or {})}, self.options, self.name)
            self.check(options)
            record = self._bring(name, model or before.model, options, before)
            for folder in records.instances(name):
                if folder.name != record.instance:
                    self.stop(before, folder.name)
                    shutil.rmtree(folder, ignore_errors=True)
        return self._told(record)

    def delete(self, name: str) -> None:
        """Stop and remove it; see the interface."""
        records = self.records
        if not records.folder(name).is_dir():
            records.read(name)  # says what there is
        with records.held(name):
            self._clear(name)

    def list(self) -> builtins.list[Deployment]:
        """All there are; see the interface."""
        found = []
        for name in self.records.names():
            try:
                found.append(self.get(name))
            except DeploymentNotFound:  # removed meanwhile
                continue
            except InvalidValue as error:
                found.append(Deployment(name, self.name, "failed", "", details={"reason": str(error)}))
        return found

    def get(self, name: str) -> Deployment:
        """One of them; see the interface."""
        return self._told(self.records.read(name))

    def predict(self, name: str, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Ask it; see the interface."""
        one = self.get(name)
        if not one.url:
            raise DeploymentFailed(f"the deployment {name!r} of {self.name!r} does not answer: {one.details.get('reason') or one.state}")
        return ask(one.url, data, params)

    def _bring(self, name: str, model: str, options: Mapping[str, Any], before: Record | None) -> Record:
        records = self.records
        folder = records.begin(name)
        record = Record(name, str(model), "", "", datetime.now(UTC).isoformat(), folder.name, dict(options))
        try:
            placed = place(str(model), folder / "model", trust=bool(options.get("trust")))
            trust.check(str(model), trust.dangers(placed.folder, placed.file, *flavors.of_file(placed.file)), trust=placed.trusted)
            record = replace(record, model_id=placed.model_id, digest=placed.digest)
            return records.write(self.start(record, placed, before))
        except BaseException:  # also when the user has had enough: nothing half may stay
            self.stop(record, folder.name)
            if before is None:
                records.remove(name)
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _clear(self, name: str) -> None:
        """Remove a deployment, or what one left that was killed while it was made."""
        records = self.records
        try:
            record = records.read(name)
        except (DeploymentNotFound, InvalidValue):
            record = Record(name, "", "", "", "", "")
        for folder in records.instances(name):
            self.stop(record, folder.name)
        records.remove(name)

    def _told(self, record: Record) -> Deployment:
        try:
            seen, created = self.see(record), datetime.fromisoformat(record.created)
        except (KeyError, ValueError) as error:
            raise InvalidValue(
                f"the record of {record.name!r} is none of this version ({error!r}): `deploy delete {self.name} {record.name}` removes it"
            ) from error
        what = (record.name, self.name, seen.state, record.model, record.model_id, record.digest, seen.url, created)
        return Deployment(*what, details=dict(seen.details))
