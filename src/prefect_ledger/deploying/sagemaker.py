"""Floor 5. The target "sagemaker": a model behind an endpoint of Amazon SageMaker, or asked with files by a job there.

An endpoint's name is the deployment's. Its model and configuration have one name, new each time, and tags that say what they are of; what
serves is told by the configuration that the endpoint has now. Nothing that has no tag of ours is changed or removed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, ClassVar

from prefect_ledger.deploying import asking, sagemaker_archive, sagemaker_jobs
from prefect_ledger.deploying.base import Deployment, State, Target, check_config, check_name
from prefect_ledger.deploying.sagemaker_api import RUNTIME, AlreadyThere, Aws, Made, NotThere, Unreachable, refusals, unmade_on_failure
from prefect_ledger.deploying.sagemaker_jobs import Transform
from prefect_ledger.deploying.sagemaker_options import (
    DIGEST,
    MARK,
    OPTIONS,
    TRANSFORM_OPTIONS,
    checked,
    is_part_of,
    marks_of,
    part_name,
    standing_options,
    tag_list,
)
from prefect_ledger.deploying.sagemaker_parts import (
    Packed,
    make_config,
    make_model,
    pack_model,
    parts_of,
    remove_part,
    when_known,
)
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, DeploymentNotFound
from prefect_ledger.masking import mask_text

_STATES: Mapping[str, State] = {
    "Creating": "starting",
    "InService": "serving",
    "Updating": "serving",  # the old one serves until the new one does
    "SystemUpdating": "serving",
    "RollingBack": "serving",
    "OutOfService": "stopped",
    "Deleting": "stopped",
    "Failed": "failed",
    "UpdateRollbackFailed": "failed",
}
_MOVING = frozenset({"Creating", "Updating", "SystemUpdating", "RollingBack"})
_LOOKS = 3  # at an endpoint that is asked to change and says nothing of it
_GONE = 900.0  # seconds in which SageMaker takes an endpoint down


class Settled(DeploymentFailed):
    """An endpoint does not serve what it was to serve, and will not."""


class SageMaker(Target):
    """Deployments on Amazon SageMaker, in one region: the one given, else that of boto3's chain (``AWS_DEFAULT_REGION``, the profile).

    ``config`` of ``create`` and ``update`` may name another one; ``get``, ``list``, ``delete`` and ``predict`` look in the target's own.

    Example:
        >>> SageMaker(region="eu-central-1").name
        'sagemaker'
    """

    name: ClassVar[str] = "sagemaker"
    extra: ClassVar[str] = "sagemaker"
    options: ClassVar[Mapping[str, Any]] = OPTIONS
    poll: ClassVar[float] = 10.0  # seconds between two looks at something that is being made

    def __init__(self, region: str | None = None) -> None:
        self._region = region
        self._clients: dict[str | None, Aws] = {}

    # --- the target's verbs ------------------------------------------------------------------------------------------

    def create(self, name: str, model: str, config: Mapping[str, Any] | None = None) -> Deployment:
        """Put the model's archive to S3, make an endpoint that serves it, and wait until it does (``wait``, ``timeout`` in seconds).

        What costs money stands from here until ``delete``. See :meth:`Target.create` for what is raised; whatever fails, what was made is
        removed, and the message names what AWS would not let go.
        """
        check_name(name)
        options = checked(config)
        aws = self._aws(options["region"])
        if (found := _endpoint(aws, name)) is not None:
            raise DeploymentExists(_there(aws, name, found))
        with unmade_on_failure() as made:
            packed = pack_model(aws, made, name, model, options)
            make_model(aws, made, packed, options)
            make_config(aws, made, packed, options)
            self._make_endpoint(aws, made, packed, options)
            if options["wait"]:
                self._wait(aws, name, packed.part, options["timeout"])
        return self._told(aws, name)

    def update(self, name: str, model: str | None = None, config: Mapping[str, Any] | None = None) -> Deployment:
        """Serve another model, or by other options; options that are not given stay. The old one serves until the new one does.

        Without ``model`` the archive that serves now goes on being served. When it failed, the old one serves and the new parts are
        removed; when it is not done in ``timeout`` seconds it may still come, and nothing is removed. See :meth:`Target.update`.
        """
        check_name(name)
        aws = self._aws(check_config(config, OPTIONS, self.name)["region"])
        endpoint = self._ours(aws, name)
        standing, before = _standing(aws, endpoint)
        options = checked({**standing, **(config or {})})
        with unmade_on_failure() as made:
            packed = pack_model(aws, made, name, model, options) if model is not None else _again(before, options)
            make_model(aws, made, packed, options)
            make_config(aws, made, packed, options)
            self._exchange(aws, made, name, packed.part)
            try:
                if options["wait"]:
                    self._wait(aws, name, packed.part, options["timeout"])
            except Settled:
                raise
            except BaseException:
                made.clear()  # SageMaker goes on with it, and needs them
                raise
            made.clear()
        aws.call("add_tags", ResourceArn=endpoint["EndpointArn"], Tags=tag_list(packed.marks, options["tags"]))
        if options["wait"] and before.marks:
            _remove(aws, name, {before.part: before.marks}, but=packed.archive)
        return self._told(aws, name)

    def delete(self, name: str) -> None:
        """Remove the endpoint, then its configurations, models and archives (``keep_archive``); what is missing already is no error.

        Raises:
            DeploymentNotFound: there is none, or it is not of prefect-ledger. DeploymentFailed: AWS does not let it go.
        """
        check_name(name)
        aws = self._aws()
        found = _endpoint(aws, name)
        if found is not None:
            found = self._ours(aws, name)
        parts = parts_of(aws, name)
        if found is None and not parts:
            raise DeploymentNotFound(_none(aws, name))
        if found is not None:
            marks = marks_of(aws.tags(found["EndpointArn"]))
            self._take_down(aws, name)
            parts = parts or {"": marks}  # then only the archive can be left
        _remove(aws, name, parts)

    def list(self) -> list[Deployment]:
        """The endpoints with our tag, by name."""
        aws = self._aws()
        ours = [
            one["EndpointName"]
            for one in aws.pages("list_endpoints", "Endpoints", SortBy="Name", SortOrder="Ascending")
            if aws.tags(one["EndpointArn"]).get(f"{MARK}deployment") == one["EndpointName"]
        ]
        told = []
        for name in sorted(ours):
            try:
                told.append(self._told(aws, name))
            except DeploymentNotFound:  # it went in this moment
                continue
        return told

    def get(self, name: str) -> Deployment:
        """One endpoint, as SageMaker tells of it now; ``details["reason"]`` is why it failed."""
        return self._told(self._aws(), check_name(name))

    def predict(self, name: str, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Ask the endpoint through SageMaker's runtime, which takes some MB and waits 60 seconds. See :meth:`Target.predict`."""
        check_name(name)
        aws, asked = self._aws(), asking.body(data, params)
        kinds = {"ContentType": "application/json", "Accept": "application/json"}
        try:
            answer = aws.call("invoke_endpoint", RUNTIME, EndpointName=name, Body=asked, **kinds)
        except NotThere as error:
            raise DeploymentNotFound(_none(aws, name)) from error
        with refusals("invoke_endpoint"):
            said = answer["Body"].read()
        return _predictions(said)

    # --- jobs --------------------------------------------------------------------------------------------------------

    def transform(self, name: str, model: str, source: str, output: str, config: Mapping[str, Any] | None = None) -> Transform:
        """Ask ``model`` with all files below ``source``, as the job ``name``; come back when the predictions are below ``output``.

        Both are places in S3. ``config``: as of ``create``, without the serverless options, and ``format`` of the files: "csv" or
        "parquet", a file of which is one request, or "jsonl", each line of which is the JSON of one request; ``max_payload`` is what a
        request may have (MB). The machines are gone when it is done, as are the job's model and archive. With ``wait`` false it comes back
        at once: ask :meth:`transform_status`, and in the end :meth:`stop_transform`, which removes them.

        Raises:
            DeploymentExists: there was a job of this name. DeploymentFailed: it failed, or was not done in ``timeout`` seconds; it is then
            stopped. InvalidName, InvalidValue. Else as :func:`prefect_ledger.load_predictor`.

        Example:
            >>> SageMaker().transform("nightly", "models:/m-1", "rows.csv", "s3://my-data/out/", {})
            Traceback (most recent call last):
                ...
            prefect_ledger.errors.InvalidValue: source is a place in S3, such as 's3://my-data/rows/', not 'rows.csv'
        """
        check_name(name)
        sagemaker_jobs.check_places(source, output)
        options = checked(config, TRANSFORM_OPTIONS)
        aws = self._aws(options["region"])
        with unmade_on_failure() as made:
            packed = pack_model(aws, made, name, model, options, "transform")
            sagemaker_jobs.start(aws, made, name, packed, (source, output), options)
            if not options["wait"]:
                return sagemaker_jobs.status(aws, name)
            sagemaker_jobs.wait(aws, name, seconds=options["timeout"], poll=self.poll)
        try:
            return sagemaker_jobs.clear(aws, name, poll=self.poll)
        except DeploymentFailed as error:
            raise DeploymentFailed(f"the predictions are below {output}, but the job's model stays: {error}") from error

    def transform_status(self, name: str) -> Transform:
        """The job ``name``, as it is now.

        Raises:
            DeploymentNotFound: there is none, or it is not of prefect-ledger.
        """
        return sagemaker_jobs.status(self._aws(), check_name(name))

    def stop_transform(self, name: str) -> Transform:
        """Stop the job ``name`` if it runs, and remove its model and archive; what it wrote stays.

        Raises:
            DeploymentNotFound: there is none, or it is not of prefect-ledger.
        """
        return sagemaker_jobs.clear(self._aws(), check_name(name), poll=self.poll)

    # --- inside ------------------------------------------------------------------------------------------------------

    def _aws(self, region: str | None = None) -> Aws:
        region = region or self._region
        if region not in self._clients:
            self._clients[region] = Aws(region)
        return self._clients[region]

    def _make_endpoint(self, aws: Aws, made: Made, packed: Packed, options: Mapping[str, Any]) -> None:
        name, tags = packed.name, tag_list(packed.marks, options["tags"])
        made.append((f"endpoint {name}", lambda: self._take_down(aws, name, only=packed.part)))  # before: the answer may be lost
        try:
            when_known(lambda: aws.call("create_endpoint", EndpointName=name, EndpointConfigName=packed.part, Tags=tags))
        except AlreadyThere as error:
            found = _endpoint(aws, name)
            if found is None or found["EndpointConfigName"] != packed.part:  # else boto3 sent our own request twice
                raise DeploymentExists(_there(aws, name, found or {})) from error

    def _exchange(self, aws: Aws, made: Made, name: str, part: str) -> None:
        """Ask for the configuration ``part``. Raises: DeploymentFailed: AWS does not begin with it, or nobody knows whether it does."""
        try:
            when_known(lambda: aws.call("update_endpoint", EndpointName=name, EndpointConfigName=part))
        except DeploymentFailed:
            try:
                found = _endpoint(aws, name) or {}
            except DeploymentFailed:
                made.clear()
                raise
            pending = (found.get("PendingDeploymentSummary") or {}).get("EndpointConfigName")
            if part not in (pending, found.get("EndpointConfigName")):  # else boto3 sent our own request twice
                raise

    def _take_down(self, aws: Aws, name: str, *, only: str = "") -> None:
        """Delete the endpoint, ``only`` if that is its configuration, and wait until it is gone: until then its parts are in use."""
        found = _endpoint(aws, name)
        if found is not None and only and found["EndpointConfigName"] != only:
            return
        if found is not None and found["EndpointStatus"] != "Deleting":
            with suppress(NotThere):
                aws.call("delete_endpoint", EndpointName=name)
        until = time.monotonic() + _GONE
        while (found := _endpoint(aws, name)) is not None:
            if time.monotonic() > until:
                raise DeploymentFailed(f"the endpoint {name!r} is {found['EndpointStatus']} after {_GONE:g} s: delete it again later")
            time.sleep(self.poll)

    def _wait(self, aws: Aws, name: str, part: str, seconds: float) -> None:
        """Until the endpoint serves by the configuration ``part``.

        Raises:
            Settled: it will not. DeploymentFailed: it does not within ``seconds``.
        """
        until, looks, moved = time.monotonic() + seconds, 0, False
        while True:
            try:
                found = aws.call("describe_endpoint", EndpointName=name)
            except Unreachable:
                if time.monotonic() > until:
                    raise
                time.sleep(self.poll)
                continue
            status, reason = found["EndpointStatus"], mask_text(found.get("FailureReason") or "SageMaker does not say why")
            if status == "InService" and found["EndpointConfigName"] == part:
                return
            moved, looks = moved or status in _MOVING, looks + 1
            if status == "InService" and (moved or looks > _LOOKS):
                raise Settled(f"the endpoint {name!r} goes on with what it had, the new one did not come up: {reason}")
            if status not in _MOVING and status != "InService":
                raise Settled(f"the endpoint {name!r} does not come into service ({status}): {reason}")
            if time.monotonic() > until:
                raise DeploymentFailed(
                    f"the endpoint {name!r} is {status} after {seconds:g} s: give a longer 'timeout', or look again later"
                )
            time.sleep(self.poll)

    def _ours(self, aws: Aws, name: str) -> Any:
        """What SageMaker says of our endpoint. Raises: DeploymentNotFound: there is none, or it is not ours."""
        if (found := _endpoint(aws, name)) is None:
            raise DeploymentNotFound(_none(aws, name))
        if aws.tags(found["EndpointArn"]).get(f"{MARK}deployment") != name:
            raise DeploymentNotFound(
                f"the endpoint {name!r} in {aws.region} is not of prefect-ledger (no tag {MARK}deployment): it is left alone"
            )
        return found

    def _told(self, aws: Aws, name: str) -> Deployment:
        found = self._ours(aws, name)
        marks = marks_of(_tags(aws, found))
        details = {
            "region": aws.region,
            "arn": found["EndpointArn"],
            "status": found["EndpointStatus"],
            "endpoint_config": found["EndpointConfigName"],
            "archive": marks.get("archive", ""),
            "reason": mask_text(found.get("FailureReason") or ""),
        }
        return Deployment(
            name,
            self.name,
            _STATES.get(found["EndpointStatus"], "stopped"),
            marks.get("reference", ""),
            marks.get("model-id", ""),
            marks.get("digest", ""),
            created=found.get("CreationTime"),
            details={key: value for key, value in details.items() if value},
        )


