"""Floor 6. The block ``LedgerStore``: where a team's values go, kept in Prefect with its secrets, and found by name in settings."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from prefect.blocks.core import Block
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings
from prefect.types import SecretDict
from pydantic import ConfigDict, Field, HttpUrl, SecretStr, ValidationError, field_validator

from prefect_ledger.addresses import store_url
from prefect_ledger.errors import BlockNotLoaded, InvalidSettings
from prefect_ledger.masking import mask_text

SECONDS = 15.0  # that a block is waited for: a first one may start Prefect's small server

T = TypeVar("T")


class LedgerStore(Block):
    """
    Where runs, metrics and artifacts of a team go: the database, the artifact root and what is needed to enter them.

    Settings name it (`PREFECT_LEDGER_BLOCK`, or `block` in `[integrations.ledger]` of `prefect.toml`), and processes then
    need nothing else. The database's URL and the options for the artifact root are secrets.

    Example:
        Make one, and use it in this process:
        ```python
        from prefect_ledger import LedgerStore, configure

        LedgerStore(store_url="postgresql://ledger:secret@db.example/ledger", artifact_root="s3://team/ledger").save("BLOCK_NAME")
        store = LedgerStore.load("BLOCK_NAME")
        configure(block="BLOCK_NAME")
        ```
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    _block_type_name = "Ledger Store"
    _block_type_slug = "ledger-store"
    _documentation_url = HttpUrl("https://pypi.org/project/prefect-ledger/")

    store_url: SecretStr = Field(
        title="Store URL",
        description="The database, as in postgresql://user:password@host/database or sqlite:////path/to/ledger.db.",
        examples=["postgresql://ledger:secret@db.example/ledger"],
    )
    artifact_root: str = Field(
        title="Artifact root",
        description="Where artifacts go: a folder that all machines see, or a URL such as s3://bucket/prefix.",
        examples=["s3://team/ledger"],
    )
    folder: str | None = Field(
        default=None,
        description="A folder below the artifact root for this block's artifacts alone, where several share a bucket.",
        examples=["staging"],
    )
    storage_options: SecretDict | None = Field(
        default=None,
        title="Storage options",
        description="Options for the artifact root's driver, such as keys and endpoint_url of an S3 server.",
    )

    @field_validator("store_url")
    @classmethod
    def _is_a_store(cls, given: SecretStr) -> SecretStr:
        store_url(given.get_secret_value(), "block")  # InvalidSettings is a ValueError, and quotes no password
        return given

    @field_validator("artifact_root")
    @classmethod
    def _has_no_password(cls, given: str) -> str:
        if not given.strip() or mask_text(given) != given:
            raise ValueError("an artifact root is a folder or a URL without keys in it: those belong into storage_options")
        return given

    def settings(self) -> dict[str, Any]:
        """The settings this block stands for, secrets in the clear."""
        root = self.artifact_root.rstrip("/") if self.artifact_root.strip("/") else self.artifact_root
        return {
            "store_url": self.store_url.get_secret_value(),
            "artifact_root": f"{root}/{self.folder.strip('/')}" if self.folder else root,
            "storage_options": self.storage_options.get_secret_value() if self.storage_options is not None else None,
        }


def address(name: str) -> str:
    """Which block is meant: its name, and the API or else the home of the Prefect that keeps it."""
    settings = get_current_settings()
    return f"{name} at {settings.api.url or settings.home}"


def values(name: str) -> Mapping[str, Any]:
    """The settings of the block of this name, with its secrets; takes ``SECONDS`` at most, also in an event loop.

    Raises:
        BlockNotLoaded: there is none, it holds what cannot be used, or Prefect does not answer.
    """
    try:
        return _within(SECONDS, lambda: _read(name))
    except ObjectNotFound:
        why = "there is none of this name; make it in Prefect's UI, or by LedgerStore(...).save(...)"
    except ValidationError as error:  # its text quotes what it was given
        why = f"what it holds in {', '.join(sorted({str(e['loc'][0]) for e in error.errors() if e['loc']}))} cannot be used"
    except InvalidSettings as error:
        why = str(error)
    except TimeoutError:
        why = f"Prefect did not answer within {SECONDS:g} seconds"
    except Exception as error:  # noqa: BLE001  # the API may be away in any way, or say no in any way
        why = f"Prefect was asked and {type(error).__name__} came back: {mask_text(str(error))[:200]}"
    raise BlockNotLoaded(f"the block {name!r}, which is to say where the store is, cannot be loaded: {why}")


def secret(name: str) -> str | None:
    """What Prefect's Secret block of this name holds; None where there is none, it holds no text, or Prefect does not answer."""

    def read() -> object:
        with get_client(sync_client=True) as client:
            return client.read_block_document_by_name(name, "secret", include_secrets=True).data.get("value")

    try:
        found = _within(SECONDS, read)
    except Exception:  # noqa: BLE001  # the API may be away in any way: what needs the secret waits
        return None
    return found if isinstance(found, str) else None


def _read(name: str) -> Mapping[str, Any]:
    # Not LedgerStore.load: inside an event loop that gives a coroutine.
    with get_client(sync_client=True) as client:
        document = client.read_block_document_by_name(name, str(LedgerStore._block_type_slug), include_secrets=True)
    return LedgerStore.model_validate(document.data).settings()


def _within(seconds: float, work: Callable[[], T]) -> T:
    """What ``work`` gives, done in a thread that is left alone when it takes too long."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:  # noqa: BLE001  # raised where it was asked for
            failed.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name="prefect-ledger-block", daemon=True)
    thread.start()
    thread.join(seconds)
    if failed:
        raise failed[0]
    if not done:
        raise TimeoutError
    return done[0]
