"""Floor 0. Everything this package raises on purpose.

One base, few classes, each named after the fact and also the builtin a caller would catch. A message says what
happened, with which value, and what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class LedgerError(Exception):
    """Base of every error of prefect-ledger."""


# --- what the caller wrote -------------------------------------------------------------------------------------


class InvalidName(LedgerError, ValueError):
    """A key, name, alias or path that the ledger does not accept."""


class InvalidValue(LedgerError, TypeError, ValueError):
    """A value, step or time of the wrong type or out of range."""


class SignatureMismatch(InvalidValue):
    """Data or parameters that a model's signature does not allow.

    ``field`` is the column, tensor or parameter, "" for the data as a whole; ``found`` and ``wanted`` are types or shapes.
    """

    def __init__(self, message: str, *, field: str = "", found: str = "", wanted: str = "") -> None:
        self.field, self.found, self.wanted = field, found, wanted
        super().__init__(message)


class InvalidFilter(LedgerError, ValueError):
    """A filter or order text that does not parse; carries where.

    ``text`` is what was given, ``position`` the offset (0-based, in characters) of the first character that is wrong.
    """

    def __init__(self, message: str, *, text: str = "", position: int = 0) -> None:
        self.text, self.position = text, position
        super().__init__(f"{message}\n{_pointed_at(text, position)}" if text else message)


def _pointed_at(text: str, position: int, width: int = 60) -> str:
    """The part of ``text`` around ``position`` on one line, and a caret under it."""
    start = max(0, position - width)
    part = "".join(c if c.isprintable() else " " for c in text[start : position + width])
    head = "…" if start else ""
    return f"  {head}{part}\n  {' ' * (len(head) + position - start)}^"


class InvalidSettings(LedgerError, ValueError):
    """A setting that cannot be used; the message names the source it came from."""


class ParamChanged(LedgerError, ValueError):
    """A parameter was logged twice within one attempt with two values."""


class RunFinished(LedgerError, RuntimeError):
    """A handle of a finished run was used to log."""


class RunStopped(BaseException):
    """What a verb raises in a run that was asked to end, such as a trial of a sweep that does badly.

    No ``Exception``, as asyncio's ``CancelledError`` is none: code that goes on after whatever fails must not go on after this.
    """


class NoActiveRun(LedgerError, RuntimeError):
    """A logging verb was called where no run is open."""


class MissingExtra(LedgerError, ImportError):
    """An optional package is needed; the message says which extra installs it, or that it is installed by itself (``extra=""``)."""

    def __init__(self, package: str, extra: str, *, need: str) -> None:
        self.package, self.extra = package, extra
        wanted = f"'prefect-ledger[{extra}]'" if extra else package
        super().__init__(f"{need} needs the package '{package}': pip install {wanted}")


# --- what is not there, or is there already ------------------------------------------------------------------------


class NotFound(LedgerError, LookupError):
    """What was asked for is not in the ledger."""


class RunNotFound(NotFound):
    """No run has this id, or several begin with this prefix."""


class ExperimentNotFound(NotFound):
    """No experiment has this name or id."""


class ExperimentExists(LedgerError, ValueError):
    """An experiment (perhaps a deleted one) has this name already."""


class MetricNotFound(NotFound):
    """The run has no metric of this key; the message offers near ones."""


class ArtifactNotFound(NotFound):
    """The run has no artifact at this path."""


class DatasetNotFound(NotFound):
    """No run names data by this digest or name, or several are meant."""


class DatasetNotCopied(NotFound):
    """The data is known by its digest alone: no run that is there kept a copy. The message says where it was, and whether it still is."""


class ModelNotFound(NotFound):
    """No model is meant by this reference."""


class ModelUnusable(LedgerError, RuntimeError):
    """A model is there as it was logged, but does not open or raises for its own example."""


# --- the registry ------------------------------------------------------------------------------------------------


class RegisteredModelNotFound(ModelNotFound):
    """The registry has no model of this name; the message offers near ones."""


class VersionNotFound(ModelNotFound):
    """The registered model has no such version, or none in this stage or under this alias."""


class RequestNotFound(NotFound):
    """There is no request of this number."""


class EvidenceNotFound(NotFound):
    """There is no evidence of this digest."""


class RegisteredModelExists(LedgerError, ValueError):
    """A registered model (perhaps a deleted one) has this name already."""


class RegistryConflict(LedgerError, RuntimeError):
    """Somebody else changed the registry meanwhile, so that what was asked no longer fits; nothing was changed. Look, then ask again."""


class TransitionRefused(LedgerError, PermissionError):
    """A gate, a missing approval or a policy does not allow this change; nothing was changed. The message says what is missing."""


class VoteRefused(LedgerError, PermissionError):
    """This approval or rejection does not count, and was not recorded; the message says why."""


class EvidenceCorrupt(LedgerError):
    """Recorded evidence does not have its digest, or does not read as evidence."""


# --- scoring -----------------------------------------------------------------------------------------------------


class ScoringFailed(LedgerError, RuntimeError):
    """A model raised while a source was scored, or answered with what is not a row for each row; the message says which rows."""


class NotReproducible(LedgerError, RuntimeError):
    """A run cannot be run again: what it needs was not recorded, or is gone."""


class OutputExists(LedgerError, FileExistsError):
    """Something stands where predictions were to be written; it is replaced only when that is said, and only when it is predictions."""


# --- deploying ---------------------------------------------------------------------------------------------------


class DeploymentNotFound(NotFound):
    """The target has no deployment of this name."""


class DeploymentExists(LedgerError, ValueError):
    """The target has a deployment of this name already."""


class DeploymentFailed(LedgerError, RuntimeError):
    """A deployment does not come up, does not answer, or refuses what it is asked; the message has the target's own words."""