def _endpoint(aws: Aws, name: str) -> Any:
    """What SageMaker says of an endpoint; None where there is none."""
    try:
        return aws.call("describe_endpoint", EndpointName=name)
    except NotThere:
        return None


def _config_arn(endpoint: Any) -> str:
    return f"{endpoint['EndpointArn'].rpartition(':')[0]}:endpoint-config/{endpoint['EndpointConfigName']}"


def _tags(aws: Aws, endpoint: Any) -> dict[str, str]:
    """What is said of what serves: the tags of the configuration, or, where that is gone, those the endpoint was given with it."""
    if (found := aws.tags(_config_arn(endpoint))) or not is_part_of(endpoint["EndpointConfigName"], endpoint["EndpointName"]):
        return found
    return aws.tags(endpoint["EndpointArn"])


def _standing(aws: Aws, endpoint: Any) -> tuple[dict[str, Any], Packed]:
    """By which options an endpoint serves, and what. Raises: DeploymentFailed: parts of it are gone."""
    try:
        part = endpoint["EndpointConfigName"]
        config = aws.call("describe_endpoint_config", EndpointConfigName=part)
        model = aws.call("describe_model", ModelName=config["ProductionVariants"][0]["ModelName"])
        container = model["PrimaryContainer"]
    except (NotThere, KeyError, IndexError) as error:
        raise DeploymentFailed(
            f"the endpoint {endpoint['EndpointName']!r} is not as prefect-ledger made it, or parts of it are gone ({error}): "
            "delete it and create it again"
        ) from error
    tags = _tags(aws, endpoint)
    digest = container.get("Environment", {}).get(DIGEST, "")
    return standing_options(endpoint, config, model, tags), Packed(
        endpoint["EndpointName"], part, container["ModelDataUrl"], digest, marks_of(tags)
    )


