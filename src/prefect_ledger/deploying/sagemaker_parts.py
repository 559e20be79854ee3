"""Floor 5. The parts of a deployment on SageMaker (archive, model, configuration): made one after another, found again, removed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from prefect_ledger.deploying import sagemaker_archive
from prefect_ledger.deploying.placing import place
from prefect_ledger.deploying.sagemaker_api import AlreadyThere, Aws, Made, NotThere
from prefect_ledger.deploying.sagemaker_options import config_request, is_part_of, marks_of, model_request, part_name, tag_list
from prefect_ledger.masking import mask_text

_TRIES, _PAUSE = 5, 2.0  # SageMaker may not know yet, for a moment, what it has just made


@dataclass(frozen=True, slots=True)
class Packed:
    """An archive in S3, and what it is made into: ``part`` is the new model's name, ``answers_for`` the digest where its code may run."""

    name: str
    part: str
    archive: str
    answers_for: str
    marks: Mapping[str, str]


def pack_model(aws: Aws, made: Made, name: str, reference: str, options: Mapping[str, Any], kind: str = "deployment") -> Packed:
    """Put the files of the model that ``reference`` means to S3, every one checked.

    Raises:
        DeploymentFailed: S3 refuses. Else as :func:`prefect_ledger.load_predictor`.
    """
    part = part_name(name)
    key = "/".join(filter(None, (options["prefix"], name, part[-12:], sagemaker_archive.NAME)))
    with tempfile.TemporaryDirectory(prefix="prefect-ledger-model-", ignore_cleanup_errors=True) as folder:
        placed = place(reference, Path(folder), trust=options["trust"])
        marks = {
            kind: name,
            "reference": mask_text(reference),
            "model-id": placed.model_id,
            "digest": placed.digest,
            "archive": f"s3://{options['bucket']}/{key}",
            "keep-archive": str(options["keep_archive"]).lower(),
            "kms-key": options["kms_key"] or "",
        }
        about = {**marks, "deployment": name}
        url = sagemaker_archive.put(aws, placed.folder, options["bucket"], key, about=about, kms_key=options["kms_key"])
    made.append((f"archive {url}", lambda: sagemaker_archive.remove(aws, url, name)))
    return Packed(name, part, url, placed.digest if placed.trusted else "", marks)


def make_model(aws: Aws, made: Made, packed: Packed, options: Mapping[str, Any]) -> str:
    """Make SageMaker's model of it; its name. Raises: DeploymentFailed."""
    part = packed.part
    request = model_request(part, options, packed.archive, packed.answers_for)
    with suppress(AlreadyThere):  # the name is new: a request that boto3 sent twice
        aws.call("create_model", **request, Tags=tag_list(packed.marks, options["tags"]))
    made.append((f"model {part}", lambda: aws.call("delete_model", ModelName=part)))
    return part


def make_config(aws: Aws, made: Made, packed: Packed, options: Mapping[str, Any]) -> str:
    """Make the configuration of an endpoint, which has the model's name. Raises: DeploymentFailed."""
    part, tags = packed.part, tag_list(packed.marks, options["tags"])
    with suppress(AlreadyThere):
        when_known(partial(aws.call, "create_endpoint_config", **config_request(part, options), Tags=tags))
    made.append((f"endpoint configuration {part}", lambda: aws.call("delete_endpoint_config", EndpointConfigName=part)))
    return part


def when_known(ask: Callable[[], Any]) -> Any:
    """What ``ask`` gives, asked again for a moment while AWS does not find what was made just now."""
    for _ in range(_TRIES - 1):
        try:
            return ask()
        except NotThere:
            time.sleep(_PAUSE)
    return ask()


def remove_part(aws: Aws, part: str) -> str:
    """Remove a configuration and the model of its name, where they are there; the archive that the model was made of, "" if unknown."""
    archive = ""
    with suppress(NotThere):
        archive = str(aws.call("describe_model", ModelName=part)["PrimaryContainer"].get("ModelDataUrl", ""))
    with suppress(NotThere):
        aws.call("delete_endpoint_config", EndpointConfigName=part)
    with suppress(NotThere):
        aws.call("delete_model", ModelName=part)
    return archive


def parts_of(aws: Aws, name: str) -> dict[str, dict[str, str]]:
    """The names of all models and configurations with our tag of the deployment ``name``, and what their tags say."""
    found: dict[str, dict[str, str]] = {}
    for part, arn in _listed(aws, name):
        if is_part_of(part, name) and part not in found:
            marks = marks_of(aws.tags(arn))
            if marks.get("deployment") == name:
                found[part] = marks
    return found


def _listed(aws: Aws, name: str) -> Iterator[tuple[str, str]]:
    for one in aws.pages("list_endpoint_configs", "EndpointConfigs", NameContains=name[:50]):
        yield one["EndpointConfigName"], one["EndpointConfigArn"]
    for one in aws.pages("list_models", "Models", NameContains=name[:50]):
        yield one["ModelName"], one["ModelArn"]
