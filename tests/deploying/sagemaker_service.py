"""SageMaker on 127.0.0.1: moto behind HTTP, with what it lacks of the parts asked here, and a runtime before a real server of ours.

Moto makes every endpoint InService at once, overwrites one of the same name, has no UpdateEndpoint, ends every transform job at once, knows
no StopTransformJob, and invents the answers of an endpoint. Here a name is taken once, states come as a test says, an update is applied or
rolled back as SageMaker documents it, and ``Runtime`` passes a request on to a server as InvokeEndpoint does.
"""

from __future__ import annotations

import http.client
import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from typing import Any

import pytest
from moto.backends import get_backend
from moto.core.request import Request
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceInUseException, ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from werkzeug import Response
from werkzeug.serving import WSGIRequestHandler, make_server

REGION = "us-east-1"
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


class Service:
    """The service of one test.

    ``states`` are what the next looks at an endpoint find, the last of them stays; ``reason`` is why something failed; ``rolls_back``: what
    an update brings does not come up. ``refused`` has, by verb, the code and words it is refused with, and how often.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.states: list[str] = []
        self.job_states: list[str] = []
        self.reason = ""
        self.rolls_back = False
        self.refused: dict[str, tuple[str, str, int]] = {}
        self.repeated: dict[str, int] = {}  # by verb: how many requests arrive whose answers are lost: boto3 sends them again
        self.before: dict[str, Callable[[], object]] = {}  # by verb: what is done before it is answered
        self.verbs: list[str] = []

    def reset(self) -> None:
        """Forget all that stands."""
        get_backend("sagemaker").reset()

    @property
    def backend(self) -> Any:
        return get_backend("sagemaker")["123456789012"][REGION]

    def names(self) -> dict[str, list[str]]:
        """All that stands."""
        return {
            "endpoints": sorted(self.backend.endpoints),
            "configs": sorted(self.backend.endpoint_configs),
            "models": sorted(self.backend._models),
        }


def extend(monkeypatch: pytest.MonkeyPatch, one: Service) -> None:
    """Teach moto what it lacks, for one test."""
    dispatch = SageMakerResponse.call_action

    def call_action(self: Any) -> Any:
        verb = self._get_action()
        one.verbs.append(verb)
        one.before.get(verb, lambda: None)()
        code, words, times = one.refused.get(verb, ("", "", 0))
        if times:
            one.refused[verb] = code, words, times - 1
            return 400, _JSON, json.dumps({"__type": code, "message": words})
        if one.repeated.get(verb):
            one.repeated[verb] -= 1
            dispatch(self)
            return 500, _JSON, '{"__type": "InternalFailure", "message": "lost"}'
        return dispatch(self)

    monkeypatch.setattr(SageMakerResponse, "call_action", call_action)
    _names_once(monkeypatch)
    _updates(monkeypatch, one)
    _jobs(monkeypatch, one)


def _names_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, place in (("model", "_models"), ("endpoint", "endpoints")):

        def create(self: Any, *, made: Any, kind: str, place: str, **request: Any) -> Any:
            if (there := getattr(self, place).get(request[f"{kind}_name"])) is not None:
                raise ValidationError(f'Cannot create already existing {kind} "{there.arn}".')
            return made(self, **request)

        made = getattr(SageMakerModelBackend, f"create_{kind}")
        monkeypatch.setattr(SageMakerModelBackend, f"create_{kind}", partialmethod(create, made=made, kind=kind, place=place))


def _updates(monkeypatch: pytest.MonkeyPatch, one: Service) -> None:
    describe, wanted = SageMakerModelBackend.describe_endpoint, dict[str, str]()

    def describe_endpoint(self: Any, endpoint_name: str) -> Any:
        describe(self, endpoint_name)
        endpoint = self.endpoints[endpoint_name]
        before, endpoint.endpoint_status = endpoint.endpoint_status, _next(one.states, "InService")
        if before == "Updating" and endpoint.endpoint_status == "InService" and not one.rolls_back:
            endpoint.endpoint_config_name = wanted[endpoint_name]
        endpoint.failure_reason = one.reason or None
        found = describe(self, endpoint_name)
        if endpoint.endpoint_status == "Updating" and endpoint_name in wanted:
            found["PendingDeploymentSummary"] = {"EndpointConfigName": wanted[endpoint_name]}
        return found

    def update_endpoint(self: Any) -> Any:
        name, config = self._get_param("EndpointName"), self._get_param("EndpointConfigName")
        endpoint = self.sagemaker_backend.endpoints[name]
        self.sagemaker_backend.describe_endpoint_config(config)
        if endpoint.endpoint_status != "InService":
            raise ValidationError(f'Cannot update in-progress endpoint "{endpoint.arn}".')
        endpoint.endpoint_status, wanted[name] = "Updating", config
        return ActionResult({"EndpointArn": endpoint.arn})

    monkeypatch.setattr(SageMakerModelBackend, "describe_endpoint", describe_endpoint)
    monkeypatch.setattr(SageMakerResponse, "update_endpoint", update_endpoint, raising=False)


def _jobs(monkeypatch: pytest.MonkeyPatch, one: Service) -> None:
    create, describe = SageMakerModelBackend.create_transform_job, SageMakerModelBackend.describe_transform_job

    def create_transform_job(self: Any, transform_job_name: str, **request: Any) -> Any:
        if transform_job_name in self.transform_jobs:
            raise ResourceInUseException(message="Job name must be unique within an AWS account and region.")
        return create(self, transform_job_name=transform_job_name, **request)

    def describe_transform_job(self: Any, transform_job_name: str) -> Any:
        found = describe(self, transform_job_name)
        if one.job_states:
            found["TransformJobStatus"] = _next(one.job_states, "Completed")
            found["FailureReason"] = one.reason
        return found

    def stop_transform_job(self: Any) -> Any:
        one.job_states = ["Stopping", "Stopped"]
        return EmptyResult()

    monkeypatch.setattr(SageMakerModelBackend, "create_transform_job", create_transform_job)
    monkeypatch.setattr(SageMakerModelBackend, "describe_transform_job", describe_transform_job)
    monkeypatch.setattr(SageMakerResponse, "stop_transform_job", stop_transform_job, raising=False)


def _next(states: list[str], otherwise: str) -> str:
    return states.pop(0) if len(states) > 1 else states[0] if states else otherwise


class _Asked(Request):
    from_wsgi_server = True


def _moto(environ: Any, start_response: Any) -> Any:
    """Moto's answer; its own server asks for packages that nothing else needs."""
    request = _Asked(environ)
    kind = SageMakerRuntimeResponse if request.path.endswith("/invocations") else SageMakerResponse
    status, headers, body = kind.dispatch(request, request.url, dict(request.headers))
    return Response(body, status, headers)(environ, start_response)


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *words: Any) -> None:  # noqa: A002  # its name there
        """Nothing."""


