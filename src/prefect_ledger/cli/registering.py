"""Floor 6. ``prefect-ledger models``, the verbs that make and change registered models and their versions."""

from __future__ import annotations

import shlex
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from prefect_ledger.cli.options import By, Json, NamedTags, Remove, Tags, Why, changes_of, tag_of
from prefect_ledger.cli.registry_records import registry_record
from prefect_ledger.cli.render import dim, print_json, say
from prefect_ledger.cli.versions import ModelName, Named, OneVersion, meant
from prefect_ledger.errors import InvalidValue
from prefect_ledger.formats import clean, count, listed

Description = Annotated[str, Parameter(help="What people should know of it.")]


def register(
    name: ModelName,
    source: Annotated[str, Parameter(help="The logged model: models:/m-… or runs:/RUN/NAME.")],
    /,
    *,
    description: Description = "",
    tags: Tags = (),
    why: Why = "",
    by: By = None,
    json: Json = False,
) -> None:
    """Make a logged model the next version of a registered model, which is made when it is new.

    A logged model that is a version already stays that version.

    For example:

        prefect-ledger models register churn runs:/8f2c51aa/churn
        prefect-ledger models register churn models:/m-... --tag data=2026-03 --why "more rows"
    """
    from prefect_ledger import registry

    one = registry.register_model(name, source, description=description, tags=dict(map(tag_of, tags)), why=why, by=by)
    if json:
        print_json(registry_record(one))
    else:
        say(f"{clean(one.uri)} is {one.logged_id}, in stage {one.stage}")


def register_logged() -> None:
    """Register what was logged with register= by processes that may not write the registry.

    Each verb that changes the registry does so first; this is for schedules.

    For example:

        prefect-ledger models register-logged
    """
    from prefect_ledger import registry

    say(f"registered {count(registry.register_logged(), 'version')}")


def create(name: ModelName, /, *, description: Description = "", tags: Tags = (), why: Why = "", by: By = None) -> None:
    """Make a registered model without versions. `models register` makes one by itself.

    For example:

        prefect-ledger models create churn --description "Who leaves within 30 days"
    """
    from prefect_ledger import registry

    one = registry.create_model(name, description=description, tags=dict(map(tag_of, tags)), why=why, by=by)
    say(f"made the registered model {clean(one.name)}")


def describe(
    named: Named, text: Annotated[str, Parameter(help="What people should know of it.")], /, *, why: Why = "", by: By = None
) -> None:
    """Set the description of a registered model, or of a version.

    For example:

        prefect-ledger models describe churn "Who leaves within 30 days"
        prefect-ledger models describe churn/7 "Trained without the test customers"
    """
    from prefect_ledger import registry

    one = meant(named)
    if one.selector:
        registry.describe_version(one.name, one.number(), text, why=why, by=by)
    else:
        registry.describe_model(one.name, text, why=why, by=by)
    say(f"described {clean(named)}")


def tag_(
    named: Named,
    tags: NamedTags = (),
    /,
    *,
    remove: Remove = (),
    why: Why = "",
    by: By = None,
) -> None:
    """Set tags of a registered model, or of a version, or take some away.

    For example:

        prefect-ledger models tag churn team=risk owner=ada
        prefect-ledger models tag churn/7 --remove draft
    """
    from prefect_ledger import registry

    one, wanted = meant(named), changes_of(tags, remove)
    if one.selector:
        registry.tag_version(one.name, one.number(), wanted, why=why, by=by)
    else:
        registry.tag_model(one.name, wanted, why=why, by=by)
    say(f"tagged {clean(named)}: {listed(list(wanted))}")


def note(
    version: OneVersion,
    text: Annotated[str, Parameter(help="What is to be said.")],
    /,
    *,
    verdict: Annotated[
        Literal["approve", "reject", "comment"] | None, Parameter(help="Makes it a review: approve, reject or comment.")
    ] = None,
    by: By = None,
) -> None:
    """Write something about a version; with a verdict it is a review.

    A review informs people. What lets a version into a stage are votes on a
    request: `prefect-ledger approve`.

    For example:

        prefect-ledger models note churn/7 "Weak on customers of less than a month"
        prefect-ledger models note churn@challenger "Good enough to try" --verdict approve
    """
    from prefect_ledger import registry

    one = meant(version)
    registry.annotate(one.name, one.number(), text, verdict=verdict or "", by=by)
    say(f"noted on {clean(version)}")


