"""The target "sagemaker": moto for SageMaker (with what it lacks, see ``sagemaker_service``), a real S3 server, a real server of ours."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from prefect_ledger import start_run
from prefect_ledger.cli import app
from prefect_ledger.deploying import get_target, sagemaker, sagemaker_parts
from prefect_ledger.deploying.base import Deployment
from prefect_ledger.deploying.sagemaker import SageMaker
from prefect_ledger.deploying.sagemaker_archive import pack
from prefect_ledger.deploying.sagemaker_options import TRANSFORM_OPTIONS, checked, config_request, tag_list, transform_request
from prefect_ledger.errors import (
    ArtifactCorrupt,
    DeploymentExists,
    DeploymentFailed,
    DeploymentNotFound,
    InvalidName,
    InvalidValue,
    MissingExtra,
    UntrustedModel,
)
from prefect_ledger.models.manifest import folder_digest
from prefect_ledger.serving.following import Followed
from prefect_ledger.tracking.ledger import Ledger
from tests.deploying.sagemaker_service import REGION, Service, extend, moto_server, runtime
from tests.services_real.processes import clean_environment, dies_with_us, free_port, start, stop, wait_until
from tests.services_real.s3 import S3Server, keys, uploads
from tests.serving.running import Server

ALWAYS = 1 << 30
PLACES = ("s3://my-data/rows/", "s3://my-data/predictions/")
ROLE = "arn:aws:iam::123456789012:role/serving"
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/serving:1"


@pytest.fixture(scope="module")
def moto(s3: S3Server) -> Iterator[str]:
    """SageMaker, to which boto3's own variables lead, as they lead to the S3 server."""
    with moto_server() as url, pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in {**s3.environment(), "AWS_ENDPOINT_URL_SAGEMAKER": url}.items():
            patch.setenv(name, value)
        patch.setattr(SageMaker, "poll", 0.001)
        patch.setattr(sagemaker_parts, "_PAUSE", 0.001)
        yield url


@pytest.fixture(scope="module")
def target(moto: str) -> SageMaker:
    """One for all tests, so that boto3's clients are made once."""
    found = get_target("sagemaker")
    assert isinstance(found, SageMaker)
    return found


@pytest.fixture
def service(moto: str, monkeypatch: pytest.MonkeyPatch) -> Service:
    """An empty SageMaker."""
    one = Service(moto)
    one.reset()
    extend(monkeypatch, one)
    return one


@pytest.fixture
def bucket(s3: S3Server) -> str:
    return s3.bucket()


@pytest.fixture
def config(bucket: str) -> dict[str, Any]:
    """What every deployment has to say; the model is a folder, for whose code nobody answers."""
    return {"bucket": bucket, "image_url": IMAGE, "execution_role_arn": ROLE}


def container(service: Service) -> dict[str, Any]:
    """How the one model that stands is run."""
    (model,) = service.backend._models.values()
    found: dict[str, Any] = model.response_object["PrimaryContainer"]
    return found


def archive_of(s3: S3Server, url: str) -> tuple[bytes, dict[str, Any]]:
    bucket, _, key = url.removeprefix("s3://").partition("/")
    client = s3.client()
    found = client.get_object(Bucket=bucket, Key=key)
    with found["Body"] as body:
        data: bytes = body.read()
    client.close()
    return data, found


def test_a_model_of_the_ledger_is_deployed(
    target: SageMaker, service: Service, config: dict[str, Any], fresh_ledger: Ledger, s3: S3Server
) -> None:
    """Archive, model, configuration and endpoint stand, say whose they are, and the image is told the digest it may open."""
    with start_run(experiment="deploying") as run:
        logged = run.log_model(lambda data: [2 * x for x in data], "double", requirements=[])
        service.states[:] = ["Creating", "Creating", "InService"]
        made = target.create("churn", logged.uri, {**config, "tags": {"team": "risk"}, "prefix": "serving/eu"})
    assert (made.name, made.target, made.state, made.model) == ("churn", "sagemaker", "serving", logged.uri)
    assert (made.model_id, made.digest) == (logged.id, logged.digest)
    assert made == target.get("churn")
    assert [made] == target.list()
    url = made.details["archive"]
    assert url.startswith(f"s3://{config['bucket']}/serving/eu/churn/")
    environment = {"PREFECT_LEDGER_MODEL": "/opt/ml/model", "PREFECT_LEDGER_MODEL_DIGEST": logged.digest}
    told = container(service)
    assert (told["Image"], told["ModelDataUrl"], told["Environment"]) == (IMAGE, url, environment)
    _, stored = archive_of(s3, url)
    assert stored["Metadata"]["digest"] == logged.digest
    for one in (*service.backend.endpoints.values(), *service.backend.endpoint_configs.values(), *service.backend._models.values()):
        tags = {tag["Key"]: tag["Value"] for tag in one.tags}
        assert tags["team"] == "risk"
        assert tags["prefect-ledger:deployment"] == "churn"
        assert tags["prefect-ledger:model-id"] == logged.id
        assert tags["prefect-ledger:digest"] == logged.digest
        assert tags["prefect-ledger:reference"] == logged.uri
    target.delete("churn")
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    assert keys(s3, config["bucket"]) == {}


