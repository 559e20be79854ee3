"""Floor 5. A folder that an image is built from: Dockerfile, pinned requirements, the model, and prefect-ledger itself.

The image runs as a user without a name and without rights, writes to /tmp alone, and serves the one model that has the digest. No text of
the user, of the model or of its maker reaches the Dockerfile but what was read as a version, a digest, an id or an image's name.
"""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from prefect_ledger.deploying import wheels
from prefect_ledger.deploying.placing import Placed
from prefect_ledger.errors import InvalidValue

PORT, MODEL, USER = 8080, "/opt/ml/model", 10001  # port and place are SageMaker's
MODEL_ID = re.compile(r"[A-Za-z0-9._-]{1,63}")
_IMAGE = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)*(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?", re.ASCII
)
_PYTHON = re.compile(r"3\.(\d{1,2})(\.\d{1,2})?")
_OLDEST = 11  # of Python 3, that prefect-ledger runs on
_PING = (
    "import http.client as h, sys; c = h.HTTPConnection('127.0.0.1', 8080, timeout=2); c.request('GET', '/ping'); "
    "sys.exit(c.getresponse().status != 200)"
)
_DOCKERFILE = """\
FROM {base}

WORKDIR /opt/serving
COPY {copied} ./
# Where an index needs a name and a password: docker build --secret id=pip,src=pip.conf; nothing of it stays in the image.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf python -m pip install --no-cache-dir -r requirements.txt

COPY model/ {model}/

ENV PREFECT_LEDGER_MODEL={model} \\
    PREFECT_LEDGER_MODEL_DIGEST={digest} \\
    PREFECT_LEDGER_SERVE_HOST=0.0.0.0 \\
    PREFECT_LEDGER_SERVE_PORT={port} \\
    PREFECT_LEDGER_HOME=/tmp/ledger \\
    HOME=/tmp \\
    PYTHONUNBUFFERED=1 \\
    PYTHONDONTWRITEBYTECODE=1

LABEL prefect-ledger.digest={digest} prefect-ledger.model-id={model_id}

USER {user}:{user}
EXPOSE {port}
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "-c", "{ping}"]
# `docker run IMAGE` and SageMaker's `docker run IMAGE serve` come to the same.
ENTRYPOINT ["prefect-ledger"]
CMD ["serve"]
"""
_IGNORED = "*\n!model\n!model/**\n!requirements.txt\n!*.whl\n"


def check_image(image: str) -> str:
    """Return ``image`` if it may name an image.

    Raises:
        InvalidValue: it may not.

    Example:
        >>> check_image("registry.example:5000/team/churn:7")
        'registry.example:5000/team/churn:7'
    """
    if len(image) > 255 or not _IMAGE.fullmatch(image):
        raise InvalidValue(f"an image is named as in registry.example/team/churn:7, not {image!r:.80}")
    return image


def write(folder: Path, placed: Placed, config: Mapping[str, Any]) -> Path:
    """Write the context of an image that serves ``placed`` into ``folder``, where its model already lies in ``model/``.

    Raises:
        InvalidValue: the model's requirements or Python are not what an image can be made with; ``config`` can say others.
    """
    base = check_image(config["base"] or f"python:{_python(placed)}-slim")
    lines = _requirements(config["requirements"] or _of_model(placed.folder))
    lines += [_itself(folder, config["package"])]
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    model_id = placed.model_id if MODEL_ID.fullmatch(placed.model_id) else "none"
    values = {"base": base, "model": MODEL, "digest": placed.digest, "model_id": model_id, "port": PORT, "user": USER, "ping": _PING}
    values["copied"] = " ".join(["requirements.txt", *(path.name for path in folder.glob("*.whl"))])
    (folder / "Dockerfile").write_text(_DOCKERFILE.format(**values), encoding="utf-8")
    (folder / ".dockerignore").write_text(_IGNORED, encoding="utf-8")
    for path in (placed.folder, *placed.folder.rglob("*")):  # COPY keeps modes, and another user reads them in the image
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def _python(placed: Placed) -> str:
    """The minor version of Python that the model was made with, else that of this process."""
    said = placed.file.function.get("python_version") or f"3.{sys.version_info.minor}"
    found = _PYTHON.fullmatch(str(said))
    if not found or int(found[1]) < _OLDEST:
        raise InvalidValue(
            f"the model was made with Python {said!r:.40}: say which image to begin with (option 'base'), with 3.{_OLDEST} or later"
        )
    return f"3.{found[1]}"


def _of_model(folder: Path) -> Iterable[str]:
    path = folder / "requirements.txt"
    if not path.is_file():
        raise InvalidValue("the model has no requirements.txt: say what it needs (option 'requirements')")
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    return (line.partition(" #")[0].strip() for line in text.splitlines() if not line.lstrip().startswith("#"))


def _requirements(lines: Iterable[object]) -> list[str]:
    """These requirements as pip takes them: names and versions alone, no options, no addresses.

    Raises:
        InvalidValue: a line is something else.
    """
    found = []
    for line in lines:
        if not str(line).strip():
            continue
        try:
            one = Requirement(str(line))
        except InvalidRequirement:
            one = None
        if one is None or one.url:
            raise InvalidValue(
                f"{str(line)!r:.120} is no requirement by name and version: an image is made of those alone; give a list of others (option "
                f"'requirements'), and say in a pip.conf where they are (option 'pip_conf')"
            )
        if canonicalize_name(one.name) != wheels.DISTRIBUTION:
            found.append(str(one))
    return found


def _itself(folder: Path, package: str | None) -> str:
    """The line for prefect-ledger: a wheel in the context, or a version of an index."""
    if package and package.endswith(".whl"):
        source = Path(package)
        if not source.is_file() or not re.fullmatch(r"prefect_ledger-[A-Za-z0-9.+_]+-py3-none-any\.whl", source.name):
            raise InvalidValue(f"no wheel of prefect-ledger: {package!r:.120}")
        return f"./{Path(shutil.copy(source, folder)).name}[serve]"
    if package:
        (line,) = _own([package])
        return line
    if wheels.from_index():
        import importlib.metadata

        return f"{wheels.DISTRIBUTION}[serve]=={importlib.metadata.version(wheels.DISTRIBUTION)}"
    return f"./{wheels.build(folder).name}[serve]"


def _own(lines: list[str]) -> Iterator[str]:
    for line in lines:
        try:
            one = Requirement(line)
        except InvalidRequirement:
            one = None
        if one is None or one.url or canonicalize_name(one.name) != wheels.DISTRIBUTION:
            raise InvalidValue(
                f"option 'package' is a wheel of prefect-ledger or a requirement such as prefect-ledger[serve]==1.0, not {line!r:.120}"
            )
        yield str(one)
