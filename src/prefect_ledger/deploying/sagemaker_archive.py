"""Floor 5. A model's files as the archive that SageMaker unpacks: the same files make the same bytes, and it stands in S3 whole or not.

Who made the files, when, and what they may be used for on this machine is no part of it.
"""

from __future__ import annotations

import contextlib
import gzip
import stat
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from prefect_ledger.deploying.sagemaker_api import S3, Aws, NotThere, refusals
from prefect_ledger.errors import InvalidName

NAME = "model.tar.gz"
_OWNER = "deployment"  # in the object's metadata


def pack(folder: Path, out: BinaryIO) -> None:
    """Write the files below ``folder`` to ``out``, by name, with nothing of this machine.

    Raises:
        InvalidName: there is a link, or something else that is no file.

    Example:
        >>> import io
        >>> made = []
        >>> for _ in range(2):
        ...     with tempfile.TemporaryDirectory() as folder, io.BytesIO() as out:
        ...         _ = Path(folder, "MLmodel").write_text("flavors: {}")
        ...         pack(Path(folder), out)
        ...         made.append(out.getvalue())
        >>> made[0] == made[1]
        True
    """
    with (
        gzip.GzipFile(filename="", fileobj=out, mode="wb", compresslevel=6, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
            found = path.lstat()
            if stat.S_ISDIR(found.st_mode):
                continue
            if not stat.S_ISREG(found.st_mode):
                raise InvalidName(
                    f"{path.relative_to(folder).as_posix()!r} of the model is no file but a link or a device: put a copy there"
                )
            one = tarfile.TarInfo(path.relative_to(folder).as_posix())
            one.size, one.mode, one.mtime = found.st_size, 0o644, 0
            with path.open("rb") as file:
                archive.addfile(one, file)


def put(aws: Aws, folder: Path, bucket: str, key: str, *, about: Mapping[str, str], kms_key: str | None) -> str:
    """Put the model in ``folder`` to S3; where it stands then. ``about`` goes into the object's metadata.

    Raises:
        DeploymentFailed: S3 does not take it; nothing stands there then.
    """
    more: dict[str, Any] = {"Metadata": {one: _ascii(value) for one, value in about.items() if value}, "ContentType": "application/gzip"}
    if kms_key:
        more |= {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
    with tempfile.TemporaryFile(prefix="prefect-ledger-archive-") as file:
        pack(folder, file)
        file.seek(0)
        with refusals(f"the archive s3://{bucket}/{key}"):
            aws.client(S3).upload_fileobj(file, bucket, key, ExtraArgs=more)
    return f"s3://{bucket}/{key}"


def _ascii(value: str) -> str:
    """As a header may have it."""
    return "".join(c if " " <= c <= "~" else "_" for c in value)[:256].strip()


def remove(aws: Aws, url: str, name: str) -> None:
    """Remove the archive at ``url`` if it stands there and is of the deployment ``name``: what is somebody else's stays.

    Raises:
        DeploymentFailed: S3 does not let it go.
    """
    bucket, _, key = url.removeprefix("s3://").partition("/")
    if not url.startswith("s3://") or not key.endswith(f"/{NAME}"):
        return
    with contextlib.suppress(NotThere):
        if aws.call("head_object", S3, Bucket=bucket, Key=key)["Metadata"].get(_OWNER) == name:
            aws.call("delete_object", S3, Bucket=bucket, Key=key)
