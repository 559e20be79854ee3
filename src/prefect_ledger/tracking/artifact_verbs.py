"""Floor 5. The verbs of a run that put bytes into its artifacts, or say of data what it was.

Each checks and encodes what it is given before the first byte is stored: what is refused leaves no trace.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, SupportsIndex

from prefect_ledger.channel import Channel, whole
from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.events import ArtifactLogged, DatasetLogged, Noted
from prefect_ledger.masking import mask_value
from prefect_ledger.names import check_key
from prefect_ledger.tracking.clock import now
from prefect_ledger.tracking.documents import document
from prefect_ledger.tracking.media_types import kind_of, media_type
from prefect_ledger.tracking.paths import check_path

if TYPE_CHECKING:
    from prefect_ledger.artifact_store import Stored
    from prefect_ledger.held_artifacts import Put
    from prefect_ledger.tracking.ledger import Ledger
    from prefect_ledger.tracking.runs import ActiveRun, Shared

_SHOWN = 5  # paths in a note
_KIND = 32  # characters of an artifact's kind
_FOREIGN_TABLES = (".arrow", ".csv", ".feather", ".html", ".json", ".jsonl", ".tsv", ".xlsx")


class ArtifactVerbs(Channel):
    """What every run can do with files, pictures, figures, tables and data. A part of :class:`ActiveRun`."""

    _ledger: Ledger
    _shared: Shared

    # --- files ----------------------------------------------------------------------------------------------------

    def log_artifact(self, local_path: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None) -> None:
        """Log a local file, under its own name, in the folder ``artifact_path`` of the run's artifacts.

        The bytes stand whole, with their sha256, before the run mentions them. While the artifact root is away, they are held on this
        machine until ``prefect-ledger recover`` sends them, and the run goes on. ``progress``: a bar on the terminal or in the notebook
        when it takes longer than a second (None), always (True) or never (False).

        Raises:
            InvalidValue: no such file. InvalidName: a path that leaves the run's folder.
        """
        local = _local(local_path)
        if not local.is_file():
            raise InvalidValue(f"no file at {local}: log_artifact takes a file, log_artifacts a folder")
        path = check_path(f"{artifact_path}/{local.name}" if artifact_path else local.name)
        self._check_open()
        self._keep(lambda store, base: [store.put_file(base, path, local, progress=progress)])

    def log_artifacts(
        self, local_folder: str | os.PathLike[str], artifact_path: str | None = None, *, progress: bool | None = None
    ) -> None:
        """Log every file of a folder, in the folder ``artifact_path``, several at a time. Raises as :meth:`log_artifact`."""
        local = _local(local_folder)
        if not local.is_dir():
            raise InvalidValue(f"no folder at {local}: log_artifacts takes a folder, log_artifact a file")
        prefix = check_path(artifact_path) if artifact_path else ""
        self._check_open()
        self._keep(lambda store, base: store.put_folder(base, prefix, local, progress=progress))

    def log_bytes(self, data: bytes, path: str, *, kind: str = "", metadata: Mapping[str, Any] | None = None) -> None:
        """Log bytes as the artifact ``path``; ``kind`` says how they are best shown where the ending of the path does not.

        Raises:
            InvalidValue: no bytes, a kind of more than 32 characters, metadata that are no mapping. Else as :meth:`log_artifact`.
        """
        check_path(path)
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InvalidValue(f"log_bytes takes bytes, not {type(data).__name__}")
        _check_kind(kind)
        if metadata is not None and not isinstance(metadata, Mapping):
            raise InvalidValue(f"log_bytes: metadata is a mapping, not {type(metadata).__name__}")
        self._check_open()
        self._keep(lambda store, base: [store.put_bytes(base, path, data)], kind=kind, metadata=metadata)

    def log_text(self, text: str, path: str) -> None:
        """Log text as the artifact ``path``, in UTF-8. Raises as :meth:`log_artifact`."""
        if not isinstance(text, str):
            raise InvalidValue(f"log_text takes text, not {type(text).__name__}")
        self.log_bytes(text.encode("utf-8", "replace"), path, kind="text")

    def log_dict(self, data: Any, path: str) -> None:
        """Log a mapping or list as JSON (or YAML, when ``path`` ends so) in the artifact ``path``; JSON says "NaN", "Infinity".

        Raises:
            InvalidValue: it holds something that JSON cannot say. Else as :meth:`log_artifact`.
        """
        check_path(path)
        try:
            text = document(data, path)
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidValue(f"log_dict cannot write {path!r}: {error}") from None
        self.log_bytes(text.encode("utf-8", "replace"), path, kind="dict")

    # --- figures, pictures and tables -----------------------------------------------------------------------------

    def log_figure(self, figure: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
        """Log a matplotlib figure (.png, .svg, .pdf, …) or a plotly figure (.html, .json) as the artifact ``path``.

        With ``key`` in place of a path it is one of a series, at ``step``, which counts up from 0 where it is left out: a PNG, or plotly's
        JSON. A page of plotly's holds all it needs and asks no network.

        Raises:
            InvalidValue: not a figure, or a format it cannot be written in. Else as :meth:`log_image`.
        """
        from prefect_ledger.tracking.figures import render, suffix_of

        details = self._placed("log_figure", "figures", path, key, step)
        suffix = suffix_of(figure)
        data = render(figure, path or f"one{suffix}")
        where = path or self._one_of("figures", details, suffix)
        self._shown(data, where, "figure", details)

    def log_image(self, image: Any, path: str | None = None, *, key: str | None = None, step: SupportsIndex | None = None) -> None:
        """Log a picture: as the artifact ``path`` in the format of its ending, or as one of the series ``key``, a PNG, at ``step``.

        ``image`` is a Pillow image, or an array or tensor of the shape (height, width) or (height, width, 1, 3 or 4), of uint8, other
        whole numbers of 0 to 255, bools, or fractions of 0 to 1, which become whole steps of 1/255. A step left out counts up from 0 per
        key and process. Several pictures of one key and step are all kept. ``run.images(key)`` of :func:`get_run` has them back.

        Raises:
            InvalidValue: no picture, other numbers, NaN, another shape, no pixels or more than 67,108,864, both or none of ``path`` and
            ``key``, a step that is not a whole number. InvalidName: of ``path`` or ``key``. MissingExtra: no Pillow. RunFinished.

        Example:
            >>> import numpy as np
            >>> from prefect_ledger import get_run, start_run
            >>> with start_run(experiment="docs") as run:
            ...     for step in range(3):
            ...         run.log_image(np.full((4, 4), step / 2), key="guess", step=step)
            >>> [picture.step for picture in get_run(run.id).images("guess")]
            [0, 1, 2]
        """
        from prefect_ledger.tracking.images import encode

        details = self._placed("log_image", "images", path, key, step)
        data, width, height = encode(image, path or "one.png")
        where = path or self._one_of("images", details, ".png")
        self._shown(data, where, "image", {**details, "width": width, "height": height})

    def log_table(self, data: Any, name: str, step: SupportsIndex | None = None) -> None:
        """Log a table: pandas, polars or arrow's, a dict of columns or a list of dicts. It is kept as Parquet.

        Each call adds to the table ``name``; ``run.table(name)`` of :func:`get_run` has all of it back as one, in the order of steps, then
        of time, with a column ``step`` where it was logged at steps. Columns may come and go: they are null where a call had none of them.
        A name that ends in ".parquet" is the path of one artifact instead, of which the last call counts. A pandas index that says
        more than the number of the row becomes a column.

        Raises:
            InvalidValue: no table; a column of objects, of mixed types, or of another type than this process logged it before; two columns
            of one name; one called "step" in a table by steps. InvalidName: of ``name``. MissingExtra: no pyarrow. RunFinished.

        Example:
            >>> from prefect_ledger import get_run, start_run
            >>> with start_run(experiment="docs") as run:
            ...     for step in range(2):
            ...         run.log_table({"word": ["a", "b"], "score": [0.5, step]}, "words", step=step)
            >>> get_run(run.id).table("words", as_="arrow").column_names
            ['step', 'word', 'score']
        """
        from prefect_ledger.tracking.tabular import to_parquet, to_table

        path = _table_path(name)
        if path and step is not None:
            stem = path.removesuffix(".parquet")
            raise InvalidValue(f"log_table: {path!r} is the path of one file; a table by steps has a name, such as {stem!r}")
        details: dict[str, Any] = {} if path else {"key": name}
        if step is not None:
            details["step"] = _step("log_table", step)
        self._check_open()
        table = to_table(data, stepped=step is not None)
        encoded = to_parquet(table)
        if not path:
            self._fits(name, table.schema)
        where = path or self._one_of("tables", details, ".parquet")
        details |= {"rows": table.num_rows, "columns": table.num_columns}
        self._shown(encoded, where, "table", details)

    def _shown(self, data: bytes, path: str, kind: str, details: Mapping[str, Any]) -> None:
        """Store what was encoded: logged in loops, so that the caller waits for no network."""
        named = details.get("key", "")  # checked as the path that it is part of, and kept as that: hidden for their looks, two would be one
        self._keep(lambda store, base: [store.put_bytes(base, path, data)], kind=kind, metadata=details, named=named, beside=True)

    def _fits(self, name: str, schema: Any) -> None:
        """Refuse a table that cannot be one with what this process logged of it before."""
        from prefect_ledger.queries.logged_tables import unified

        shared = self._shared
        with shared.mutex:
            shared.tables[name] = unified(name, shared.tables.get(name), schema)

    def _placed(self, verb: str, folder: str, path: str | None, key: str | None, step: SupportsIndex | None) -> dict[str, Any]:
        """What is remembered of the place in a series, nothing for a path; all that can be wrong with either is refused."""
        if (path is None) == (key is None):
            raise InvalidValue(f"{verb} takes a path, such as 'one.png', or a key for a series, such as key='val/guess': one of them")
        self._check_open()
        if key is None:
            if step is not None:
                raise InvalidValue(f"{verb}: {path!r} is the path of one artifact; with key= in its place there is one for each step")
            check_path(path)
            return {}
        check_key(key, "image" if folder == "images" else "figure")
        check_path(f"{folder}/{key}")
        return {"key": key} if step is None else {"key": key, "step": _step(verb, step)}

    def _one_of(self, folder: str, details: dict[str, Any], suffix: str) -> str:
        """A path of its own for one of a series: whoever logs at the same step, none takes another's place. Completes ``details``."""
        key = details["key"]
        if self.try_number > 1:
            details["try"] = self.try_number
        if "step" not in details and folder != "tables":
            with self._shared.mutex:
                place = (folder, key, self.task_run_id)
                details["step"] = self._shared.counted[place] = self._shared.counted.get(place, -1) + 1
        step = f"{details['step']}-" if "step" in details else ""
        return check_path(f"{folder}/{key}/{step}{uuid.uuid4().hex[:16]}{suffix}")

    # --- data -----------------------------------------------------------------------------------------------------

    def log_dataset(
        self,
        data: Any,
        name: str | None = None,
        *,
        context: str = "",
        source: str = "",
        copy: bool = False,
        progress: bool | None = None,
    ) -> None:
        """Record that the run used or made ``data``: its digest, schema and number of rows are found out.

        ``data`` is a frame, table, array, sparse matrix, list of dicts, or the path of a file or folder. ``name`` is the file's where it is
        left out, the Series', else "dataset". ``context`` says what it is for, such as "train"; ``source`` where it came from, where that
        is more than can be seen. Files that were read before and are unchanged since are not read again.

        ``copy`` keeps a copy of a file or folder below the artifact root, which :func:`prefect_ledger.dataset` gets back; what a file holds
        is kept once, however many runs log it. While the root is away the data is recorded and not copied, and a note on the run says so.
        ``progress``: a bar on the terminal or in the notebook when it takes long (None), always (True) or never (False).

        Raises:
            InvalidValue: other data, or data without a stable form; a file that changes while it is read; a link out of a folder; a copy
            of what is no file or folder, or of a link that is absolute. InvalidName: of ``name``. RunFinished.

        Example:
            >>> from prefect_ledger import get_run, start_run
            >>> with start_run(experiment="docs") as run:
            ...     run.log_dataset([{"age": 40, "town": "Bern"}], "people", context="train", source="warehouse.people")
            >>> [(data.name, data.rows) for data in get_run(run.id).datasets]
            [('people', 1)]
        """
        from prefect_ledger.tracking import known_digests
        from prefect_ledger.tracking.datasets import check_copy, described, name_of

        _check_source(source)
        check_copy(data, copy)
        self._check_open()
        name = name_of(data) if name is None else name
        cache = self._ledger.settings.home / known_digests.FOLDER
        found, read = described(data, name=name, context=context, cache=cache, progress=progress)
        if copy and read is not None:
            from prefect_ledger.tracking.snapshots import copying

            self._keep(copying(self._ledger, name, read, progress), kind="dataset")
        self.record_dataset(found.name, found.digest, context=context, source=source or found.source, rows=found.rows, schema=found.schema)

    def record_dataset(
        self,
        name: str,
        digest: str,
        *,
        context: str = "",
        source: str = "",
        rows: int | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> None:
        """Record data whose digest is known already, such as one that a data catalogue gives; :meth:`log_dataset` finds it out.

        Raises:
            InvalidValue, InvalidName, RunFinished.
        """
        check_key(name, "dataset")
        texts: list[tuple[str, object, int]] = [("digest", digest, 64), ("context", context, 250)]
        for what, value, limit in texts:
            if not isinstance(value, str) or len(value) > limit:
                raise InvalidValue(f"dataset {name!r}: {what} is text of at most {limit} characters, not {value!r:.80}")
        if rows is not None and not (type(rows) is int and 0 <= rows < 1 << 63):
            raise InvalidValue(f"dataset {name!r}: rows is a whole number, not {rows!r:.80}")
        _check_source(source)
        if schema is not None and not isinstance(schema, Mapping):
            raise InvalidValue(f"dataset {name!r}: schema is a mapping of columns to types, not {type(schema).__name__}")
        self._check_open()
        self.say(
            DatasetLogged(
                run=self.run_id,
                at=now(),
                attempt=self.attempt,
                name=name,
                digest=digest,
                context=context,
                source=source,
                rows=rows,
                schema=dict(schema or {}),
            )
        )

    def keep_code(self, data: bytes, path: str) -> None:
        """Keep code beside the run, also when it has ended meanwhile: what belongs to its surroundings is found out in the background."""
        self._keep(lambda store, base: [store.put_bytes(base, path, data)], kind="code", beside=True)

    # --- storing --------------------------------------------------------------------------------------------------

    def _keep(self, put: Put, *, kind: str = "", metadata: Mapping[str, Any] | None = None, named: str = "", beside: bool = False) -> None:
        from prefect_ledger.tracking.keeping import keep

        at, task = now(), self.task_run_id
        changed: list[str] = []

        def logged(stored: Stored) -> ArtifactLogged:
            details = mask_value("", dict(metadata)) if metadata else {}
            if named:
                details["key"] = named
            if media := media_type(stored.path):
                details.setdefault("media", media)
            if stored.changed:
                changed.append(stored.path)
            what = (stored.path, stored.uri, stored.size, stored.sha256, kind or kind_of(media))
            return ArtifactLogged(self.run_id, now(), self.attempt, *what, task=task, metadata=details)

        run: ActiveRun = self  # type: ignore[assignment]  # there is no other kind of run
        keep(self._ledger, run, put, logged, at, beside=beside)
        if changed:
            self.say(Noted(run=self.run_id, at=now(), text=_changed(changed)))


def _changed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return f"written to while they were logged, and kept as they were read: {', '.join(paths[:_SHOWN])}{more}"


def _local(path: str | os.PathLike[str]) -> Path:
    try:
        return Path(path)
    except TypeError:
        raise InvalidValue(f"a local path is text or a Path, not {type(path).__name__}: {path!r:.80}") from None


def _check_kind(kind: object) -> None:
    if not isinstance(kind, str) or len(kind) > _KIND:
        raise InvalidValue(f"log_bytes: kind is a word of at most {_KIND} characters, such as 'table', not {kind!r:.80}")


def _check_source(source: object) -> None:
    if not isinstance(source, str):
        raise InvalidValue(f"the data's source is text, such as 's3://lake/people', not {type(source).__name__}")


def _step(verb: str, step: SupportsIndex) -> int:
    try:
        return whole("step", step)
    except InvalidValue:
        raise InvalidValue(f"{verb}: step is a whole number of 64 bits, not {step!r:.80} ({type(step).__name__})") from None


def _table_path(name: object) -> str:
    """``name`` where it is the path of one artifact, "" where it is the name of a table."""
    if not isinstance(name, str):
        raise InvalidName(f"log_table: the name of a table is text, not {type(name).__name__}")
    if name.endswith(".parquet"):
        return check_path(name)
    if other := next((end for end in _FOREIGN_TABLES if name.endswith(end)), ""):
        stem = name.removesuffix(other)
        raise InvalidName(f"log_table keeps tables as Parquet: {stem + '.parquet'!r} for one file, {stem!r} for a table that grows")
    check_key(name, "table")
    check_path(f"tables/{name}")
    return ""