@contextmanager
def served(environment: dict[str, str], folder: Path) -> Iterator[Server]:
    """What the image runs when SageMaker says ``docker run IMAGE serve``: the command alone, and the environment."""
    port, log = free_port(), folder / "serve.log"
    more = {"PREFECT_LEDGER_SERVE_PORT": str(port), "PREFECT_LEDGER_HOME": str(folder / "ledger"), "PREFECT_HOME": str(folder / "prefect")}
    command = [*dies_with_us(), sys.executable, "-m", "prefect_ledger.cli", "serve"]
    child = start(command, log, env=clean_environment(**more, **environment), cwd=folder)
    one = Server(port, child)

    def ready() -> bool:
        try:
            return one.ask(None, "/ping")[0] == 200
        except OSError:
            return False

    try:
        wait_until(ready, child, log, seconds=60)
        yield one
    finally:
        stop(child, signal.SIGTERM)


def test_what_stands_in_s3_is_what_the_image_serves(
    target: SageMaker,
    service: Service,
    config: dict[str, Any],
    doubling: Path,
    s3: S3Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The archive, unpacked, has the digest that the image is told, is served, and is asked through SageMaker's runtime."""
    made = target.create("churn", str(doubling), {**config, "trust": True})
    data, _ = archive_of(s3, made.details["archive"])
    folder = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        found.extractall(folder, filter="data")
    assert folder_digest(folder) == made.digest == container(service)["Environment"]["PREFECT_LEDGER_MODEL_DIGEST"]
    environment = container(service)["Environment"] | {"PREFECT_LEDGER_MODEL": str(folder)}
    with served(environment, tmp_path) as one, runtime(one.port) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", url)
        target = SageMaker()
        assert one.ask(None, "/ping")[0] == 200
        assert one.ask({"inputs": [[1.0, 2.0]]})[1] == {"predictions": [[2.0, 4.0]]}
        assert target.predict("churn", np.array([[1.0, 2.0]])) == [[2.0, 4.0]]
        assert target.predict("churn", [[1.0, 2.0]], {"times": 5.0}) == [[5.0, 10.0]]
        assert target.predict("churn", pd.DataFrame({"0": [3.0], "1": [4.0]})) == [[6.0, 8.0]]
        with pytest.raises(DeploymentFailed, match="server answers 500: the model failed on this input"):
            target.predict("churn", [[13.0, 1.0]])
        with pytest.raises(DeploymentNotFound, match="no endpoint 'other' in us-east-1"):
            target.predict("other", [[1.0, 2.0]])
        with pytest.raises(InvalidValue):
            target.predict("churn", [[float("inf"), 1.0]])


def test_an_endpoint_that_is_not_of_our_image_is_said_to_be_so(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto's invented answer is no JSON: its words are in the message."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", service.url)
    with pytest.raises(DeploymentFailed, match="no JSON with 'predictions' but 'body'"):
        SageMaker().predict("churn", [[1.0]])


def test_nobody_answers_for_a_folder(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model from elsewhere gets no digest, so that the image opens it only if that runs no code; with ``trust`` it gets one."""
    target.create("churn", str(doubling), config)
    assert container(service)["Environment"] == {"PREFECT_LEDGER_MODEL": "/opt/ml/model", "PREFECT_LEDGER_MODEL_DIGEST": ""}
    monkeypatch.setenv("PREFECT_LEDGER_MODEL", str(doubling))
    monkeypatch.setenv("PREFECT_LEDGER_MODEL_DIGEST", "")
    _, asked, _ = app.parse_args(["serve"], exit_on_error=False, print_error=False)
    asked.apply_defaults()
    with pytest.raises(UntrustedModel):
        Followed(asked.arguments["reference"], digest=asked.arguments["digest"])


def test_the_command_says_options_as_text(
    service: Service, config: dict[str, Any], doubling: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Numbers, lists and mappings of ``-C`` are JSON; what is made is told as JSON too."""
    more = {"tags": '{"team": "risk"}', "instance_count": "2", "subnets": '["subnet-1"]', "security_groups": '["sg-1"]', "timeout": "60"}
    words = [word for key, value in {**config, **more}.items() for word in ("-C", f"{key}={value}")]
    asked, found, _ = app.parse_args(["deploy", "create", "sagemaker", "churn", str(doubling), *words, "--json"], exit_on_error=False)
    assert asked(*found.args, **found.kwargs) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["name"], told["state"], told["details"]["status"]) == ("churn", "serving", "InService")
    (endpoint_config,) = service.backend.endpoint_configs.values()
    assert endpoint_config.production_variants[0]["InitialInstanceCount"] == 2
    assert {"Key": "team", "Value": "risk"} in endpoint_config.tags


# --- the archive -----------------------------------------------------------------------------------------------------


def test_the_same_files_make_the_same_bytes(tmp_path: Path) -> None:
    """Whoever packs them, whenever, with whatever rights: nothing of the machine is in the archive."""
    made = []
    for number in range(2):
        folder = tmp_path / str(number)
        (folder / "deep" / "er").mkdir(parents=True)
        for name in ("b", "a") if number else ("a", "b"):
            (folder / name).write_bytes(b"x" * 1000)
        (folder / "deep" / "er" / "ö.bin").write_bytes(os.urandom(0) + b"y")
        os.utime(folder / "a", (number, number))
        (folder / "b").chmod(0o700 if number else 0o600)
        out = io.BytesIO()
        pack(folder, out)
        made.append(out.getvalue())
    assert made[0] == made[1]
    with tarfile.open(fileobj=io.BytesIO(made[0])) as found:
        assert [(one.name, one.mode, one.uid, one.uname, one.mtime) for one in found] == [
            (name, 0o644, 0, "", 0) for name in ("a", "b", "deep/er/ö.bin")
        ]


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_only_files_are_packed(tmp_path: Path, kind: str) -> None:
    """A link or a pipe among a model's files is refused, not followed."""
    (tmp_path / "MLmodel").write_text("flavors: {}")
    if kind == "link":
        (tmp_path / "passwd").symlink_to("/etc/passwd")
    else:
        os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidName, match="no file but a link or a device"):
        pack(tmp_path, io.BytesIO())


def test_a_large_archive_goes_in_parts(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server, tmp_path: Path
) -> None:
    """What is larger than a part stands whole in S3 afterwards, and nothing half is left."""
    folder = tmp_path / "large"
    shutil.copytree(doubling, folder)
    (folder / "noise.bin").write_bytes(os.urandom(9 << 20))
    made = target.create("churn", str(folder), config)
    data, stored = archive_of(s3, made.details["archive"])
    assert "-" in stored["ETag"]
    with tarfile.open(fileobj=io.BytesIO(data)) as found:
        noise = found.extractfile("noise.bin")
        assert noise is not None
        assert noise.read() == (folder / "noise.bin").read_bytes()
    assert uploads(s3, config["bucket"]) == []


def test_a_folder_with_a_link_is_not_deployed(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tmp_path: Path, s3: S3Server
) -> None:
    """What a link leads to is nobody's model: refused before anything is made."""
    folder = tmp_path / "linked"
    folder.mkdir()
    (folder / "MLmodel").write_bytes((doubling / "MLmodel").read_bytes())
    (folder / "keys").symlink_to("/etc/passwd")
    with pytest.raises(InvalidName, match="is a link"):
        target.create("churn", str(folder), config)
    assert keys(s3, config["bucket"]) == {}
    assert service.names()["models"] == []


def test_a_path_that_leads_out_is_not_followed(
    target: SageMaker, service: Service, config: dict[str, Any], fresh_ledger: Ledger, s3: S3Server
) -> None:
    """A row of the store that names a file outside of the model makes another digest than was recorded: nothing is copied or made."""
    with start_run(experiment="deploying") as run:
        logged = run.log_model(lambda data: data, "same", requirements=[])
    fresh_ledger.flush()
    with contextlib.closing(sqlite3.connect(str(fresh_ledger.settings.store_url).removeprefix("sqlite:///"))) as store, store:
        store.execute("UPDATE artifacts SET path = replace(path, '/python_model.pkl', '/../../../../escaped')")
    with pytest.raises(ArtifactCorrupt, match="not what was logged"):
        target.create("churn", logged.uri, config)
    assert service.names()["models"] == []
    assert keys(s3, config["bucket"]) == {}


# --- what fails ------------------------------------------------------------------------------------------------------


def test_an_endpoint_that_does_not_come_up_leaves_nothing(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server
) -> None:
    """SageMaker's reason is in the message, and all that was made is removed."""
    service.states[:], service.reason = ["Creating", "Failed"], "The primary container did not pass the ping health check."
    with pytest.raises(DeploymentFailed, match=r"\(Failed\): The primary container did not pass the ping") as caught:
        target.create("churn", str(doubling), config)
    assert "left behind" not in str(caught.value)
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    assert keys(s3, config["bucket"]) == {}


@pytest.mark.parametrize("verb", ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"])
def test_a_step_that_is_refused_leaves_nothing(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server, verb: str
) -> None:
    """Whichever step AWS refuses: its words are told, and the steps before are taken back."""
    service.refused[verb] = "AccessDeniedException", "User: someone is not authorized to perform: it", ALWAYS
    with pytest.raises(DeploymentFailed, match="not authorized to perform: it"):
        target.create("churn", str(doubling), config)
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    assert keys(s3, config["bucket"]) == {}


def test_what_aws_does_not_let_go_is_named_and_deleted_later(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server
) -> None:
    """An endpoint that is still being made when patience ends cannot be removed: all of it is named, and goes with ``delete``."""
    service.states[:] = ["Creating"]
    service.refused["DeleteEndpoint"] = "ValidationException", 'Cannot update in-progress endpoint "churn".', 1
    with pytest.raises(
        DeploymentFailed, match=r"is Creating after 0.1 s.*left behind: endpoint churn, endpoint configuration churn-.*in-progress"
    ):
        target.create("churn", str(doubling), {**config, "timeout": 0.1})
    assert service.names()["endpoints"] == ["churn"]
    assert target.get("churn").state == "starting"
    target.delete("churn")
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    assert keys(s3, config["bucket"]) == {}


def test_aws_is_asked_again(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Throttling, and a part that AWS does not know of yet, are no failures."""
    service.refused["CreateModel"] = "ThrottlingException", "Rate exceeded", 1
    service.refused["CreateEndpoint"] = "ValidationException", 'Could not find endpoint configuration "arn".', 2
    assert target.create("churn", str(doubling), config).state == "serving"


def test_a_request_that_arrived_twice_is_ours_still(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Where AWS's answer is lost and boto3 sends the request again, "exists already" is a success."""
    service.repeated = {"CreateModel": 1, "CreateEndpointConfig": 1, "CreateEndpoint": 1}
    first = target.create("churn", str(doubling), {**config, "wait": False})
    service.repeated["UpdateEndpoint"] = 1  # the second time AWS says that the endpoint is in progress
    service.states[:] = ["InService", "Updating", "InService"]
    assert target.update("churn").details["endpoint_config"] != first.details["endpoint_config"]
    assert set(service.repeated.values()) == {0}
    assert len(service.names()["configs"]) == 1


def test_an_endpoint_whose_making_nobody_confirms_is_removed(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path
) -> None:
    """Where all answers to CreateEndpoint are lost, the endpoint that stands (and costs) is looked for and taken down."""
    service.repeated["CreateEndpoint"] = 3
    with pytest.raises(DeploymentFailed):
        target.create("churn", str(doubling), config)
    assert service.names() == {"endpoints": [], "configs": [], "models": []}


def test_a_look_that_does_not_come_through_is_repeated(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """An endpoint that is being made is not given up because AWS does not answer for a moment."""
    service.states[:] = ["Creating", "InService"]
    service.before["CreateEndpoint"] = lambda: service.refused.update({"DescribeEndpoint": ("ThrottlingException", "Rate exceeded", 4)})
    assert target.create("churn", str(doubling), config).state == "serving"
    assert service.refused["DescribeEndpoint"][2] == 0


def test_ctrl_c_leaves_nothing_that_is_not_in_use(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tripling: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits for an endpoint, that is removed; while it waits for an update, which goes on, nothing is."""
    pauses = iter([KeyboardInterrupt, None, None, KeyboardInterrupt])

    def pause(seconds: float) -> None:
        if (error := next(pauses, None)) is not None:
            raise error

    monkeypatch.setattr(sagemaker, "time", SimpleNamespace(monotonic=time.monotonic, sleep=pause))
    service.states[:] = ["Creating"]
    with pytest.raises(KeyboardInterrupt):
        target.create("churn", str(doubling), config)
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    service.states[:] = ["Creating", "Creating", "InService"]
    target.create("churn", str(doubling), config)
    service.states[:] = ["InService", "Updating"]
    with pytest.raises(KeyboardInterrupt):
        target.update("churn", str(tripling))
    assert len(service.names()["configs"]) == len(service.names()["models"]) == 2


def test_of_two_at_once_one_wins_whole(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server) -> None:
    """The other is told, and takes nothing of the winner's away when it clears up."""
    together, failures = threading.Barrier(2), list[Exception]()
    service.before["CreateModel"] = lambda: together.wait(30)

    def create() -> None:
        try:
            target.create("churn", str(doubling), config)
        except DeploymentExists as error:
            failures.append(error)

    threads = [threading.Thread(target=create) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(failures) == 1
    assert "already" in str(failures[0])
    names = service.names()
    assert (len(names["endpoints"]), len(names["configs"]), len(names["models"])) == (1, 1, 1)
    assert list(keys(s3, config["bucket"])) == [target.get("churn").details["archive"].removeprefix(f"s3://{config['bucket']}/")]


# --- update ----------------------------------------------------------------------------------------------------------


def test_an_update_keeps_what_is_not_said(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tripling: Path, s3: S3Server
) -> None:
    """Another model by the same options, then other options for the same archive; the old parts go when the new ones serve."""
    first = target.create("churn", str(doubling), {**config, "instance_type": "ml.c5.large", "tags": {"team": "risk"}})
    service.backend.endpoints["churn"].production_variants[0]["DesiredInstanceCount"] = 3  # somebody scaled it
    service.states[:] = ["InService", "Updating", "Updating", "InService"]
    second = target.update("churn", str(tripling))
    assert second.digest != first.digest
    assert second == target.get("churn")
    (endpoint_config,) = service.backend.endpoint_configs.values()
    (variant,) = endpoint_config.production_variants
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.c5.large", 3)
    assert list(keys(s3, config["bucket"])) == [second.details["archive"].removeprefix(f"s3://{config['bucket']}/")]
    third = target.update("churn", config={"serverless_memory": 2048, "image_url": f"{IMAGE}1"})
    assert (third.digest, third.details["archive"]) == (second.digest, second.details["archive"])
    (endpoint_config,) = service.backend.endpoint_configs.values()
    assert endpoint_config.production_variants[0]["ServerlessConfig"] == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}
    assert container(service)["Image"] == f"{IMAGE}1"
    assert {"Key": "team", "Value": "risk"} in endpoint_config.tags
    assert len(keys(s3, config["bucket"])) == 1


@pytest.mark.parametrize("states", [["Updating", "InService"], ["Updating", "RollingBack", "UpdateRollbackFailed"]])
def test_an_update_that_does_not_come_up_takes_nothing_away(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tripling: Path, s3: S3Server, states: list[str]
) -> None:
    """The old one stands as it stood; the new parts are removed."""
    before = target.create("churn", str(doubling), config)
    standing = service.names()
    service.states[:], service.rolls_back, service.reason = ["InService", *states], True, "no capacity"
    with pytest.raises(DeploymentFailed, match="no capacity"):
        target.update("churn", str(tripling))
    assert service.names() == standing
    assert target.get("churn").digest == before.digest
    assert len(keys(s3, config["bucket"])) == 1


def test_an_update_that_is_not_done_in_time_may_still_come(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tripling: Path, s3: S3Server
) -> None:
    """SageMaker goes on with it: nothing that it may need is removed, and the message says how it stands."""
    target.create("churn", str(doubling), config)
    service.states[:] = ["InService", "Updating"]
    with pytest.raises(DeploymentFailed, match=r"is Updating after 0\.1 s"):
        target.update("churn", str(tripling), {"timeout": 0.1})
    assert len(service.names()["configs"]) == len(service.names()["models"]) == len(keys(s3, config["bucket"])) == 2
    service.states.clear()
    assert target.get("churn").model == str(tripling)
    target.delete("churn")
    assert service.names() == {"endpoints": [], "configs": [], "models": []}
    assert keys(s3, config["bucket"]) == {}


def test_an_update_that_aws_refuses_leaves_the_old_one(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Two updates at once: the second hears AWS's words."""
    target.create("churn", str(doubling), config)
    standing = service.names()
    service.refused["UpdateEndpoint"] = "ValidationException", 'Cannot update in-progress endpoint "churn".', ALWAYS
    with pytest.raises(DeploymentFailed, match="Cannot update in-progress endpoint"):
        target.update("churn", config={"instance_count": 2})
    assert service.names() == standing


# --- what is whose ---------------------------------------------------------------------------------------------------


def foreign(service: Service, name: str = "churn") -> None:
    """An endpoint that somebody else made."""
    variant = {"VariantName": "v", "ModelName": "theirs", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    about = {"Image": IMAGE, "ModelDataUrl": "s3://theirs/model.tar.gz"}
    service.backend.create_model(
        model_name="theirs", execution_role_arn=ROLE, primary_container=about, vpc_config=None, containers=None, tags=[]
    )
    service.backend.create_endpoint_config("theirs", [variant], {}, {}, [], "")
    service.backend.create_endpoint(endpoint_name=name, endpoint_config_name="theirs", tags=[{"Key": "team", "Value": "theirs"}])


def test_what_is_not_ours_is_left_alone(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """An endpoint without our tag is not listed, shown, updated or deleted, and its name is taken."""
    foreign(service)
    standing = service.names()
    assert target.list() == []
    for verb in (target.get, target.delete, target.update):
        with pytest.raises(DeploymentNotFound, match=r"not of prefect-ledger.*left alone"):
            verb("churn")
    with pytest.raises(DeploymentExists):
        target.create("churn", str(doubling), config)
    assert service.names() == standing


def test_missing_parts_are_no_error(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server) -> None:
    """Whatever somebody removed by hand, ``delete`` removes the rest; when nothing is left it says that there is none."""
    for gone in ("endpoints", "endpoint_configs", "_models"):
        target.create("churn", str(doubling), config)
        getattr(service.backend, gone).clear()
        target.delete("churn")
        assert service.names() == {"endpoints": [], "configs": [], "models": []}, gone
        assert keys(s3, config["bucket"]) == {}, gone
    with pytest.raises(DeploymentNotFound, match="no endpoint 'churn' in us-east-1"):
        target.delete("churn")


def test_a_deployment_whose_name_begins_alike_stays(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Deleting "churn" takes nothing of "churn-eu", nor of names that begin with the same fifty letters."""
    long = "a" * 60
    for name in ("churn", "churn-eu", f"{long}-1", f"{long}-2"):
        target.create(name, str(doubling), config)
    target.delete("churn")
    target.delete(f"{long}-1")
    assert [one.name for one in target.list()] == [f"{long}-2", "churn-eu"]
    assert (len(service.names()["models"]), len(service.names()["configs"])) == (2, 2)


def test_an_archive_may_stay(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, tripling: Path, s3: S3Server
) -> None:
    """With ``keep_archive``, which is remembered, neither update nor delete removes what was served."""
    target.create("churn", str(doubling), {**config, "keep_archive": True})
    target.update("churn", str(tripling))
    target.delete("churn")
    assert len(keys(s3, config["bucket"])) == 2


def test_somebody_elses_object_is_not_removed(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server
) -> None:
    """An archive that was replaced by hand is not ours any more."""
    made = target.create("churn", str(doubling), config)
    client = s3.client()
    client.put_object(Bucket=config["bucket"], Key=made.details["archive"].split("/", 3)[3], Body=b"theirs")
    client.close()
    target.delete("churn")
    assert len(keys(s3, config["bucket"])) == 1


def test_states_are_told(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Each state of SageMaker's is one of ours, and a failed endpoint says why."""
    target.create("churn", str(doubling), config)
    service.reason = "because"
    found: dict[str, Deployment] = {}
    for state in ("Creating", "InService", "Updating", "SystemUpdating", "RollingBack", "OutOfService", "Deleting", "Failed"):
        service.states[:] = [state]
        found[state] = target.get("churn")
    assert [one.state for one in found.values()] == [
        "starting", "serving", "serving", "serving", "serving", "stopped", "stopped", "failed",
    ]  # fmt: skip
    assert found["Failed"].details["reason"] == "because"
    assert found["InService"].created is not None


# --- what is refused before anything is made -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "Churn", "a_b", "-a", "a-", "a" * 64, "a/b", "../a", "a\n", "ä"])
def test_a_name_that_is_none_is_refused(target: SageMaker, service: Service, name: str) -> None:
    """Nobody is asked about it."""
    for verb in (target.get, target.delete, target.update, target.transform_status, target.stop_transform):
        with pytest.raises(InvalidName):
            verb(name)
    with pytest.raises(InvalidName):
        target.create(name, "models:/m-1")
    assert service.verbs == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bucket": None}, "needs the option 'bucket'"),
        ({"bucket": "a/b"}, "'bucket'"),
        ({"prefix": "a/../b"}, "no part '.' or '..'"),
        ({"prefix": "a//b"}, "'prefix'"),
        ({"image_url": "image with space"}, "'image_url'"),
        ({"execution_role_arn": "serving"}, "'execution_role_arn'"),
        ({"instance_type": "m5.large"}, "'instance_type'"),
        ({"instance_count": 0}, "'instance_count'"),
        ({"instance_count": True}, "'instance_count'"),
        ({"serverless_memory": 1000}, "'serverless_memory'"),
        ({"timeout": 0.0}, "'timeout'"),
        ({"timeout": float("nan")}, "'timeout'"),
        ({"subnets": ["subnet-1"]}, "come together"),
        ({"subnets": ["subnet-1"], "security_groups": ["sg-1"], "serverless_memory": 1024}, "serverless"),
        ({"subnets": [1], "security_groups": ["sg-1"]}, "'subnets'"),
        ({"tags": {"aws:x": "y"}}, "a tag is"),
        ({"tags": {"prefect-ledger:deployment": "y"}}, "a tag is"),
        ({"tags": {"a": 1}}, "a tag is"),
        ({"tags": {"a": "x\ny"}}, "a tag is"),
        ({"tags": {str(n): "" for n in range(41)}}, "40 at most"),
        ({"ports": 1}, "no option 'ports'"),
    ],
    ids=str,
)
def test_an_option_that_sagemaker_does_not_take_is_refused(wrong: dict[str, Any], words: str) -> None:
    """At the caller's line, by name, with what is wanted."""
    right = {"bucket": "my-models", "image_url": IMAGE, "execution_role_arn": ROLE}
    assert checked(right)["instance_count"] == 1
    with pytest.raises(InvalidValue, match=words):
        checked({**right, **wrong})


def test_a_network_of_ones_own(target: SageMaker, service: Service, config: dict[str, Any], doubling: Path) -> None:
    """Subnets and security groups are the model's, and an update keeps them."""
    more = {"subnets": ["subnet-1"], "security_groups": ["sg-1"]}
    made = target.create("churn", str(doubling), {**config, **more})
    for again in (False, True):
        if again:
            assert target.update("churn").digest == made.digest
        (model,) = service.backend._models.values()
        assert model.vpc_config == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}


def test_no_region_is_said_with_the_next_step(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where boto3's chain has none, the message names the three places to put it."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(InvalidValue, match=r"option 'region'.*SageMaker\(region=…\).*AWS_DEFAULT_REGION"):
        SageMaker().list()
    assert SageMaker(region=REGION).list() == []
    with pytest.raises(DeploymentFailed, match=r"evil\.example/#"):
        SageMaker(region="evil.example/#").list()
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(InvalidValue, match=r"nobody.*AWS_PROFILE"):
        SageMaker(region=REGION).list()


def test_without_boto3_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to install is in the message."""
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtra, match=r"prefect-ledger\[sagemaker\]"):
        SageMaker().list()


def test_credentials_are_boto3s_and_are_never_said(
    target: SageMaker, service: Service, config: dict[str, Any], doubling: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong ones are told without them, missing ones with the next step; nothing is made."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2-not-the-secret")
    with pytest.raises(DeploymentFailed, match="refuses the archive s3://") as caught:
        SageMaker().create("churn", str(doubling), config)
    for secret in ("hunter2-not-the-secret", s3.key, s3.secret):
        assert secret not in repr(caught.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(DeploymentFailed, match=r"AWS_PROFILE.*aws configure"):
        SageMaker().list()
    assert service.names()["models"] == []


def test_a_key_is_used_wherever_bytes_lie() -> None:
    """The S3 server of the tests has no KMS, so what would be asked for is looked at: disks, and what a job writes."""
    options = {"bucket": "my-models", "image_url": IMAGE, "execution_role_arn": ROLE, "kms_key": "alias/models"}
    assert config_request("part", checked(options))["KmsKeyId"] == "alias/models"
    request = transform_request("nightly", "part", *PLACES, checked(options, TRANSFORM_OPTIONS))
    assert request["TransformOutput"]["KmsKeyId"] == request["TransformResources"]["VolumeKmsKeyId"] == "alias/models"


def test_what_is_written_into_tags_fits_and_is_no_secret(target: SageMaker, service: Service, config: dict[str, Any], s3: S3Server) -> None:
    """A reference with a password in it is masked, and what AWS takes in no tag becomes '_'."""
    (tag,) = tag_list({"reference": "models:/ä(b)'c\n#?" + "x" * 300}, {})
    assert tag["Value"].startswith("models:/ä_b__c___x")
    assert len(tag["Value"]) == 256
    client = s3.client()
    client.put_object(Bucket=config["bucket"], Key="token=hunter2/MLmodel", Body=b"flavors: {python_function: {loader_module: x}}")
    client.close()
    made = target.create("churn", f"s3://{config['bucket']}/token=hunter2", config)
    assert "hunter2" not in repr(made)
    assert "hunter2" not in repr([one.__dict__ for one in service.backend._models.values()])


# --- batch transform -------------------------------------------------------------------------------------------------


@pytest.fixture
def job_config(config: dict[str, Any]) -> Callable[..., dict[str, Any]]:
    return lambda **more: {**config, "instance_type": "ml.m5.xlarge", **more}


def test_files_are_predicted_by_a_job(
    target: SageMaker, service: Service, job_config: Callable[..., dict[str, Any]], doubling: Path, s3: S3Server
) -> None:
    """The job is done when it comes back, says where the predictions are, and its model and archive are gone."""
    service.job_states[:] = ["InProgress", "InProgress", "Completed"]
    done = target.transform("nightly", str(doubling), *PLACES, job_config())
    assert (done.name, done.state, done.source, done.output, done.model) == ("nightly", "done", *PLACES, str(doubling))
    (job,) = service.backend.transform_jobs.values()
    assert (job.transform_input["ContentType"], job.transform_input["SplitType"]) == ("text/csv", "None")
    assert service.names()["models"] == []
    assert keys(s3, job_config()["bucket"]) == {}
    assert target.transform_status("nightly").state == "done"
    target.transform("lines", str(doubling), *PLACES, job_config(format="jsonl"))
    job = service.backend.transform_jobs["lines"]
    assert (job.transform_input["ContentType"], job.transform_input["SplitType"]) == ("application/json", "Line")
    assert (job.batch_strategy, job.transform_output["AssembleWith"]) == ("SingleRecord", "Line")


def test_a_job_that_fails_leaves_nothing(
    target: SageMaker, service: Service, job_config: Callable[..., dict[str, Any]], doubling: Path, s3: S3Server
) -> None:
    """SageMaker's reason is told; a job that is too slow is stopped."""
    service.job_states[:], service.reason = ["InProgress", "Failed"], "no such bucket"
    with pytest.raises(DeploymentFailed, match="'nightly' failed: no such bucket"):
        target.transform("nightly", str(doubling), *PLACES, job_config())
    service.job_states[:] = ["InProgress"]
    with pytest.raises(DeploymentFailed, match=r"not done after 0\.1 s"):
        target.transform("slow", str(doubling), *PLACES, job_config(timeout=0.1))
    assert "StopTransformJob" in service.verbs
    assert service.names()["models"] == []
    assert keys(s3, job_config()["bucket"]) == {}


def test_a_job_that_nobody_confirms_is_stopped(
    target: SageMaker, service: Service, job_config: Callable[..., dict[str, Any]], doubling: Path
) -> None:
    """Where one answer is lost it is our job still; where all are, what may run is stopped."""
    service.repeated["CreateTransformJob"] = 1
    assert target.transform("nightly", str(doubling), *PLACES, job_config()).state == "done"
    service.repeated["CreateTransformJob"], service.job_states[:] = 3, ["InProgress"]
    with pytest.raises(DeploymentFailed):
        target.transform("weekly", str(doubling), *PLACES, job_config())
    assert service.verbs.count("StopTransformJob") == 1
    assert service.names()["models"] == []


def test_a_job_is_left_to_run_and_stopped(
    target: SageMaker, service: Service, job_config: Callable[..., dict[str, Any]], doubling: Path, s3: S3Server
) -> None:
    """Without waiting its model stands until it is stopped or cleared; the record stays, and its name is taken for ever."""
    service.job_states[:] = ["InProgress"]
    assert target.transform("nightly", str(doubling), *PLACES, job_config(wait=False)).state == "running"
    assert target.transform_status("nightly").state == "running"
    assert len(service.names()["models"]) == 1
    assert target.stop_transform("nightly").state == "stopped"
    assert service.names()["models"] == []
    assert keys(s3, job_config()["bucket"]) == {}
    with pytest.raises(DeploymentExists, match="names for ever"):
        target.transform("nightly", str(doubling), *PLACES, job_config())
    assert service.names()["models"] == []
    with pytest.raises(DeploymentNotFound, match="no transform job 'other'"):
        target.transform_status("other")
    service.backend.transform_jobs["nightly"].tags = []
    for verb in (target.transform_status, target.stop_transform):
        with pytest.raises(DeploymentNotFound, match="not of prefect-ledger"):
            verb("nightly")


@pytest.mark.parametrize("place", ["rows.csv", "s3:/a/b", "https://my-data/rows", "s3://a/\nb", "s3://A_B/x", ""])
def test_a_place_that_is_not_in_s3_is_refused(target: SageMaker, service: Service, place: str) -> None:
    """Before anything is copied or made."""
    with pytest.raises(InvalidValue, match="source is a place in S3"):
        target.transform("nightly", "models:/m-1", place, PLACES[1])
    with pytest.raises(InvalidValue, match="output is a place in S3"):
        target.transform("nightly", "models:/m-1", PLACES[0], place)
    assert service.verbs == []
