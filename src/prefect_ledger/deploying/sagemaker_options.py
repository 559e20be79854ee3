"""Floor 5. What can be said of a deployment on SageMaker, checked, and what SageMaker is asked for with it; nothing here asks anybody."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

from prefect_ledger.deploying.base import check_config
from prefect_ledger.errors import InvalidValue
from prefect_ledger.masking import mask_text

MARK = "prefect-ledger:"  # before the names of tags that are ours
VARIANT = "model"
MODEL, DIGEST = "PREFECT_LEDGER_MODEL", "PREFECT_LEDGER_MODEL_DIGEST"  # what the image reads
FOLDER = "/opt/ml/model"  # where SageMaker unpacks an archive
OPTIONS: Mapping[str, Any] = {
    "region": None,
    "bucket": None,
    "prefix": "prefect-ledger",
    "image_url": None,
    "execution_role_arn": None,
    "instance_type": "ml.m5.large",
    "instance_count": 1,
    "serverless_memory": 0,  # MB; 0: instances
    "serverless_concurrency": 5,
    "security_groups": [],
    "subnets": [],
    "kms_key": None,
    "tags": {},
    "keep_archive": False,
    "trust": False,
    "wait": True,
    "timeout": 1800.0,
}
_TRANSFORM_LACKS = ("serverless_memory", "serverless_concurrency")
TRANSFORM_OPTIONS: Mapping[str, Any] = {
    **{key: value for key, value in OPTIONS.items() if key not in _TRANSFORM_LACKS},
    "format": "csv",
    "max_payload": 6,  # MB
}
FORMATS = {"csv": ("text/csv", "None"), "parquet": ("application/vnd.apache.parquet", "None"), "jsonl": ("application/json", "Line")}
_NEEDED = {
    "bucket": "of S3, where the model's files go, such as 'my-models'",
    "image_url": "of the image in ECR, such as '123456789012.dkr.ecr.eu-central-1.amazonaws.com/serving:1'",
    "execution_role_arn": "of the role that SageMaker reads archive and image with, such as 'arn:aws:iam::123456789012:role/serving'",
}
_FORMS = {
    "bucket": (re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"), "a bucket's name"),
    "prefix": (re.compile(r"([A-Za-z0-9_.=+@-]+(/[A-Za-z0-9_.=+@-]+)*)?"), "names with '/' between them"),
    "image_url": (re.compile(r"[\w.:/@-]{1,255}", re.ASCII), "the address of an image"),
    "execution_role_arn": (re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+", re.ASCII), "a role's ARN"),
    "instance_type": (re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+"), "such as 'ml.m5.large'"),
    "kms_key": (re.compile(r"[A-Za-z0-9:/_-]{1,256}"), "a key's id, alias or ARN"),
}


def checked(config: Mapping[str, Any] | None, options: Mapping[str, Any] = OPTIONS) -> dict[str, Any]:
    """``config`` with defaults, of which SageMaker can be asked.

    Raises:
        InvalidValue: an option is missing, or has a value that SageMaker does not take.
    """
    found = check_config(config, options, "sagemaker")
    for key, what in _NEEDED.items():
        if not found[key]:
            raise InvalidValue(f"the target 'sagemaker' needs the option {key!r}: that {what}")
    for key, (form, wanted) in _FORMS.items():
        if found[key] is not None and not form.fullmatch(found[key]):
            raise InvalidValue(f"option {key!r} of the target 'sagemaker' is {wanted}, not {mask_text(found[key])!r:.120}")
    if len(found["prefix"]) > 90 or any(part in (".", "..") for part in found["prefix"].split("/")):
        raise InvalidValue(f"option 'prefix' has at most 90 characters and no part '.' or '..', not {found['prefix']!r:.120}")
    _check_numbers(found)
    _check_lists(found)
    return found


def _check_numbers(found: Mapping[str, Any]) -> None:
    ranges = {"instance_count": (1, 10_000), "serverless_concurrency": (1, 1000), "max_payload": (1, 16), "timeout": (0.001, 86_400)}
    for key, (least, most) in ranges.items():
        if key in found and not least <= found[key] <= most:
            raise InvalidValue(f"option {key!r} of the target 'sagemaker' is from {least} to {most}, not {found[key]!r}")
    if found.get("serverless_memory", 0) not in (0, *range(1024, 6145, 1024)):
        raise InvalidValue(f"option 'serverless_memory' is 0 or 1024, 2048 … 6144 MB, not {found['serverless_memory']!r}")
    if found.get("format", "csv") not in FORMATS:
        raise InvalidValue(f"option 'format' is one of {', '.join(sorted(FORMATS))}, not {found['format']!r:.80}")


def _check_lists(found: Mapping[str, Any]) -> None:
    for key in ("security_groups", "subnets"):
        if not all(isinstance(one, str) and re.fullmatch(r"[a-z0-9-]{1,32}", one) for one in found[key]):
            raise InvalidValue(
                f"option {key!r} is a list of ids such as ['{'sg' if key[1] == 'e' else 'subnet'}-0a1b2c3d'], not {found[key]!r:.120}"
            )
    if bool(found["security_groups"]) != bool(found["subnets"]):
        raise InvalidValue("options 'security_groups' and 'subnets' come together: a network of its own needs both")
    if found["subnets"] and found.get("serverless_memory"):
        raise InvalidValue("SageMaker runs no serverless endpoint in a network of one's own: leave out 'subnets' or 'serverless_memory'")
    for key, value in found["tags"].items():
        fits = isinstance(key, str) and isinstance(value, str) and 0 < len(key) <= 128 and len(value) <= 256
        if not fits or fitted(key) != key or fitted(value) != value or key.startswith((MARK, "aws:")):
            raise InvalidValue(
                f"a tag is text for text, of letters, digits, spaces and '_.:/=+-@', not beginning with {MARK!r} or 'aws:', not {key!r:.80}"
            )
    if len(found["tags"]) > 40:
        raise InvalidValue(f"SageMaker takes 50 tags, ten of which are ours: give 40 at most, not {len(found['tags'])}")


def fitted(text: str) -> str:
    """``text`` as a tag may have it: other characters become '_', and what is too long is cut."""
    return "".join(c if c.isalnum() or c in " _.:/=+-@" else "_" for c in text)[:256]


def part_name(name: str) -> str:
    """A new name for a model, its configuration and the folder of its archive."""
    return f"{name[:50]}-{uuid.uuid4().hex[:12]}"


def is_part_of(part: str, name: str) -> bool:
    """Whether ``part`` can be such a name; its tags say whether it is one."""
    return re.fullmatch(rf"{re.escape(name[:50])}-[0-9a-f]{{12}}", part) is not None


def tag_list(marks: Mapping[str, str], users: Mapping[str, str]) -> list[dict[str, str]]:
    """Ours and the user's, as SageMaker takes them."""
    ours = {f"{MARK}{key}": fitted(value) for key, value in marks.items() if value}
    return [{"Key": key, "Value": value} for key, value in {**users, **ours}.items()]


