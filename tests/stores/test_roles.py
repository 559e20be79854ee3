"""The two roles of PostgreSQL: what a worker's credentials can do to the registry, and what a registrar's cannot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy.engine import make_url

from prefect_ledger import load_model, log_model, registry, start_run, webhooks
from prefect_ledger.database import Database, rows
from prefect_ledger.errors import InvalidSettings, StoreUnavailable
from prefect_ledger.identities import Identity, Strength
from prefect_ledger.roles import PRIVATE, REGISTRY, VIEWS, grant
from prefect_ledger.settings import Settings
from prefect_ledger.tables import METADATA
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.ledger import Ledger

_NOT_LET = r"permission denied|must be owner"
ALICE, BOB = (Identity(name, Strength.OS) for name in ("alice", "bob"))


@dataclass
class Team:
    """A ledger of two roles; ``as_`` is the ledger of this process as one of them."""

    owner: str
    ledgers: dict[str, Ledger]

    def as_(self, role: str) -> None:
        """From here on this process has the credentials of that role."""
        module._ledger = self.ledgers[role]

    def refused(self, role: str, statement: str) -> bool:
        """Whether the database does not let a role run a statement."""
        with pytest.raises(StoreUnavailable, match=_NOT_LET), self.ledgers[role].database.write() as tx:
            tx.exec_driver_sql(statement)
        return True


@pytest.fixture
def team(postgres_url: str, home: object) -> Iterator[Team]:
    """A ledger on PostgreSQL with both roles."""
    owner = Database(postgres_url)
    with owner.write() as tx:
        schema = rows(tx, "SELECT current_schema()")[0][0]
        names = {role: f"{schema}_{role}"[-60:] for role in ("writer", "registrar")}
        for name in names.values():
            tx.exec_driver_sql(f'CREATE ROLE "{name}" LOGIN')
        grant(tx, names["writer"], names["registrar"])
    before = module._ledger
    urls = {role: make_url(postgres_url).set(username=name).render_as_string(hide_password=False) for role, name in names.items()}
    ledgers = {
        role: Ledger(Settings.resolve(store_url=url, journal_root=f"{home}-{role}", capture_git=False, capture_packages=False))
        for role, url in urls.items()
    }
    yield Team(postgres_url, ledgers)
    for one in ledgers.values():
        one.close()
        one.database.close()
    module._ledger = before
    with owner.write() as tx:
        for name in names.values():
            tx.exec_driver_sql(f'DROP OWNED BY "{name}"')
            tx.exec_driver_sql(f'DROP ROLE "{name}"')
    owner.close()


def double(data: list[float]) -> list[float]:
    """A model."""
    return [2 * x for x in data]


def test_every_table_is_one_or_the_other() -> None:
    """A table that nobody has thought of would be a writer's: each is named as the registry's, or is about runs."""
    of_runs = {table.name for table in METADATA.sorted_tables} - REGISTRY
    assert of_runs == set(
        "alerts artifacts attempts cache_hits cache_links chunks dataset_uses datasets experiment_tags experiments journals metrics models"
        " notes packages params results run_words runs series tags task_runs usage".split()
    )


def test_a_writer_logs_and_asks_and_a_registrar_registers(team: Team) -> None:
    """A worker's credentials log runs and models; what was asked for with register= becomes a version when a registrar comes by."""
    team.as_("writer")
    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        log_model(double, "churn", signature=None, requirements=[], register=True)
    assert registry.list_models() == []
    team.as_("registrar")
    assert registry.register_logged() == 1
    registry.transition("churn", 1, "production", by=ALICE)
    team.as_("writer")
    assert load_model("models:/churn/production")([1.0]) == [2.0]


def test_a_writer_can_move_approve_and_rewrite_nothing(team: Team) -> None:
    """Neither the verbs nor SQL of a worker's credentials change the registry, a request, a vote, a policy or the audit log."""
    team.as_("writer")
    with start_run(experiment="churn"):
        log_model(double, "churn", signature=None, requirements=[], register=True)
    team.ledgers["writer"].flush()
    team.as_("registrar")
    registry.set_policy('[[rule]]\nmodel = "*"\nstage = "production"\napprovals = 1', by=ALICE)
    asked = registry.request_transition("churn", 1, "production", by=ALICE)
    team.as_("writer")
    before = registry.audit_head()
    for verb in (
        lambda: registry.approve(asked.id, by=BOB),
        lambda: registry.transition("churn", 1, "staging", by=BOB),
        lambda: registry.set_alias("churn", "champion", 1, by=BOB),
        lambda: registry.set_policy('[[rule]]\nmodel = "*"\nstage = "*"', by=BOB),
        lambda: registry.rename_model("churn", "other", by=BOB),
    ):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            verb()
    for table in sorted(REGISTRY):
        assert team.refused("writer", f"DELETE FROM {table}"), table
        assert team.refused("writer", f"UPDATE {table} SET {METADATA.tables[table].columns.keys()[0]} = NULL"), table
        assert table == "registrations" or team.refused("writer", f"INSERT INTO {table} DEFAULT VALUES"), table
        assert team.refused("writer", f"TRUNCATE {table}"), table
    assert (registry.audit_head(), registry.verify_audit().whole) == (before, True)


