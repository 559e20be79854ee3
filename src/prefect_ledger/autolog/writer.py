"""Floor 5. Logs what a framework tells into one run, and never stands in its way: trouble is told once, and training goes on.

What the caller wrote wrongly is not trouble: it is refused when a writer is made.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import io
import posixpath
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar

from prefect_ledger.errors import InvalidValue
from prefect_ledger.names import check_key
from prefect_ledger.tracking.context import active
from prefect_ledger.tracking.runs import ActiveRun

if TYPE_CHECKING:
    from prefect_ledger.entities import LoggedModel

P = ParamSpec("P")
R = TypeVar("R")

_OTHER = re.compile(r"[^/\w.\- :]")


def key_of(name: object) -> str:
    """A framework's name of a metric or parameter as a key here: ``ndcg@10`` becomes ``ndcg_at_10``.

    Example:
        >>> key_of("ndcg@10"), key_of("x|y")
        ('ndcg_at_10', 'x_y')
    """
    return _OTHER.sub("_", str(name).replace("@", "_at_"))[:200].strip("/ ") or "_"


def where_recorded(log: Callable[P, R]) -> Callable[P, R | None]:
    """``log``, but where the ledger is disabled: there nothing is looked at, computed or drawn."""

    @functools.wraps(log)
    def verb(*args: P.args, **kwargs: P.kwargs) -> R | None:
        from prefect_ledger.tracking.ledger import ledger

        one = getattr(kwargs.get("run"), "_ledger", None) or ledger()
        return None if one.silent else log(*args, **kwargs)

    return verb


def where_written(hook: Callable[P, R]) -> Callable[P, R | None]:
    """A callback's method, which looks at nothing where its writer's ledger is disabled, and gives back None."""

    @functools.wraps(hook)
    def method(*args: P.args, **kwargs: P.kwargs) -> R | None:
        callback: Any = args[0]
        return None if callback._writer.silent else hook(*args, **kwargs)

    return method


class Writer:
    """The run that is logged into, the prefix of every key, and whether trouble was told already.

    Threads may share it; a copy is the same writer. In another process, such as one of joblib's, it finds its run again by its id.
    """

    def __init__(self, run: ActiveRun | None, prefix: str, who: str) -> None:
        if run is not None and not isinstance(run, ActiveRun):
            raise InvalidValue(f"{who}: run is a handle such as start_run() and current_run() give, not {type(run).__name__}")
        if not isinstance(prefix, str):
            raise InvalidValue(f"{who}: prefix is text that every key begins with, such as 'forest.', not {prefix!r:.80}")
        if prefix:
            check_key(f"{prefix}key")
        self.prefix, self.who = prefix, who
        self._handle: ActiveRun | None = run or active()
        self._place = (self._handle.id, self._handle.task_run_id, self._handle.try_number)
        self._told = self._away = False
        self._mutex = threading.Lock()

    def __getstate__(self) -> tuple[str, str, tuple[str, str, int]]:
        return self.prefix, self.who, self._place

    def __setstate__(self, state: tuple[str, str, tuple[str, str, int]]) -> None:
        self.prefix, self.who, self._place = state
        self._handle, self._told, self._away, self._mutex = None, False, True, threading.Lock()

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    @property
    def silent(self) -> bool:
        """Whether nothing is recorded where the run is, so that nothing need be found out; in another process than the run's it is."""
        return self._handle is not None and self._handle._ledger.silent

    @property
    def run(self) -> ActiveRun:
        """The handle of the run."""
        if self._handle is None:
            from prefect_ledger.tracking.ledger import open_run

            run_id, task, number = self._place
            run = open_run(run_id)
            self._handle = run.for_task(task, number) if task else run
        return self._handle

    @contextlib.contextmanager
    def attempt(self, what: str) -> Iterator[None]:
        """Log ``what`` in the block; whatever goes wrong there ends here."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # logging may fail in any way and must not end the training
            self.tell(f"could not log {what}: {type(error).__name__}: {error}")

    def tell(self, trouble: str) -> None:
        """Warn, the first time; what follows from the same cause would only repeat it."""
        with self._mutex:
            told, self._told = self._told, True
        if not told:
            warn(f"{self.who} {trouble}; nothing of it ends what you do, and further trouble of this kind is not told")

    def settle(self) -> None:
        """In another process than the run's, bring what was logged into the store: whoever waits for this process can then read it."""
        if self._away:
            with self.attempt("what another process trained"):
                self.run._ledger.flush()

    # --- what is logged; each inside an attempt -----------------------------------------------------------------------

    def metric(self, name: str, value: Any, step: int | None = None) -> None:
        """One point of a metric."""
        self.run.log_metric(key_of(self.prefix + name), float(value), step)

    def metrics(self, values: Mapping[str, Any]) -> None:
        """One point of each."""
        for name, value in values.items():
            self.metric(name, value)

    def series(self, name: str, values: Any) -> None:
        """The points of one key, at the steps 0, 1, 2, …"""
        self.run.log_series(key_of(self.prefix + name), values, steps=list(range(len(values))))

    def params(self, values: Mapping[str, Any]) -> None:
        """Parameters; one that has another value in this run already keeps it, and that is told."""
        from prefect_ledger.tracking.params import flatten

        named = {key_of(self.prefix + name): value for name, value in values.items()}
        before = dict(self.run._shared.params)
        self.run.log_auto_params(named)
        if other := [key for key, text in flatten(named, strict=False).items() if before.get(key, text) != text]:
            self.tell(
                f"found parameters that have another value in this run already and keep it: {', '.join(other[:5])}"
                f"{' and more' if len(other) > 5 else ''} (prefix='second.' keeps two models of one run apart)"
            )

    def table(self, path: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Rows as a .csv artifact."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
        self.run.log_bytes(text.getvalue().encode("utf-8", "replace"), self.path(path), kind="table")

    def path(self, path: str) -> str:
        """The path of an artifact: the prefix stands before the file's name."""
        folder, _, name = path.rpartition("/")
        return posixpath.join(folder, key_of(self.prefix + name).replace("/", "_"))

    def model(self, model: Any, name: str, **about: Any) -> LoggedModel | None:
        """The model itself; None when it could not be logged."""
        logged = None
        with self.attempt(f"the model {name!r}"):
            logged = self.run.log_model(model, name, **about)
        return logged  # noqa: RET504  # the block above may end before it is set


def warn(sentence: str) -> None:
    """Tell a person something; never an exception."""
    from prefect_ledger.tracking.ledger import LedgerWarning

    try:
        warnings.warn(sentence, LedgerWarning, stacklevel=4)
    except LedgerWarning:  # warnings are errors here, and training goes on all the same
        sys.stderr.write(f"LedgerWarning: {sentence}\n")


def check_model(who: str, name: object, register: object) -> None:
    """Refuse names that no model may have, before anything is trained.

    Raises:
        InvalidName: such a name. InvalidValue: a model that is not logged is to be registered.
    """
    from prefect_ledger.tracking.paths import check_model_name

    if name is not None:
        check_model_name(name)
    if isinstance(register, str):
        check_model_name(register)
    elif register is not None and not isinstance(register, bool):
        raise InvalidValue(f"{who}: register is a model's name, or True for its own, not {register!r:.80}")
    if register and name is None:
        raise InvalidValue(f"{who}: register={register!r} without a model: give it a name, such as name='churn'")
