"""The target "kubernetes": its manifests say what Kubernetes knows, and nothing that was said becomes more than text."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from prefect_ledger.deploying.kubernetes import Kubernetes
from prefect_ledger.deploying.manifests import manifests, text
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, InvalidName, InvalidValue, UntrustedModel

IMAGE = "registry.example:5000/team/churn:7"
ALL = {"image": IMAGE, "cpu_limit": "2", "memory_limit": "2Gi", "pull_secret": "registry", "namespace": "models", "workers": 2}


def written(**config: Any) -> dict[str, dict[str, Any]]:
    """The manifests as they are read back from YAML."""
    made = manifests("churn", "m-" + "a" * 32, "b" * 64, {**Kubernetes.options, **ALL, **config})
    return {name: yaml.safe_load(text(one)) for name, one in made.items()}


@pytest.fixture
def target(tmp_path: Path) -> Kubernetes:
    return Kubernetes(tmp_path / "ledger")


def test_a_pod_has_no_right_that_it_does_not_need() -> None:
    """No root, no capability, no token, nothing to write to but a bounded /tmp; limits, and a digest that no other model has."""
    pod = written()["deployment.yaml"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert container["securityContext"] == wanted
    assert pod["volumes"] == [{"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}}]
    assert container["volumeMounts"] == [{"name": "scratch", "mountPath": "/tmp"}]
    assert container["resources"] == {"requests": {"cpu": "500m", "memory": "1Gi"}, "limits": {"memory": "2Gi", "cpu": "2"}}
    assert {"name": "PREFECT_LEDGER_MODEL_DIGEST", "value": "b" * 64} in container["env"]


def test_the_manifests_belong_together() -> None:
    """What selects finds the pods, what scales names the deployment, every probe asks the port that the server listens on."""
    found = written()
    deployment, service = found["deployment.yaml"]["spec"], found["service.yaml"]["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    for chosen in (deployment["selector"]["matchLabels"], service["selector"], found["disruption.yaml"]["spec"]["selector"]["matchLabels"]):
        assert chosen.items() <= labels.items()
    scaling = found["scaling.yaml"]["spec"]
    name = found["deployment.yaml"]["metadata"]["name"]
    assert scaling["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    assert (scaling["minReplicas"], scaling["maxReplicas"], "replicas" in deployment) == (2, 6, False)
    (container,) = deployment["template"]["spec"]["containers"]
    (port,) = container["ports"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/ping", "port": port["name"]}
    assert (service["ports"][0]["targetPort"], port["containerPort"]) == (port["name"], 8080)
    assert {one["metadata"]["namespace"] for one in found.values()} == {"models"}
    assert all(len(value) <= 63 for value in labels.values())
    assert {name: (one["apiVersion"], one["kind"]) for name, one in found.items()} == {
        "deployment.yaml": ("apps/v1", "Deployment"),
        "service.yaml": ("v1", "Service"),
        "disruption.yaml": ("policy/v1", "PodDisruptionBudget"),
        "scaling.yaml": ("autoscaling/v2", "HorizontalPodAutoscaler"),
    }


def test_nothing_scales_where_that_is_not_wanted() -> None:
    """As many replicas as at most: the deployment says how many, and there is no autoscaler."""
    found = written(replicas=3, max_replicas=3)
    assert found["deployment.yaml"]["spec"]["replicas"] == 3
    assert "scaling.yaml" not in found


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl knows the fields, and is not here")
def test_kubectl_knows_every_field_of_the_deployment(tmp_path: Path) -> None:
    """kubectl reads it into Kubernetes' own types, which lose what they do not know: all that was written comes back."""
    mine = written()["deployment.yaml"]
    (tmp_path / "deployment.yaml").write_text(text(mine))
    command = ["kubectl", "set", "env", "--local", "--filename", str(tmp_path / "deployment.yaml"), "A=b", "--output", "json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    )
    assert done.returncode == 0, done.stderr
    assert lost(mine, json.loads(done.stdout)) == []


def lost(mine: Any, theirs: Any, place: str = "") -> list[str]:
    """What of ``mine`` is not in ``theirs``."""
    if isinstance(mine, dict):
        found = theirs if isinstance(theirs, dict) else {}
        return [one for key, value in mine.items() for one in lost(value, found.get(key), f"{place}.{key}")]
    if isinstance(mine, list):
        items = theirs if isinstance(theirs, list) else []
        return [
            one
            for index, value in enumerate(mine)
            for one in lost(value, items[index] if index < len(items) else None, f"{place}[{index}]")
        ]
    return [] if mine == theirs else [f"{place}: {mine!r} is {theirs!r}"]


def test_manifests_are_written_changed_and_removed(target: Kubernetes, doubling: Path, tripling: Path) -> None:
    """Without a cluster the deployment stands as written, says what to type, and keeps no copy of the model."""
    with pytest.raises(UntrustedModel):
        target.create("churn", str(doubling), {"image": IMAGE})
    made = target.create("churn", str(doubling), {"image": IMAGE, "trust": True, "kube_context": "it's ours; rm -rf"})
    folder = Path(made.details["manifests"])
    assert made.state == "written"
    assert sorted(path.name for path in folder.iterdir()) == ["deployment.yaml", "disruption.yaml", "scaling.yaml", "service.yaml"]
    assert made.details["commands"] == [f"kubectl --context 'it'\"'\"'s ours; rm -rf' --namespace default apply --filename {folder}"]
    assert made.digest in (folder / "deployment.yaml").read_text()
    with pytest.raises(DeploymentFailed, match="apply them with"):
        target.predict("churn", [[1.0]])
    changed = target.update("churn", str(tripling), {"trust": True, "replicas": 4})
    assert (changed.digest != made.digest, folder.exists()) == (True, False)
    assert yaml.safe_load((Path(changed.details["manifests"]) / "scaling.yaml").read_text())["spec"]["minReplicas"] == 4
    target.delete("churn")
    assert target.list() == []


CLUSTER = """#!{python}
import json, pathlib, sys
state = pathlib.Path({state!r})
words = sys.argv[1:]
place = words[words.index("--filename") + 1] if "--filename" in words else ""
with (state / "asked").open("a") as file:
    file.write(" ".join(words) + "\\n")
if "get" in words and "--ignore-not-found" in words:
    print("deployment.apps/churn" if (state / "taken").exists() else "")
elif "get" in words:
    print(json.dumps(dict(status=dict(readyReplicas=1))))
elif "rollout" in words and (state / "bad").exists():
    sys.exit("error: timed out, token=hunter2hunter2")
"""


def test_what_is_applied_is_rolled_out_or_taken_back(
    target: Kubernetes, doubling: Path, tripling: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kubectl is asked in order, by a stand-in that writes down what; what does not roll out goes, or what was before comes back; a name
    that others have in the cluster is refused."""
    script, asked = tmp_path / "bin" / "kubectl", tmp_path / "asked"
    script.parent.mkdir()
    script.write_text(CLUSTER.format(python=sys.executable, state=str(tmp_path)))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(script.parent))

    def words() -> list[str]:
        lines = [line.removeprefix("--namespace models ").split(" --filename ") for line in asked.read_text().splitlines()]
        asked.write_text("")
        return [f"{line[0]} {Path(line[1]).relative_to(target.records.folder('churn'))}" if len(line) > 1 else line[0] for line in lines]

    config = {"image": IMAGE, "trust": True, "apply": True, "namespace": "models"}
    free, rolled = "get deployment churn --ignore-not-found --output name", "rollout status deployment/churn --timeout=300s"
    (tmp_path / "bad").touch()
    with pytest.raises(DeploymentFailed, match="timed out") as failed:
        target.create("churn", str(doubling), config)
    assert "hunter2" not in str(failed.value)
    one = words()
    assert [line.rpartition(" ")[0] for line in one] == [
        free.rpartition(" ")[0],
        "apply",
        rolled.rpartition(" ")[0],
        "delete --ignore-not-found",
    ]
    (tmp_path / "bad").unlink()
    first = target.create("churn", str(doubling), config)
    assert first.state == "serving"
    old = Path(first.details["manifests"]).name
    words()
    (tmp_path / "bad").touch()
    with pytest.raises(DeploymentFailed):
        target.update("churn", str(tripling), {"trust": True})
    assert words()[-1] == f"apply {old}"
    assert target.get("churn").digest == first.digest
    (tmp_path / "bad").unlink()
    words()
    target.update("churn", str(tripling), {"trust": True, "max_replicas": 2})
    assert words()[2] == f"delete --ignore-not-found {old}/scaling.yaml"
    with pytest.raises(InvalidValue, match="stays true"):
        target.update("churn", config={"trust": True, "apply": False})
    words()
    moved = target.update("churn", config={"trust": True, "namespace": "elsewhere"})
    told = asked.read_text()
    assert f"--namespace elsewhere apply --filename {moved.details['manifests']}\n" in told
    assert "--namespace models delete --ignore-not-found" in told
    target.delete("churn")
    assert "--namespace elsewhere delete --ignore-not-found" in asked.read_text()
    asked.write_text("")
    (tmp_path / "taken").touch()
    with pytest.raises(DeploymentExists, match="not ours"):
        target.create("churn", str(doubling), config)
    assert [line for line in words() if line.startswith(("apply", "delete"))] == []


@pytest.mark.parametrize(
    "config",
    [
        {"image": None},
        {"image": "churn:7\nUSER root"},
        {"image": "churn --privileged"},
        {"image": "$(id)"},
        {"namespace": "a b"},
        {"namespace": "--all"},
        {"cpu": "1; 2"},
        {"cpu": "0x1"},
        {"memory": "-1Gi"},
        {"memory": "1 Gi"},
        {"memory_limit": "1Gi\nprivileged: true"},
        {"scratch": "much"},
        {"replicas": 0},
        {"replicas": 9, "max_replicas": 3},
        {"target_cpu": 0},
        {"service": "ExternalName"},
        {"pull_secret": "../x"},
        {"kube_context": "--server=http://elsewhere"},
        {"url": "http://name:word@churn.example"},
        {"url": "file:///etc/passwd"},
        {"port": 0},
    ],
)
def test_what_kubernetes_would_refuse_or_misread_is_refused(target: Kubernetes, doubling: Path, config: dict[str, Any]) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidValue):
        target.create("churn", str(doubling), {"image": IMAGE, "trust": True, **config})
    assert target.list() == []
    assert not target.records.folder("churn").exists()


@pytest.mark.parametrize("model_id", ["m\nprivileged: true", "a" * 64, "", "-", "ä", "yes", "1e3"])
def test_an_id_of_a_model_becomes_a_label_or_nothing(model_id: str) -> None:
    """It is read back as the text it was, or left out."""
    made = manifests("churn", model_id, "b" * 64, {**Kubernetes.options, **ALL})["deployment.yaml"]
    labels = yaml.safe_load(text(made))["metadata"]["labels"]
    assert labels.get("prefect-ledger/model-id") in (None, model_id)
    assert all(isinstance(value, str) for value in labels.values())


@pytest.mark.parametrize("name", ["7-churn", "Churn", "a" * 64])
def test_names_that_a_service_cannot_have_are_refused(target: Kubernetes, doubling: Path, name: str) -> None:
    """A deployment elsewhere may begin with a digit; a service may not."""
    with pytest.raises(InvalidName):
        target.create(name, str(doubling), {"image": IMAGE, "trust": True})