def _again(before: Packed, options: Mapping[str, Any]) -> Packed:
    """The same archive as a part of a new name."""
    kept = {"deployment": before.name, "archive": before.archive}
    marks = {**before.marks, **kept, "keep-archive": str(options["keep_archive"]).lower(), "kms-key": options["kms_key"] or ""}
    return Packed(before.name, part_name(before.name), before.archive, before.answers_for, marks)


def _remove(aws: Aws, name: str, parts: Mapping[str, Mapping[str, str]], *, but: str = "") -> None:
    """Remove configurations and models, and the archives that were theirs alone, ``but`` one that is in use."""
    for part, marks in parts.items():
        archives = {remove_part(aws, part) if part else "", marks.get("archive", "")} - {but, ""}
        if marks.get("keep-archive") != "true":
            for archive in archives:
                sagemaker_archive.remove(aws, archive, name)


def _predictions(answer: bytes) -> Any:
    """What ``predictions`` holds in a server's answer. Raises: DeploymentFailed: it is no such answer."""
    try:
        return json.loads(answer)["predictions"]
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        said = answer[:200].decode(errors="replace")
        raise DeploymentFailed(f"the endpoint's answer is no JSON with 'predictions' but {said!r}: is its image one of ours?") from error


def _none(aws: Aws, name: str) -> str:
    return f"SageMaker has no endpoint {name!r} in {aws.region}: look at another region, or list what there is"


def _there(aws: Aws, name: str, found: Any) -> str:
    status = found.get("EndpointStatus", "being made")
    return f"SageMaker has an endpoint {name!r} in {aws.region} already ({status}): update it, delete it, or take another name"
