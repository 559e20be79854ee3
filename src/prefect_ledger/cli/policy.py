"""Floor 6. ``prefect-ledger policy``: what stages ask for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from prefect_ledger.cli.files import text_of
from prefect_ledger.cli.options import By, Json, Why
from prefect_ledger.cli.render import dim, print_json, say
from prefect_ledger.formats import clean, count, paragraph

if TYPE_CHECKING:
    from prefect_ledger.policies import Outcome

app = App(name="policy", help="Show, set and test what stages ask for.")


@app.command(name="show")
def show_(
    version: Annotated[int | None, Parameter(name="--at", help="The policy of this version; the one that holds if not said.")] = None,
    *,
    json: Json = False,
) -> None:
    """The policy that holds, as TOML that can be edited and set again; or one of before.

    For example:

        prefect-ledger policy show > policy.toml
        prefect-ledger policy show --at 2 --json
    """
    from prefect_ledger import registry

    found = registry.get_policy(version)
    if json:
        print_json({"version": found.version, "digest": found.policy.digest, "policy": found.policy.to_json()})
    elif found.version:
        say(f"# version {found.version}, digest {found.policy.digest}", *paragraph(found.policy.to_toml()).splitlines())
    else:
        dim("no policy was set: every move is free, and production wants somebody known by the operating system")


@app.command(name="set")
def set_(file: Annotated[Path, Parameter(help="A file of TOML.")], /, *, why: Why = "", by: By = None, json: Json = False) -> None:
    """Let the policy in a file hold from now on. Requests that were judged by other rules become void.

    For example:

        prefect-ledger policy set policy.toml --why "two people for production"
    """
    from prefect_ledger import registry

    version = registry.set_policy(text_of(file), why=why, by=by)
    digest = registry.get_policy(version).policy.digest
    if json:
        print_json({"version": version, "digest": digest})
    else:
        say(f"version {version} of the policy holds now, digest {digest}")


@app.command(name="test")
def try_(
    policy: Annotated[Path, Parameter(help="A file of TOML.")],
    cases: Annotated[Path, Parameter(help="Recorded cases, TOML or JSON.")],
    /,
    *,
    json: Json = False,
) -> int:
    """Try a policy on recorded cases, before it holds. Exits with 1 when one comes out otherwise than expected.

    Nothing is read from the store or written to it.

    For example:

        prefect-ledger policy test policy.toml cases.toml
    """
    from prefect_ledger.policies import read_cases, read_policy, try_cases

    outcomes = try_cases(read_policy(text_of(policy)), read_cases(text_of(cases)))
    wrong = [one for one in outcomes if not one.ok]
    if json:
        print_json({"ok": not wrong, "cases": [_record(one) for one in outcomes]})
    else:
        for one in outcomes:
            say(f"{'ok   ' if one.ok else 'WRONG'} {clean(one)}", style="" if one.ok else "bold red")
        say(f"{count(len(outcomes), 'case')}, {len(wrong)} otherwise than expected")
    return 1 if wrong else 0


def _record(one: Outcome) -> dict[str, Any]:
    expected = {"expect": one.case.expect, "because": one.case.because}
    return {"name": one.case.name, **expected, "verdict": one.verdict, "reasons": one.reasons, "ok": one.ok}