@contextmanager
def moto_server() -> Iterator[str]:
    """Moto on a free port; its URL."""
    server = make_server("127.0.0.1", 0, _moto, threaded=True, request_handler=_Quiet)
    with _running(server):
        yield f"http://127.0.0.1:{server.port}"


@contextmanager
def _running(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def runtime(port: int) -> Iterator[str]:
    """InvokeEndpoint for one endpoint whose container listens on ``port``: a refusal of the container is a ModelError, as at AWS."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # its name there
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path != "/endpoints/churn/invocations":
                self._answer(
                    400, {"x-amzn-ErrorType": "ValidationError"}, b'{"Message": "Endpoint other of account 123456789012 not found."}'
                )
                return
            container = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            container.request("POST", "/invocations", body, {"Content-Type": self.headers["Content-Type"]})
            answer = container.getresponse()
            said = answer.read()
            container.close()
            if answer.status == 200:
                self._answer(200, {"Content-Type": answer.headers["Content-Type"]}, said)
            else:
                told = {"Message": "Received client error", "OriginalStatusCode": answer.status, "OriginalMessage": said.decode()}
                self._answer(424, {"x-amzn-ErrorType": "ModelError"}, json.dumps(told).encode())

        def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with _running(server):
        yield f"http://127.0.0.1:{server.server_address[1]}"
