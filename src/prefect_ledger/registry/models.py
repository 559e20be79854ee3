"""Floor 5. Registered models as a whole: found, described, renamed, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from prefect_ledger.errors import TransitionRefused
from prefect_ledger.registered import STAGES
from prefect_ledger.registry.access import changing, check_model, check_text, looking, who
from prefect_ledger.registry.rules import check_may_rename, policy_now
from prefect_ledger.tracking.tags import tag_texts

if TYPE_CHECKING:
    from prefect_ledger.identities import Identity
    from prefect_ledger.registered import RegisteredModel


def create_model(
    name: str, *, description: str = "", tags: Mapping[str, Any] | None = None, why: str = "", by: Identity | str | None = None
) -> RegisteredModel:
    """A registered model without versions; :func:`register_model` makes one by itself.

    Raises:
        RegisteredModelExists: the name is taken, perhaps by a deleted one, or was another model's once. InvalidName, InvalidValue.
            StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.create_model("basket", description="What is bought together.", tags={"team": "shop"}).name
        'basket'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    check_model(name)
    texts, said, by = tag_texts(tags or {}, "registered"), (check_text(description, "a description"), check_text(why, "a reason")), who(by)
    with changing() as chain:
        row = store.create(chain, name, by, description=said[0], why=said[1])
        store.set_tags(chain, row, 0, texts, by)
        return registered.model(chain.tx, row)


def get_model(name: str) -> RegisteredModel:
    """The registered model of this name, with what its aliases and stages mean now; a deleted one too, as its ``deleted_at`` says.

    Raises:
        RegisteredModelNotFound: with near names. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.get_model("churn").aliases["champion"]
        2
    """
    from prefect_ledger.queries import registered

    with looking() as tx:
        return registered.model(tx, registered.known(tx, name, deleted=True))


def list_models(*, deleted: bool = False, limit: int = 1000) -> list[RegisteredModel]:
    """Registered models by name; with ``deleted`` those that are deleted too. ``limit`` is at most 50,000.

    Raises:
        InvalidValue: of the limit. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> "churn" in [one.name for one in registry.list_models()]
        True
    """
    from prefect_ledger.queries import registered
    from prefect_ledger.queries.search import check_limit

    check_limit(limit)
    with looking() as tx:
        return registered.models(tx, deleted=deleted, limit=limit)


def describe_model(name: str, text: str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Set the description of a registered model.

    Raises:
        RegisteredModelNotFound, InvalidValue. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.describe_model("churn", "Who leaves within a month.")
        >>> registry.get_model("churn").description
        'Who leaves within a month.'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    said, by = (check_text(text, "a description"), check_text(why, "a reason")), who(by)
    with changing() as chain:
        store.describe(chain, registered.known(chain.tx, name), None, said[0], by, said[1])


def tag_model(name: str, tags: Mapping[str, Any], *, why: str = "", by: Identity | str | None = None) -> None:
    """Set tags of a registered model; None removes one.

    Raises:
        RegisteredModelNotFound, InvalidName, InvalidValue. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> registry.tag_model("churn", {"team": "risk", "draft": None})
        >>> registry.get_model("churn").tags["team"]
        'risk'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    texts, said, by = tag_texts(tags, "registered"), check_text(why, "a reason"), who(by)
    with changing() as chain:
        store.set_tags(chain, registered.known(chain.tx, name), 0, texts, by, said)


def rename_model(name: str, new_name: str, *, why: str = "", by: Identity | str | None = None) -> RegisteredModel:
    """Give a registered model another name. Its versions, aliases and history stay with it; the old name means nothing then, and no other
    model gets it.

    A new name under which the policy asks for something else is refused, or a rename would be a way around it; and a model with a version
    in production is renamed only by somebody who is known as well as production asks for, under both names.

    Raises:
        TransitionRefused: the policy has other rules for the new name, or the person is known too weakly. RegisteredModelExists: it is
            taken, perhaps by a deleted one, or was another model's once. RegisteredModelNotFound, InvalidName. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> _ = registry.create_model("leavers")
        >>> registry.rename_model("leavers", "attrition", why="what the business calls it").name
        'attrition'
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    check_model(new_name)
    said, by = check_text(why, "a reason"), who(by)
    with changing() as chain:
        row = registered.known(chain.tx, name)
        policy = policy_now(chain.tx).policy
        for stage in STAGES:
            here, there = ({**policy.rule(one, stage).to_json(), "model": ""} for one in (name, new_name))
            if here != there:
                raise TransitionRefused(
                    f"the policy asks for other things of {new_name!r} than of {name!r} in {stage!r}: set a policy whose rules name both"
                )
        if name != new_name:
            check_may_rename(policy, name, new_name, registered.highest(chain.tx, row.id, "production"), by)
        store.rename(chain, row, new_name, by, said)
        return registered.model(chain.tx, registered.known(chain.tx, new_name))


def delete_model(name: str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Mark a registered model as deleted: no reference means it any more, its name stays taken, nothing is lost.

    Raises:
        TransitionRefused: a version of it stands in production. RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> _ = registry.create_model("draft")
        >>> registry.delete_model("draft", why="never used")
        >>> registry.get_model("draft").deleted_at is None
        False
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    said, by = check_text(why, "a reason"), who(by)
    with changing() as chain:
        row = registered.known(chain.tx, name, deleted=True)
        if (number := registered.highest(chain.tx, row.id, "production")) is not None:
            raise TransitionRefused(f"version {number} of {name!r} stands in production: archive it first, then delete the model")
        store.set_deleted(chain, row, True, by, said)


def restore_model(name: str, *, why: str = "", by: Identity | str | None = None) -> None:
    """Take the deletion of a registered model back.

    Raises:
        RegisteredModelNotFound. StoreUnavailable.

    Example:
        >>> from prefect_ledger import registry
        >>> _ = registry.create_model("wanted")
        >>> registry.delete_model("wanted")
        >>> registry.restore_model("wanted", why="used after all")
        >>> registry.get_model("wanted").deleted_at is None
        True
    """
    from prefect_ledger import registry_store as store
    from prefect_ledger.queries import registered

    said, by = check_text(why, "a reason"), who(by)
    with changing() as chain:
        store.set_deleted(chain, registered.known(chain.tx, name, deleted=True), False, by, said)