def alias(
    name: ModelName,
    alias: Annotated[str, Parameter(help="The alias, such as champion.")],
    version: Annotated[str | None, Parameter(help="The number of the version it is to mean.")] = None,
    /,
    *,
    remove: Annotated[bool, Parameter(negative="", help="Let it mean nothing any more.")] = False,
    expected: Annotated[str | None, Parameter(help="The version it means now, or none: moved only if that is so.")] = None,
    why: Why = "",
    by: By = None,
) -> None:
    """Let models:/NAME@ALIAS mean a version, or nothing any more.

    An alias that follows a stage by the policy goes with what is in the stage:
    to move it elsewhere by hand is refused (exit code 3).

    For example:

        prefect-ledger models alias churn champion 7
        prefect-ledger models alias churn champion 7 --expected 6
        prefect-ledger models alias churn challenger --remove
    """
    from prefect_ledger import registry

    if (version is None) != remove:
        raise InvalidValue("say which version the alias is to mean, or --remove")
    seen: dict[str, Any] = {} if expected is None else {"expected": None if expected == "none" else expected}
    before = registry.set_alias(name, alias, version, **seen, why=why, by=by)
    after = "means nothing any more" if version is None else f"means version {clean(version)}"
    say(f"{clean(name)}@{clean(alias.removeprefix('@'))} {after}" + ("" if before is None else f"; it meant version {before}"))


def undo(
    name: ModelName,
    version: Annotated[int, Parameter(help="The number of the version that was moved.")],
    /,
    *,
    why: Annotated[str, Parameter(help="Why it is taken back; it stands in the audit log.")],
    stage: Annotated[str, Parameter(help="The stage it was moved to.")] = "production",
    by: By = None,
) -> None:
    """Take your own move of a version back, within an hour.

    The version is archived, what it replaced is in the stage again, and the
    aliases that moved with it mean what they meant. Later, or where somebody
    else moved it, `prefect-ledger rollback` goes back as the policy lets.

    For example:

        prefect-ledger models undo churn 7 --why "it answers NaN"
    """
    from prefect_ledger import registry

    there = registry.undo(name, version, why, stage=stage, by=by)
    now = f"nothing is in {clean(stage)}" if there is None else f"version {there.version} is in {there.stage}"
    say(f"{clean(name)} {version} is archived; {now}")


def rename(name: ModelName, new_name: Annotated[str, Parameter(help="The name it gets.")], /, *, why: Why = "", by: By = None) -> None:
    """Give a registered model another name. Versions, aliases and history stay with it.

    A name for which the policy asks for other things is refused (exit code 3).
    So is everybody who is known less well than production asks for, while a
    version is there. The old name is never another model's; this one may have
    it again.

    For example:

        prefect-ledger models rename churn attrition
    """
    from prefect_ledger import registry

    say(f"registered model {clean(name)} is now called {clean(registry.rename_model(name, new_name, why=why, by=by).name)}")


def delete(named: Named, /, *, why: Why = "", by: By = None) -> None:
    """Mark a registered model, or a version, as deleted: no reference means it any more.

    Nothing is erased: restore takes it back. What stands in production, or is
    meant by an alias, is not deleted (exit code 3).

    For example:

        prefect-ledger models delete churn/7
        prefect-ledger models delete churn --why "replaced by attrition"
    """
    from prefect_ledger import registry

    one = meant(named)
    if one.selector:
        number = one.number()
        registry.delete_version(one.name, number, why=why, by=by)
        named = f"{one.name}/{number}"
    else:
        registry.delete_model(one.name, why=why, by=by)
    say(f"deleted {clean(named)}")
    dim(f"prefect-ledger models restore {clean(shlex.quote(named))} takes it back")


def restore(named: Named, /, *, why: Why = "", by: By = None) -> None:
    """Take the deletion of a registered model, or of a version, back.

    For example:

        prefect-ledger models restore churn/7
        prefect-ledger models restore churn
    """
    from prefect_ledger import registry

    one = meant(named)
    if one.selector:
        registry.restore_version(one.name, one.number(), why=why, by=by)
    else:
        registry.restore_model(one.name, why=why, by=by)
    say(f"{clean(named)} is there again")