# --- projects ----------------------------------------------------------------------------------------------------


class ProjectInvalid(LedgerError, ValueError):
    """A project's file says what cannot be; ``problems`` has a sentence for each."""

    def __init__(self, what: str, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__(what + "".join(f"\n  {problem}" for problem in self.problems))


class ProjectNotFound(NotFound):
    """There is no project at this place, or no such version of it."""


class EntryPointNotFound(NotFound):
    """The project has no entry point of this name."""


class EnvironmentFailed(LedgerError, RuntimeError):
    """The environment of a project cannot be built; the message has the builder's own words. Nothing half built is used."""


class ProjectFailed(LedgerError, RuntimeError):
    """A project was run and did not end well; ``run_id`` is its run, ``status`` how it ended, ``exit_code`` the program's."""

    def __init__(self, message: str, *, run_id: str = "", status: str = "", exit_code: int | None = None) -> None:
        self.run_id, self.status, self.exit_code = run_id, status, exit_code
        super().__init__(message)


# --- the store ---------------------------------------------------------------------------------------------------


class ArtifactCorrupt(LedgerError):
    """Stored bytes do not have the digest that was recorded when they were logged."""


class UntrustedModel(LedgerError, PermissionError):
    """Opening the model would run code that nobody answers for: it is opened with ``trust=True``."""


class ArtifactsUnavailable(LedgerError, OSError):
    """The artifact root cannot be reached, read or written now; nothing stands there that is not whole."""


class StoreUnavailable(LedgerError):
    """The database cannot be reached or written now; what was logged waits in the journal."""


class NotOnline(StoreUnavailable):
    """The store was asked for in a process whose mode is offline or disabled; the message says what to do."""


class BlockNotLoaded(StoreUnavailable):
    """The block that says where the store is cannot be loaded now; what was logged waits in the journal."""


class StoreReplaced(StoreUnavailable):
    """The file of an SQLite store was removed or replaced while it was in use; from the next call on the new one is used."""


class SchemaTooNew(LedgerError):
    """The database was written by a newer prefect-ledger; this one must not touch it."""


class SchemaTooOld(LedgerError):
    """The database needs ``prefect-ledger db upgrade`` first."""


class ForeignDatabase(LedgerError):
    """The database holds tables of the same names that are not this package's."""


class BackupCorrupt(LedgerError):
    """A backup, or what was given as one, is damaged or no ledger's; nothing was restored."""


class LedgerInUse(LedgerError):
    """A ledger is to be replaced that somebody has open."""


class RunInUse(LedgerError, RuntimeError):
    """A run cannot be gone on with, because another process has it open."""


class JournalCorrupt(LedgerError):
    """A journal segment does not read as one."""
