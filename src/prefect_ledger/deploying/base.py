"""Floor 5. What a target is: a place where models are deployed, and what can be asked of it.

A deployment is named by the user and serves one model, whose files were checked when it was put there. A target keeps itself what it
knows of its deployments, where whoever asks the same target finds it: nothing of it is in the ledger's store.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from prefect_ledger.errors import InvalidName, InvalidValue

State = Literal["written", "starting", "serving", "stopped", "failed"]  # "written": its files stand, and nobody was there to start them
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", dict: "a mapping", list: "a list"}


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a target says of one deployment.

    ``model`` is the reference it was asked for with, ``model_id`` and ``digest`` (sha256 of the list of files) what that meant then,
    ``url`` where it answers, "" where it does not or where only the target knows how to ask; ``details`` what only this kind of target has.
    """

    name: str
    target: str
    state: State
    model: str
    model_id: str = ""
    digest: str = ""
    url: str = ""
    created: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Target(ABC):
    """A place where models are deployed.

    ``options`` are the names that ``config`` may have, with their defaults: the type of a default is the type of the value, None is text
    that has to be given or is found by the target itself.
    """

    name: ClassVar[str]
    extra: ClassVar[str] = ""
    options: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def create(self, name: str, model: str, config: Mapping[str, Any] | None = None) -> Deployment:
        """Deploy the model that the reference ``model`` means; comes back when it serves, or has failed, or where nobody starts it, stands.

        Raises:
            DeploymentExists: there is one of this name. InvalidName, InvalidValue: of the name or of ``config``. DeploymentFailed: it
            does not serve; what it left is removed. Else as :func:`prefect_ledger.load_predictor`.
        """

    @abstractmethod
    def update(self, name: str, model: str | None = None, config: Mapping[str, Any] | None = None) -> Deployment:
        """Bring another model, or other options, into place; what serves goes on serving until the new one does, where the target can.

        Raises:
            DeploymentNotFound: there is none. Else as ``create``; the old one then still stands.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Stop it and remove what belongs to it.

        Raises:
            DeploymentNotFound: there is none.
        """

    @abstractmethod
    def list(self) -> list[Deployment]:
        """All that this target has, by name."""

    @abstractmethod
    def get(self, name: str) -> Deployment:
        """One of them, as it is now.

        Raises:
            DeploymentNotFound: there is none.
        """

    @abstractmethod
    def predict(self, name: str, data: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Ask it; ``data`` is a frame, an array, records or lists, and the answer is what ``predictions`` holds in its answer.

        Raises:
            DeploymentNotFound: there is none. DeploymentFailed: it does not answer, or refuses; the message has its words.
        """


def check_name(name: object) -> str:
    """Return ``name`` if a deployment may have it: what containers, Kubernetes and clouds all take.

    Raises:
        InvalidName: it may not.

    Example:
        >>> check_name("churn-eu")
        'churn-eu'
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidName(
            f"a deployment's name is 1 to 63 small letters, digits and '-' between them, such as 'churn-eu', not {name!r:.80}"
        )
    return name


def check_config(config: Mapping[str, Any] | None, options: Mapping[str, Any], target: str) -> dict[str, Any]:
    """``config`` with the defaults of ``options`` filled in.

    Raises:
        InvalidValue: it has a name that is no option, or a value of another type.

    Example:
        >>> check_config({"port": 8001}, {"port": 8000, "workers": 1}, "local")
        {'port': 8001, 'workers': 1}
    """
    given = dict(config or {})
    if strange := sorted(set(given) - set(options)):
        raise InvalidValue(f"the target {target!r} has no option {strange[0]!r}; it has: {', '.join(sorted(options)) or 'none'}")
    for key, value in given.items():
        wanted = str if options[key] is None else type(options[key])
        fits = isinstance(value, (int, float) if wanted is float else wanted) and (wanted is bool or not isinstance(value, bool))
        if not fits and not (value is None and options[key] is None):
            raise InvalidValue(f"option {key!r} of the target {target!r} is {_KINDS.get(wanted, wanted.__name__)}, not {value!r:.80}")
    return {**options, **given}
