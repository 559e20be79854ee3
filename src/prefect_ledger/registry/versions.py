"""Floor 5. Versions of registered models: making, finding and describing them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.registered import JUDGED, check_alias
from prefect_ledger.registry.access import WHERE_IT_IS, changing, check_model, check_text, check_version, looking, who
from prefect_ledger.registry.following import check_by_hand
from prefect_ledger.registry.rules import policy_now
from prefect_ledger.tracking.tags import tag_texts

if TYPE_CHECKING:
    from prefect_ledger.audit_store import Chain
    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.identities import Identity
    from prefect_ledger.queries.registered import Known
    from prefect_ledger.queries.version_search import VersionPage
    from prefect_ledger.registered import ModelVersion, Note


def register_model(
    name: str,
    source: str | LoggedModel,
    *,
    description: str = "",
    tags: Mapping[str, Any] | None = None,
    why: str = "",
    by: Identity | str | None = None,
) -> ModelVersion:
    """Make a logged model the next version of the registered model ``name``, which is made when it is new.

    ``source`` is what ``log_model`` gave, or a reference to a logged model: ``models:/m-<id>``, ``runs:/<run id>/<name>``. The same logged
    model again is the version that it is already. What a version consists of never changes: its files have the digest it was logged with.

    Raises:
        ModelNotFound: no such logged model. RegisteredModelNotFound: the registered model is deleted. RegisteredModelExists: another model
            had this name once. RegistryConflict: the run is deleted. InvalidName, InvalidValue. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry, start_run
        >>> with start_run(experiment="docs") as run:
        ...     logged = run.log_model(lambda data: [2 * x for x in data], "double")
        >>> registry.register_model("double", logged).version
        1
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    check_model(name)
    texts, said, by = tag_texts(tags or {}, "registered"), (check_text(description, "a description"), check_text(why, "a reason")), who(by)
    logged = _logged(source)
    with changing() as chain:
        row = store.ensure(chain, name, by)
        number = store.add_version(chain, row, logged, by, description=said[0], why=said[1])
        if texts:
            store.set_tags(chain, row, number, texts, by)
        return registered.version(chain.tx, name, number)


def register_logged() -> int:
    """Register the models that were logged with ``register=`` by processes that may not write the registry; returns how many.

    Each verb that changes the registry does so first; this is for schedules.

    Raises:
        StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.register_logged()
        0
    """
    from prefect_ledger import registrations
    from prefect_ledger.tracking.ledger import ledger

    one = ledger()
    one.flush()
    return registrations.register(one.database)


def get_version(name: str, selector: str | int = "latest") -> ModelVersion:
    """The version that ``selector`` means: a number, ``@alias``, a stage (the highest version in it) or "latest".

    ``name`` may be a whole reference, ``models:/churn@champion``.

    Raises:
        RegisteredModelNotFound, VersionNotFound: the messages say what there is. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.get_version("churn", "@champion").version, registry.get_version("models:/churn/production").version
        (2, 2)
    """
    from prefect_ledger.queries import registered
    from prefect_ledger.tracking.references import parse

    given: object = name
    if isinstance(given, str) and given.startswith("models:"):
        meant = parse(name)
        if meant.kind != "registry":
            raise InvalidName(f"{name} is a logged model, not a version of a registered one")
        name, selector = meant.text, meant.selector
    with looking() as tx:
        return registered.version(tx, name, selector)


def list_versions(name: str, *, deleted: bool = False) -> list[ModelVersion]:
    """All versions of a registered model, the newest first; with ``deleted`` those that are deleted too.

    Raises:
        RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> [(one.version, one.stage) for one in registry.list_versions("churn")]
        [(3, 'none'), (2, 'production'), (1, 'archived')]
    """
    from prefect_ledger.queries import registered

    with looking() as tx:
        return registered.versions(tx, registered.known(tx, name), deleted=deleted)


