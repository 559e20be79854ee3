"""Floor 5. The border to AWS: one region's clients by boto3's own chain, what AWS refuses as errors of ours, and what was made, unmade.

Credentials, profiles, and other addresses than AWS's come from boto3 alone (``AWS_PROFILE``, ``AWS_ENDPOINT_URL_SAGEMAKER``, …): nothing of
them is kept or said here.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

from prefect_ledger.errors import DeploymentFailed, InvalidValue, LedgerError, MissingExtra
from prefect_ledger.masking import mask_text

SAGEMAKER, RUNTIME, S3 = "sagemaker", "sagemaker-runtime", "s3"
_MISSING = re.compile(r"could not find|not found|does not exist", re.IGNORECASE)
_THERE = re.compile(r"already exist|must be unique", re.IGNORECASE)
_MISSING_CODES = frozenset({"ResourceNotFound", "ResourceNotFoundException", "NoSuchKey", "404"})
_BAD_REQUEST = frozenset({"ValidationException", "ValidationError", *_MISSING_CODES})
_BUSY = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
_WORDS = 2000  # characters of what AWS says that a message has
Made = list[tuple[str, Callable[[], object]]]


class NotThere(DeploymentFailed):
    """AWS does not know what it was asked for."""


class AlreadyThere(DeploymentFailed):
    """AWS has something of this name."""


class Unreachable(DeploymentFailed):
    """AWS does not answer now, or is too busy to."""


class Aws:
    """AWS in one region; its clients are made when they are first needed."""

    def __init__(self, region: str | None = None) -> None:
        """Raises: InvalidValue: no region is given or found. MissingExtra: boto3 is not installed."""
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise MissingExtra("boto3", "sagemaker", need="deploying to SageMaker") from error
        try:
            self._session = boto3.Session(region_name=region)
        except BotoCoreError as error:  # such as a profile that does not exist
            raise InvalidValue(f"boto3 cannot be set up: {mask_text(str(error))}; look at AWS_PROFILE and AWS_CONFIG_FILE") from error
        if not self._session.region_name:
            raise InvalidValue(
                "no AWS region: give the option 'region', such as 'eu-central-1', or SageMaker(region=…), or set AWS_DEFAULT_REGION"
            )
        self.region: str = self._session.region_name
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """boto3's client of a service, which retries as boto3's standard mode does."""
        if service not in self._clients:
            from botocore.config import Config

            config = Config(retries={"mode": "standard"}, connect_timeout=10, read_timeout=70, user_agent_extra="prefect-ledger")
            with refusals(service):
                self._clients[service] = self._session.client(service, config=config)
        return self._clients[service]

    def call(self, verb: str, service: str = SAGEMAKER, /, **request: Any) -> Any:
        """What AWS answers.

        Raises:
            NotThere, AlreadyThere, DeploymentFailed: with AWS's own words.
        """
        with refusals(verb):
            return getattr(self.client(service), verb)(**request)

    def pages(self, verb: str, key: str, /, **request: Any) -> Iterator[Any]:
        """The items below ``key`` of all pages."""
        with refusals(verb):
            for page in self.client(SAGEMAKER).get_paginator(verb).paginate(**request):
                yield from page.get(key, [])

    def tags(self, arn: str) -> dict[str, str]:
        """The tags of a thing of SageMaker's; none where it is gone."""
        try:
            return {one["Key"]: one["Value"] for one in self.pages("list_tags", "Tags", ResourceArn=arn)}
        except NotThere:
            return {}


@contextlib.contextmanager
def refusals(verb: str) -> Iterator[None]:
    """What AWS or boto3 raises inside, as an error of ours."""
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        yield
    except ClientError as error:
        raise _refused(verb, error.response) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise DeploymentFailed(
            f"AWS is asked with credentials that boto3 finds, and it finds none that are whole ({type(error).__name__}): "
            "set AWS_PROFILE, run `aws configure`, or give this machine a role"
        ) from error
    except BotoCoreError as error:
        raise Unreachable(f"{verb} does not come through to AWS: {mask_text(str(error))[:_WORDS]}") from error


def _refused(verb: str, response: Any) -> DeploymentFailed:
    told = response.get("Error", {})
    code, words = str(told.get("Code", "")), str(told.get("Message", ""))
    if code == "ModelError":
        return DeploymentFailed(f"the model's server answers {response.get('OriginalStatusCode', '?')}: {_of_server(response)}")
    text = f"AWS refuses {verb}: {mask_text(words)[:_WORDS] or 'without a word'} ({code or 'no code'})"
    if code == "ResourceInUse" or (code in _BAD_REQUEST and _THERE.search(words)):
        return AlreadyThere(text)
    if code in _MISSING_CODES or (code in _BAD_REQUEST and _MISSING.search(words)):
        return NotThere(text)
    busy = code in _BUSY or response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR
    return Unreachable(text) if busy else DeploymentFailed(text)


def _of_server(response: Any) -> str:
    """The sentence of the server's refusal, or all it said."""
    words = str(response.get("OriginalMessage") or response.get("Error", {}).get("Message", ""))
    with contextlib.suppress(ValueError, TypeError, LookupError):  # not our server, or one that was ended: its words as they are
        words = json.loads(words)["message"]
    return mask_text(str(words))[:_WORDS]


@contextlib.contextmanager
def unmade_on_failure() -> Iterator[Made]:
    """What is put into the list, with how it is removed, is removed in reverse when something fails inside.

    Raises:
        DeploymentFailed: what failed, and, where AWS would not remove something, what was left.
    """
    made: Made = []
    try:
        yield made
    except BaseException as error:
        left, why = _unmake(made)
        if not left:
            raise
        said = f"left behind: {', '.join(left)} ({why}); delete or stop it again when AWS lets it go"
        if not isinstance(error, DeploymentFailed):
            error.add_note(said)
            raise
        raise DeploymentFailed(f"{error}; {said}") from error


def _unmake(made: Made) -> tuple[list[str], str]:
    """Remove from the last to the first; what is left from the first that does not go, which needs those before it, and why."""
    while made:
        try:
            with contextlib.suppress(NotThere):
                made[-1][1]()
        except LedgerError as error:
            return [what for what, _ in reversed(made)], str(error)
        made.pop()
    return [], ""
