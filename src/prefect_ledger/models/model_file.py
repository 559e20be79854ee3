"""Floor 4. The MLmodel file: what a model is, in YAML, with the keys of MLflow 3.17 (https://mlflow.org/docs/latest/ml/model/)."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.models import strange_yaml
from prefect_ledger.models.wording import shown
from prefect_ledger.names import check_path
from prefect_ledger.transfer import regular

if TYPE_CHECKING:
    from prefect_ledger.models.schema import Signature

NAME = "MLmodel"
FUNCTION = "python_function"
FORMAT = "3.17.2"  # of MLflow's: the one whose keys these are
LIMIT = 16 << 20  # bytes
_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ModelFile:
    """An MLmodel file. ``flavors`` has an entry for each way in which the model can be opened, ``example`` says where its input example
    is, ``extra`` keeps what this version does not know."""

    flavors: Mapping[str, Mapping[str, Any]]
    signature: Signature | None = None
    model_id: str = ""
    run_id: str = ""
    name: str = ""
    created: str = ""
    size: int = 0
    example: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    metadata: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    extra: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)

    @property
    def function(self) -> Mapping[str, Any]:
        """The entry of the ``python_function`` flavor."""
        return self.flavors.get(FUNCTION, _EMPTY)

    def text(self) -> str:
        """As YAML."""
        import yaml

        out: dict[str, Any] = {
            "artifact_path": self.name or None,
            "flavors": _plain(self.flavors),
            "mlflow_version": FORMAT,
            "model_id": self.model_id or None,
            "model_uuid": self.model_id or None,
            "model_size_bytes": self.size,
            "run_id": self.run_id or None,
            "saved_input_example_info": _plain(self.example) or None,
            "signature": self.signature.to_mlmodel() if self.signature is not None else None,
            "metadata": _plain(self.metadata) or None,
            "utc_time_created": self.created,
            **_plain(self.extra),
        }
        kept = {key: value for key, value in out.items() if value is not None}
        return str(yaml.dump(kept, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), default_flow_style=False, allow_unicode=True))

    def write(self, folder: Path) -> ModelFile:
        """Write it into ``folder``, with the size of what is there."""
        sized = replace(self, size=sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
        (folder / NAME).write_text(sized.text(), encoding="utf-8")
        return sized


def read(folder: Path) -> ModelFile:
    """The MLmodel file of the model in ``folder``.

    Raises:
        InvalidValue: there is none, or it is not one.
    """
    path = folder / NAME
    try:
        with regular(path, follow=False) as file:
            data = bytearray()
            while len(data) <= LIMIT and (more := file.read(LIMIT + 1 - len(data))):
                data += more
    except OSError as error:
        raise InvalidValue(f"no model in {folder}: it has no readable MLmodel file ({error.strerror})") from error
    except InvalidValue as error:
        raise InvalidValue(
            f"no model in {folder}: its MLmodel is a link or no regular file; put a copy of the file in its place"
        ) from error
    if len(data) > LIMIT:
        raise InvalidValue(f"{path} has more than {LIMIT:,} bytes: that is no MLmodel file")
    return parse(bytes(data), str(path))


def parse(data: bytes, place: str = NAME) -> ModelFile:
    """The MLmodel file of these bytes; ``place`` names it in errors.

    Raises:
        InvalidValue: it is not one.
    """
    try:
        found = strange_yaml.load(data)
    except InvalidValue as error:
        raise InvalidValue(f"{place} {error}") from error
    if not isinstance(found, dict) or not isinstance(flavors := found.pop("flavors", None), dict):
        raise InvalidValue(f"{place} is no MLmodel file: it names no flavors")
    if bad := [shown(name) for name, entry in flavors.items() if not isinstance(name, str) or not isinstance(entry, dict)]:
        raise InvalidValue(f"{place}: the flavor {bad[0]} is no mapping")
    return _of(found, flavors, place)


def _of(found: dict[str, Any], flavors: dict[str, Any], place: str) -> ModelFile:
    from prefect_ledger.models.schema import Signature

    def text(key: str) -> str:
        value = found.pop(key, None)
        if value is not None and not isinstance(value, str | bool | int | float | date):
            raise InvalidValue(f"{place}: {key} is {shown(value)}, where a text is wanted")
        try:
            return "" if value is None else str(value)
        except ValueError as error:  # a whole number of thousands of digits
            raise InvalidValue(f"{place}: {key} is a number that is too long: a text is wanted") from error

    def mapping(key: str) -> Mapping[str, Any]:
        value = found.pop(key, None)
        if value is not None and not isinstance(value, dict):
            raise InvalidValue(f"{place}: {key} is no mapping")
        return value or _EMPTY

    signature = mapping("signature")
    size = found.pop("model_size_bytes", 0)
    uuid = text("model_uuid")
    found.pop("mlflow_version", None)
    return ModelFile(
        flavors=flavors,
        signature=Signature.from_mlmodel(signature) if signature else None,
        model_id=text("model_id") or uuid,
        run_id=text("run_id"),
        name=text("artifact_path"),
        created=text("utc_time_created"),
        size=size if isinstance(size, int) else 0,
        example=mapping("saved_input_example_info"),
        metadata=mapping("metadata"),
        extra=found,
    )


def inside(folder: Path, name: str) -> Path:
    """The file or folder ``name`` of a model, which may not lie outside of it.

    Raises:
        InvalidValue: it does, or it is not there.
    """
    try:
        path = folder / check_path(posixpath.normpath(name))
        if not path.resolve(strict=True).is_relative_to(folder.resolve()):
            raise InvalidValue(f"the model in {folder} names a file outside of it: {name!r}")
        if not (path.is_file() or path.is_dir()):
            raise InvalidValue(f"the model in {folder} names as its file a pipe or device: {name!r}; put a copy of the file in its place")
    except InvalidName as error:
        raise InvalidValue(f"the model in {folder} names a file that no model has: {error}") from error
    except OSError as error:
        raise InvalidValue(f"the model in {folder} lacks its file {name!r}: it was not copied whole") from error
    return path


def now_text() -> str:
    """The time of now, as MLmodel files say it."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _plain(value: Any) -> Any:
    """Mappings and sequences as YAML's dumper knows them."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