def marks_of(tags: Mapping[str, str]) -> dict[str, str]:
    """What our tags say."""
    return {key.removeprefix(MARK): value for key, value in tags.items() if key.startswith(MARK)}


def model_request(part: str, options: Mapping[str, Any], archive: str, digest: str) -> dict[str, Any]:
    """What CreateModel is asked for; ``digest`` is "" where nobody answers for what the files may run."""
    request: dict[str, Any] = {
        "ModelName": part,
        "ExecutionRoleArn": options["execution_role_arn"],
        "PrimaryContainer": {
            "Image": options["image_url"],
            "ModelDataUrl": archive,
            "Environment": {MODEL: FOLDER, DIGEST: digest},  # "" too: an image may have one of its own, of another model
        },
    }
    if options["subnets"]:
        request["VpcConfig"] = {"SecurityGroupIds": options["security_groups"], "Subnets": options["subnets"]}
    return request


def config_request(part: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What CreateEndpointConfig is asked for."""
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": part}
    request: dict[str, Any] = {"EndpointConfigName": part, "ProductionVariants": [variant]}
    if options["serverless_memory"]:
        sizes = {"MemorySizeInMB": options["serverless_memory"], "MaxConcurrency": options["serverless_concurrency"]}
        variant["ServerlessConfig"] = sizes
        return request
    variant |= {"InstanceType": options["instance_type"], "InitialInstanceCount": options["instance_count"], "InitialVariantWeight": 1.0}
    return {**request, **({"KmsKeyId": options["kms_key"]} if options["kms_key"] else {})}


def transform_request(name: str, part: str, source: str, output: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What CreateTransformJob is asked for: one request to the server for each file, or, of "jsonl", for each line."""
    content_type, split = FORMATS[options["format"]]
    key = options["kms_key"]
    return {
        "TransformJobName": name,
        "ModelName": part,
        **({"BatchStrategy": "SingleRecord"} if split == "Line" else {}),
        "MaxPayloadInMB": options["max_payload"],
        "TransformInput": {
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
            "ContentType": content_type,
            "SplitType": split,
        },
        "TransformOutput": {
            "S3OutputPath": output,
            "Accept": "application/json",
            "AssembleWith": split,
            **({"KmsKeyId": key} if key else {}),
        },
        "TransformResources": {
            "InstanceType": options["instance_type"],
            "InstanceCount": options["instance_count"],
            **({"VolumeKmsKeyId": key} if key else {}),
        },
    }


def standing_options(endpoint: Any, config: Any, model: Any, tags: Mapping[str, str]) -> dict[str, Any]:
    """The options that an endpoint was made with, from what SageMaker says of it, of its configuration and model, and of their tags."""
    container, network = model["PrimaryContainer"], model.get("VpcConfig") or {}
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    variant, marks = config["ProductionVariants"][0], marks_of(tags)
    found = {
        "bucket": bucket,
        "prefix": "/".join(key.split("/")[:-3]),
        "image_url": container["Image"],
        "execution_role_arn": model["ExecutionRoleArn"],
        "security_groups": list(network.get("SecurityGroupIds", [])),
        "subnets": list(network.get("Subnets", [])),
        "kms_key": marks.get("kms-key"),
        "keep_archive": marks.get("keep-archive") == "true",
        "tags": {key: value for key, value in tags.items() if not key.startswith((MARK, "aws:"))},
    }
    if serverless := variant.get("ServerlessConfig"):
        return {
            **found,
            "serverless_memory": serverless["MemorySizeInMB"],
            "serverless_concurrency": serverless["MaxConcurrency"],
        }
    running = (endpoint.get("ProductionVariants") or [{}])[0]  # of more instances, where somebody scaled it
    count = running.get("DesiredInstanceCount") or variant["InitialInstanceCount"]
    return {**found, "instance_type": variant["InstanceType"], "instance_count": count}
