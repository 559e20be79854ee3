"""Floor 5. Batch transform: a model asked by SageMaker with files in S3, on machines that are there for as long as that takes."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from prefect_ledger.deploying import sagemaker_archive
from prefect_ledger.deploying.sagemaker_api import AlreadyThere, Aws, Made, NotThere, Unreachable
from prefect_ledger.deploying.sagemaker_options import MARK, marks_of, tag_list, transform_request
from prefect_ledger.deploying.sagemaker_parts import Packed, make_model
from prefect_ledger.errors import DeploymentExists, DeploymentFailed, DeploymentNotFound, InvalidValue
from prefect_ledger.masking import mask_text

_PLACE = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[^\x00-\x1f]*)?")
_STOPPED = 900.0  # seconds in which SageMaker stops a job
State = Literal["running", "done", "stopped", "failed"]
_STATES: Mapping[str, State] = {
    "InProgress": "running",
    "Stopping": "running",
    "Completed": "done",
    "Stopped": "stopped",
    "Failed": "failed",
}


@dataclass(frozen=True, slots=True)
class Transform:
    """What SageMaker says of one job.

    Of each file below ``source`` (S3) the predictions are below ``output``, in a file of the same name with ``.out`` behind it. ``reason``
    is why it failed, in SageMaker's words.
    """

    name: str
    state: State
    source: str
    output: str
    model: str = ""
    model_id: str = ""
    digest: str = ""
    reason: str = ""
    created: datetime | None = None
    ended: datetime | None = None


def check_places(source: object, output: object) -> None:
    """Raises: InvalidValue: one of them is no place in S3."""
    for what, place in (("source", source), ("output", output)):
        if not isinstance(place, str) or not _PLACE.fullmatch(place):
            raise InvalidValue(f"{what} is a place in S3, such as 's3://my-data/rows/', not {place!r:.120}")


def start(aws: Aws, made: Made, name: str, packed: Packed, places: tuple[str, str], options: Mapping[str, Any]) -> None:
    """Make the model and the job. Raises: DeploymentExists, DeploymentFailed."""
    part = make_model(aws, made, packed, options)
    request = transform_request(name, part, *places, options)
    made.append((f"transform job {name}", lambda: _halt(aws, name, part)))  # before it is made: the answer may be lost
    try:
        aws.call("create_transform_job", **request, Tags=tag_list(packed.marks, options["tags"]))
    except AlreadyThere as error:
        with contextlib.suppress(NotThere):
            if _job(aws, name)["ModelName"] == part:  # boto3 sent our own request twice
                return
        raise DeploymentExists(
            f"SageMaker has had a transform job {name!r} already, and keeps their names for ever: take another"
        ) from error


def wait(aws: Aws, name: str, *, seconds: float, poll: float) -> None:
    """Until the job is done. Raises: DeploymentFailed: it fails, is stopped, or is not done in time."""
    until = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Unreachable):
            job = _job(aws, name)
            if (state := _state(job)) == "done":
                return
            if state != "running":
                reason = mask_text(job.get("FailureReason") or "SageMaker does not say why")
                raise DeploymentFailed(f"the transform job {name!r} {state}: {reason}")
        if time.monotonic() > until:
            raise DeploymentFailed(f"the transform job {name!r} is not done after {seconds:g} s: give it a longer 'timeout'")
        time.sleep(poll)


def status(aws: Aws, name: str) -> Transform:
    """One job, as it is now. Raises: DeploymentNotFound."""
    job, marks = _described(aws, name)
    return Transform(
        name,
        _state(job),
        job["TransformInput"]["DataSource"]["S3DataSource"]["S3Uri"],
        job["TransformOutput"]["S3OutputPath"],
        marks.get("reference", ""),
        marks.get("model-id", ""),
        marks.get("digest", ""),
        mask_text(job.get("FailureReason") or ""),
        job.get("CreationTime"),
        job.get("TransformEndTime"),
    )


def clear(aws: Aws, name: str, *, poll: float) -> Transform:
    """Stop a job that runs, and remove its model and archive; what it wrote, and the record of it, stay. Raises: DeploymentNotFound."""
    job, marks = _described(aws, name)
    _halt(aws, name, job["ModelName"])
    until = time.monotonic() + _STOPPED
    while (found := status(aws, name)).state == "running":
        if time.monotonic() > until:
            raise DeploymentFailed(f"the transform job {name!r} has not stopped after {_STOPPED:g} s: stop it again later")
        time.sleep(poll)
    with contextlib.suppress(NotThere):
        aws.call("delete_model", ModelName=job["ModelName"])
    if marks.get("keep-archive") != "true":
        sagemaker_archive.remove(aws, marks.get("archive", ""), name)
    return found


def _halt(aws: Aws, name: str, part: str) -> None:
    """Stop the job if it runs with the model ``part``. Raises: NotThere: there is none."""
    job = _job(aws, name)
    if job["ModelName"] == part and job["TransformJobStatus"] == "InProgress":
        aws.call("stop_transform_job", TransformJobName=name)


def _job(aws: Aws, name: str) -> Any:
    return aws.call("describe_transform_job", TransformJobName=name)


def _state(job: Any) -> State:
    return _STATES.get(job["TransformJobStatus"], "running")


def _described(aws: Aws, name: str) -> tuple[Any, dict[str, str]]:
    try:
        job = _job(aws, name)
    except NotThere as error:
        raise DeploymentNotFound(f"SageMaker has no transform job {name!r} in {aws.region}") from error
    marks = marks_of(aws.tags(job["TransformJobArn"]))
    if marks.get("transform") != name:
        raise DeploymentNotFound(
            f"the transform job {name!r} in {aws.region} is not of prefect-ledger (no tag {MARK}transform): it is left alone"
        )
    return job, marks