def logged_versions(name: str, *, deleted: bool = False, limit: int = 500) -> list[tuple[ModelVersion, LoggedModel | None]]:
    """The newest versions of a registered model, each with the logged model it is; None where that is gone.

    Raises:
        RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger.registry.versions import logged_versions
        >>> [(one.version, logged.flavor) for one, logged in logged_versions("churn")][-1]
        (1, 'python')
    """
    from prefect_ledger.queries import models, registered

    with looking() as tx:
        found = registered.versions(tx, registered.known(tx, name, deleted=deleted), deleted=deleted)[:limit]
        logged = models.by_ids(tx, [one.logged_id for one in found])
    return [(one, logged.get(one.logged_id)) for one in found]


def search_versions(
    filter: str = "",  # noqa: A002 - the name that search_runs has
    order_by: Sequence[str] | str | None = None,
    limit: int = 1000,
    page: str | None = None,
    *,
    lifecycle: Literal["active", "deleted", "all"] = "active",
) -> VersionPage:
    """Versions that match, by name and the newest first unless ``order_by`` says otherwise; ``next_page`` leads to those that follow.

    The filter is the language of ``search_runs`` over ``name``, ``version``, ``stage``, ``alias``, ``author``, ``description``, ``digest``,
    ``run_id``, ``created``, ``updated`` and ``tags.<key>`` of the version, and the ``metrics.<key>``, ``params.<key>`` and datasets of
    its run.

    Raises:
        InvalidFilter: the message points at the place. InvalidValue: limit (1 to 50,000), page or lifecycle. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> found = registry.search_versions("name = 'churn' and stage = 'production' and metrics.auc > 0.9", order_by="metrics.auc desc")
        >>> [one.version for one in found]
        [2]
    """
    from prefect_ledger.queries import version_search

    with looking() as tx:
        return version_search.search(tx, filter, order_by, limit, page, lifecycle)