def test_a_registrar_rewrites_no_history(team: Team) -> None:
    """Not even a registrar changes or removes rows of the audit log, votes, evidence and policies, or what a version consists of."""
    for table in ("audit", "audit_head", "request_votes", "evidences", "policies", "model_versions", "model_notes", "outbox"):
        assert team.refused("registrar", f"DELETE FROM {table}"), table
    for statement in (
        "UPDATE audit SET content = ''",
        "UPDATE request_votes SET approve = 1",
        "UPDATE evidences SET content = ''",
        "UPDATE policies SET content = ''",
        "UPDATE model_versions SET digest = ''",
        "UPDATE transition_requests SET passed = 1",
        "UPDATE outbox SET payload = ''",
        "DROP TABLE audit",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
    ):
        assert team.refused("registrar", statement), statement


def test_webhooks_are_the_registrars_alone(team: Team) -> None:
    """A worker's credentials can neither read where events are posted and by which secret, nor add to it, nor send; who was given every
    table by default privileges, such as a reader, loses these two with ``db roles``; and a registrar leads no webhook elsewhere."""
    team.as_("registrar")
    one = webhooks.add_webhook("http://127.0.0.1:9", secret_env="HOOK_SECRET", allow_private=True, by=ALICE)
    registry.create_model("churn", by=ALICE)
    assert webhooks.deliver() == (0, 0, 0)
    for statement in ("UPDATE webhooks SET url = 'http://elsewhere'", "UPDATE webhooks SET secret = ''", "DELETE FROM deliveries"):
        assert team.refused("registrar", statement), statement
    team.as_("writer")
    for verb in (webhooks.list_webhooks, webhooks.deliver, webhooks.retry_dead, lambda: webhooks.remove_webhook(one.id, by=ALICE)):
        with pytest.raises(StoreUnavailable, match="permission denied"):
            verb()
    with pytest.raises(StoreUnavailable, match="permission denied"):
        webhooks.add_webhook("http://127.0.0.1:9", secret_env="HOOK_SECRET", allow_private=True, by=ALICE)
    for table in PRIVATE:
        assert team.refused("writer", f"SELECT COUNT(*) FROM {table}"), table
    owner = Database(team.owner)
    writer, registrar = (str(make_url(ledger.settings.store_url).username) for ledger in team.ledgers.values())
    text = (
        "SELECT DISTINCT grantee FROM information_schema.table_privileges WHERE table_name = 'webhooks' AND table_schema = current_schema()"
    )
    with owner.write() as tx:
        tx.exec_driver_sql(f'GRANT SELECT ON webhooks TO "{writer}", PUBLIC')
        grant(tx, writer, registrar)
        given = rows(tx, text)
    owner.close()
    assert {name for (name,) in given} == {registrar, "postgres"}
    assert team.refused("writer", "SELECT secret FROM webhooks")


def test_views_show_no_more_than_the_tables(team: Team) -> None:
    """Writer and registrar read every view; one who may not read a table does not see it through a view either, though the owner may."""
    team.as_("writer")
    with start_run(experiment="churn") as run:
        run.log_metric("auc", 0.9)
        run.set_tag("team", "risk")
    team.ledgers["writer"].flush()
    for role in ("writer", "registrar"):
        with team.ledgers[role].database.read() as tx:
            found = {view: rows(tx, f"SELECT * FROM {view}") for view in VIEWS}
        assert [row[0] for row in found["runs_wide"]] == [run.id]
    owner, writer = Database(team.owner), str(make_url(team.ledgers["writer"].settings.store_url).username)
    with owner.write() as tx:
        tx.exec_driver_sql(f'REVOKE ALL ON tags FROM "{writer}"')
    owner.close()
    assert team.refused("writer", "SELECT tags FROM runs_wide")
    with team.ledgers["writer"].database.read() as tx:
        assert rows(tx, "SELECT last_value FROM latest_metrics WHERE key = 'auc'") == [(0.9,)]


def test_roles_are_postgresqls(tmp_path: object) -> None:
    """On SQLite, and for a role that is not there, it is said what to do."""
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    with database.write() as tx, pytest.raises(InvalidSettings, match="whoever can open the file"):
        grant(tx, "a", "b")
    database.close()
