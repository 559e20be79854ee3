"""Floor 5. The target "kubernetes": manifests in a folder, applied only when that is asked for.

The image is one that the target "docker" makes, pushed to where the cluster finds it. The manifests name the model's digest, so that an
image with another model does not start.
"""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from prefect_ledger.deploying import asking, context, manifests, tool
from prefect_ledger.deploying.base import Deployment, check_name
from prefect_ledger.deploying.kept import KeptTarget, Seen
from prefect_ledger.deploying.local import check_numbers
from prefect_ledger.deploying.placing import Placed
from prefect_ledger.deploying.records import Record
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, InvalidName, InvalidValue


class Kubernetes(KeptTarget):
    """A Deployment, its Service, a PodDisruptionBudget and, with ``max_replicas`` above ``replicas``, a HorizontalPodAutoscaler.

    Options: ``image`` has to be given. ``cpu`` and ``memory`` are asked for, ``cpu_limit`` (none if not said) and ``memory_limit`` (as
    asked) bound; ``scratch`` is what /tmp may hold. ``apply`` has kubectl apply them, in its context ``kube_context``, and waits for
    ``timeout`` seconds. ``url``: where the service is reached from here, so that it can be asked.
    """

    name: ClassVar[str] = "kubernetes"
    options: ClassVar[Mapping[str, Any]] = {
        "image": None,
        "namespace": "default",
        "replicas": 2,
        "max_replicas": 6,
        "target_cpu": 70,
        "cpu": "500m",
        "cpu_limit": None,
        "memory": "1Gi",
        "memory_limit": None,
        "scratch": "256Mi",
        "workers": 1,
        "port": 80,
        "service": "ClusterIP",
        "pull_secret": None,
        "apply": False,
        "kube_context": None,
        "timeout": 300.0,
        "url": None,
        "trust": False,
    }

    def create(self, name: str, model: str, config: Mapping[str, Any] | None = None) -> Deployment:
        """The interface's; a Service's name is a little less free than others."""
        if not check_name(name)[0].isalpha():
            raise InvalidName(f"in Kubernetes a service's name begins with a letter, as in 'churn-7', not {name!r}")
        return super().create(name, model, config)

    def check(self, config: Mapping[str, Any]) -> None:
        """The interface's: what Kubernetes would refuse is refused before anything is written."""
        check_numbers(config, port=(1, 65535), workers=(1, 1024))
        if not config["image"]:
            raise InvalidValue("option 'image' is missing: the name of an image that the target 'docker' made, where the cluster finds it")
        context.check_image(config["image"])
        manifests.check_quantities(config)
        if config["service"] not in ("ClusterIP", "NodePort", "LoadBalancer"):
            raise InvalidValue(f"option 'service' is ClusterIP, NodePort or LoadBalancer, not {config['service']!r:.80}")
        if (one := config["kube_context"]) is not None and (not one or one.startswith("-") or not one.isprintable()):
            raise InvalidValue(f"option 'kube_context' is the name of one of kubectl's contexts, not {one!r:.80}")
        if config["url"] and (urlsplit(config["url"]).scheme not in ("http", "https") or "@" in config["url"]):
            raise InvalidValue("option 'url' is an address such as http://churn.example, without name and password")
        if config["apply"] and shutil.which("kubectl") is None:
            raise InvalidValue("option 'apply' needs kubectl, which is not here: leave it out, and apply the written manifests where it is")

    def start(self, record: Record, placed: Placed, before: Record | None) -> Record:
        """The interface's: manifests are written whole; applied where that is asked for."""
        folder = placed.folder.parent
        shutil.rmtree(placed.folder)  # its digest is what was wanted: the files are in the image
        for name, manifest in manifests.manifests(record.name, placed.model_id, placed.digest, record.config).items():
            (folder / name).write_text(manifests.text(manifest), encoding="utf-8")
        record = replace(record, details={"manifests": str(folder), "applied": False})
        standing = before if before is not None and before.details["applied"] else None
        if not record.config["apply"]:
            if standing is not None:
                raise InvalidValue(f"{record.name!r} is applied in a cluster: option 'apply' stays true, or delete it first")
            return record
        record = replace(record, details={**record.details, "applied": True})
        if standing is None or self._kubectl(standing) != self._kubectl(record):
            self._check_free(record)
            self._apply_new(record, folder, remember=before is None)
        else:
            self._apply_over(record, folder, standing)
        return record

    def see(self, record: Record) -> Seen:
        """The interface's: asked of kubectl, where it was applied."""
        known = {"manifests": record.details["manifests"]}
        if not record.details["applied"]:
            typed = shlex.join([*self._kubectl(record), "apply", "--filename", record.details["manifests"]])
            if (url := record.config["url"]) and (said := asking.metadata(url)) and said.get("digest") == record.digest:
                return Seen("serving", url, known)
            return Seen("written", "", {**known, "reason": f"apply them with: {typed}", "commands": [typed]})
        try:
            status = json.loads(tool.ask([*self._kubectl(record), "get", "deployment", record.name, "--output", "json"]))["status"]
        except (DeploymentFailed, ValueError, KeyError) as error:
            return Seen("failed", "", {**known, "reason": str(error)})
        ready = status.get("readyReplicas", 0)
        url = record.config["url"] or ""
        words = "" if url else "say where the service is reached from here (option 'url'), as after `kubectl port-forward`"
        return Seen(
            "serving" if ready else "starting", url if ready else "", {**known, "ready": ready, **({"reason": words} if words else {})}
        )

    def stop(self, record: Record, instance: str) -> None:
        """The interface's: what was applied is deleted, unless other manifests of this name have taken its place."""
        if not record.details.get("applied") or record.instance != instance:
            return
        records = self.records
        now = records.read(record.name) if records.has(record.name) else record
        if now.instance == instance or self._kubectl(now) != self._kubectl(record):
            self._delete(record, records.folder(record.name) / instance)

    # --- the cluster --------------------------------------------------------------------------------------------------------

    def _check_free(self, record: Record) -> None:
        found = tool.ask([*self._kubectl(record), "get", "deployment", record.name, "--ignore-not-found", "--output", "name"])
        if found.strip():
            raise DeploymentExists(
                f"the namespace {record.config['namespace']!r} has a deployment {record.name!r} that is not ours: give another name"
            )

    def _apply_new(self, record: Record, folder: Path, *, remember: bool) -> None:
        if remember:
            self.records.write(record)  # so that it can be deleted, should this process be killed now
        try:
            self._apply(record, folder)
        except BaseException:
            self._delete(record, folder)
            raise

    def _apply_over(self, record: Record, folder: Path, standing: Record) -> None:
        old = Path(standing.details["manifests"])
        try:
            self._apply(record, folder)
        except BaseException:
            tool.ask([*self._kubectl(standing), "apply", "--filename", str(old)], 60)
            raise
        for one in old.glob("*.yaml"):  # such as that of scaling, where it is not wanted any more
            if not (folder / one.name).exists():
                self._delete(standing, one)

    def _apply(self, record: Record, folder: Path) -> None:
        tool.ask([*self._kubectl(record), "apply", "--filename", str(folder)], 60)
        seconds = record.config["timeout"]
        wait = [*self._kubectl(record), "rollout", "status", f"deployment/{record.name}", f"--timeout={seconds:g}s"]
        tool.ask(wait, seconds + 30)

    def _delete(self, record: Record, place: Path) -> None:
        tool.ask([*self._kubectl(record), "delete", "--ignore-not-found", "--filename", str(place)], 120)

    def _kubectl(self, record: Record) -> list[str]:
        chosen = ["--context", record.config["kube_context"]] if record.config["kube_context"] else []
        return ["kubectl", *chosen, "--namespace", record.config["namespace"]]