def describe_version(name: str, version: int | str, text: str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Set the description of a version.

    Raises:
        RegisteredModelNotFound, VersionNotFound, RegistryConflict (deleted), InvalidValue. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.describe_version("churn", 3, "With the data of June.")
        >>> registry.get_version("churn", 3).description
        'With the data of June.'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    number, said, by = check_version(version), (check_text(text, "a description"), check_text(why, "a reason")), who(by)
    with changing() as chain:
        store.describe(chain, registered.known(chain.tx, name), number, said[0], by, said[1])


def tag_version(name: str, version: int | str, tags: Mapping[str, Any], *, why: str = "", by: Identity | str | None = None) -> None:
    """Set tags of a version; None removes one.

    Raises:
        As :func:`describe_version`. InvalidName: a key that none can have.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.tag_version("churn", 3, {"data": "june"})
        >>> registry.get_version("churn", 3).tags["data"]
        'june'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    number, texts, said, by = check_version(version), tag_texts(tags, "registered"), check_text(why, "a reason"), who(by)
    with changing() as chain:
        store.set_tags(chain, registered.known(chain.tx, name), number, texts, by, said)


def annotate(
    name: str,
    version: int | str,
    text: str,
    *,
    verdict: Literal["", "approve", "reject", "comment"] = "",
    by: Identity | str | None = None,
) -> None:
    """Write something about a version; with a ``verdict`` it is a review. A review informs people; what counts are votes on requests.

    Raises:
        As :func:`describe_version`.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.annotate("churn", 3, "Weak on new customers.", verdict="comment")
        >>> registry.notes("churn", 3)[-1].text
        'Weak on new customers.'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    if verdict not in ("", "approve", "reject", "comment"):
        raise InvalidValue(f"a verdict is approve, reject or comment, not {verdict!r:.80}")
    number, said, by = check_version(version), check_text(text, "a note", needed=True), who(by)
    with changing() as chain:
        store.annotate(chain, registered.known(chain.tx, name), number, said, by, verdict)


def notes(name: str, version: int | str) -> list[Note]:
    """What was written about a version, the oldest first.

    Raises:
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.annotate("churn", 2, "Checked on June.", verdict="approve")
        >>> [(one.verdict, one.text) for one in registry.notes("churn", 2)]
        [('approve', 'Checked on June.')]
    """
    from prefect_ledger.queries import registered

    number = check_version(version)
    with looking() as tx:
        row = registered.known(tx, name)
        return registered.notes(tx, row.id, registered.any_version(tx, row, number).version)


def delete_version(name: str, version: int | str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Mark a version as deleted: no reference means it any more, its number is never given again, its history stays.

    Raises:
        TransitionRefused: it stands in production, or an alias means it. RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.delete_version("churn", 1, why="its data were wrong")
        >>> [one.version for one in registry.list_versions("churn")]
        [3, 2]
        >>> registry.restore_version("churn", 1)
    """
    _set_deleted(name, version, True, why, by)


def restore_version(name: str, version: int | str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Take the deletion of a version back. It stands where it stood, or in "none" where its place was taken: the rule of its stage archives
    and another version is there, or an alias that follows the stage means another one.

    Raises:
        RegisteredModelNotFound, VersionNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.delete_version("churn", 1)
        >>> registry.restore_version("churn", 1, why="they were right")
        >>> registry.get_version("churn", 1).stage
        'archived'
    """
    _set_deleted(name, version, False, why, by)


def _set_deleted(name: str, version: int | str, deleted: bool, why: str, by: Identity | str | None) -> None:
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    number, said, by = check_version(version), check_text(why, "a reason"), who(by)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        one = registered.any_version(chain.tx, row, number)
        taken = one.deleted_at is not None and _taken(chain, row, one)
        store.set_version_deleted(chain, row, number, deleted, by, said)
        if taken and not deleted:
            store.move(chain, row, number, "none", by, archive=False, why=said, how="its place was taken")


def _taken(chain: Chain, row: Known, one: ModelVersion) -> bool:
    """Whether the place of a deleted version in its stage is another's now."""
    from prefect_ledger.queries import registered

    rule = policy_now(chain.tx).policy.rule(row.name, one.stage)
    alone = bool(rule.archive) and one.stage in JUDGED
    if alone and registered.highest(chain.tx, row.id, one.stage) is not None:
        return True
    return any(registered.aliased(chain.tx, row.id, alias) not in (None, one.version) for alias in rule.aliases)


def set_alias(
    name: str,
    alias: str,
    version: int | str | None,
    *,
    expected: int | str | None = WHERE_IT_IS,
    why: str = "",
    by: Identity | str | None = None,
) -> int | None:
    """Let ``models:/<name>@<alias>`` mean a version (None: nothing any more); returns the version it meant before.

    It is moved only from where it was seen: at ``expected``, where that is given (None: nowhere), else where it was when this was called.
    One that follows a stage by the policy means only what is in that stage, and is taken away only while nothing is.

    Raises:
        TransitionRefused: the alias follows a stage; the message names the rule.
        RegistryConflict: somebody moved it meanwhile; nothing was changed. RegisteredModelNotFound, VersionNotFound.
        InvalidName: a stage's name, a number, "latest". StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.set_alias("churn", "challenger", 3)
        >>> registry.set_alias("churn", "challenger", None, expected=3)
        3
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    alias, number = check_alias(alias), None if version is None else check_version(version)
    said, by = check_text(why, "a reason"), who(by)
    if expected is WHERE_IT_IS:
        with looking() as tx:
            seen = registered.aliased(tx, registered.known(tx, name).id, alias)
    else:
        seen = None if expected is None else check_version(expected)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        check_by_hand(chain, row, alias, number)
        store.check_alias_holds(chain, row, alias, seen)
        return store.set_alias(chain, row, alias, number, by, why=said)


def _logged(source: str | LoggedModel) -> LoggedModel:
    from prefect_ledger.entities import LoggedModel
    from prefect_ledger.tracking.models import find_model

    try:
        text = source.uri if isinstance(source, LoggedModel) else os.fspath(source)
    except TypeError:
        raise InvalidName(f"a source is what log_model gave, or a reference such as models:/m-<id>, not {source!r:.80}") from None
    return find_model(text)
