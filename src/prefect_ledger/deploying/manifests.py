"""Floor 5. Manifests for Kubernetes: what is applied so that an image serves a model there. Pure.

What they say is written by a YAML library from values that were checked, so that no text becomes structure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from prefect_ledger.deploying.context import PORT, USER
from prefect_ledger.errors import InvalidValue

_QUANTITY = re.compile(r"[1-9][0-9]*(\.[0-9]+)?(m|k|M|G|T|Ki|Mi|Gi|Ti)?")
_CPU = re.compile(r"[1-9][0-9]*m|[0-9]+(\.[0-9]{1,3})?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_BY = "app.kubernetes.io"


def check_quantities(config: Mapping[str, Any]) -> None:
    """Refuse names and amounts that Kubernetes would refuse.

    Raises:
        InvalidValue: it names the option and what it is to be.
    """
    for option, shape, example in (
        ("namespace", _NAMESPACE, "models"),
        ("cpu", _CPU, "500m"),
        ("cpu_limit", _CPU, "2"),
        ("memory", _QUANTITY, "1Gi"),
        ("memory_limit", _QUANTITY, "2Gi"),
        ("scratch", _QUANTITY, "256Mi"),
        ("pull_secret", _NAMESPACE, "registry"),
    ):
        if (value := config[option]) is not None and not shape.fullmatch(value):
            raise InvalidValue(f"option {option!r} is written as in {example!r}, not {value!r:.80}")
    if not 1 <= config["replicas"] <= config["max_replicas"] <= 1000:
        raise InvalidValue(
            f"option 'replicas' is 1 or more and 'max_replicas' as many or more, not {config['replicas']!r} and {config['max_replicas']!r}"
        )
    if not 1 <= config["target_cpu"] <= 100:
        raise InvalidValue(f"option 'target_cpu' is a percentage of the cpu asked for, from 1 to 100, not {config['target_cpu']!r}")


def manifests(name: str, model_id: str, digest: str, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The manifests by the names of their files.

    Example:
        >>> from prefect_ledger.deploying.kubernetes import Kubernetes
        >>> sorted(manifests("churn", "m-1", "0" * 64, {**Kubernetes.options, "image": "churn:7"}))
        ['deployment.yaml', 'disruption.yaml', 'scaling.yaml', 'service.yaml']
    """
    chosen = {f"{_BY}/name": "prefect-ledger", f"{_BY}/instance": name}
    labels = {**chosen, f"{_BY}/managed-by": "prefect-ledger", "prefect-ledger/digest": digest[:63]}
    if _LABEL.fullmatch(model_id):
        labels["prefect-ledger/model-id"] = model_id
    about = {"name": name, "namespace": config["namespace"], "labels": labels}

    def one(api: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": api, "kind": kind, "metadata": {**about, "annotations": {"prefect-ledger/digest": digest}}, "spec": spec}

    deployment = {
        "replicas": config["replicas"],
        "selector": {"matchLabels": chosen},
        # The old pods go when the new ones are ready.
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
        "template": {"metadata": {"labels": labels}, "spec": _pod(name, digest, config)},
    }
    if config["max_replicas"] > config["replicas"]:
        del deployment["replicas"]  # whoever scales it says how many; to apply this again must not undo that
    ports = [{"name": "http", "port": config["port"], "targetPort": "http", "protocol": "TCP"}]
    found = {
        "deployment.yaml": one("apps/v1", "Deployment", deployment),
        "service.yaml": one("v1", "Service", {"type": config["service"], "selector": chosen, "ports": ports}),
        "disruption.yaml": one("policy/v1", "PodDisruptionBudget", {"maxUnavailable": 1, "selector": {"matchLabels": chosen}}),
    }
    if config["max_replicas"] > config["replicas"]:
        found["scaling.yaml"] = one("autoscaling/v2", "HorizontalPodAutoscaler", _scaling(name, config))
    return found


def text(manifest: Mapping[str, Any]) -> str:
    """As YAML, without anchors."""
    import json

    import yaml

    return str(yaml.safe_dump(json.loads(json.dumps(manifest)), sort_keys=False, default_flow_style=False))


def _pod(name: str, digest: str, config: Mapping[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "terminationGracePeriodSeconds": 45,
        "containers": [_container(name, digest, config)],
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": config["scratch"]}}],
    }
    if config["pull_secret"]:
        spec["imagePullSecrets"] = [{"name": config["pull_secret"]}]
    return spec


def _container(name: str, digest: str, config: Mapping[str, Any]) -> dict[str, Any]:
    limits = {"memory": config["memory_limit"] or config["memory"]}
    if config["cpu_limit"]:
        limits["cpu"] = config["cpu_limit"]
    ping = {"httpGet": {"path": "/ping", "port": "http"}, "timeoutSeconds": 5}
    return {
        "name": name,
        "image": config["image"],
        "args": ["serve"],
        # An image with another model refuses to start.
        "env": [
            {"name": "PREFECT_LEDGER_MODEL_DIGEST", "value": digest},
            {"name": "PREFECT_LEDGER_SERVE_WORKERS", "value": str(config["workers"])},
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {**ping, "periodSeconds": 2, "failureThreshold": 150},
        "readinessProbe": {**ping, "periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": {**ping, "periodSeconds": 10, "failureThreshold": 6},
        # A pod that is to end stays for a moment, until nobody is sent to it any more.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
        "resources": {"requests": {"cpu": config["cpu"], "memory": config["memory"]}, "limits": limits},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108  # in the container
    }


def _scaling(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": config["target_cpu"]}
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": config["replicas"],
        "maxReplicas": config["max_replicas"],
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
    }
