"""Floor 5. Views of the dashboard that people keep by a name: the query of a page's address, for all who look."""

from __future__ import annotations

from prefect_ledger import saved_view_store as store
from prefect_ledger.entities import SavedView
from prefect_ledger.errors import InvalidValue, NotFound, SchemaTooOld
from prefect_ledger.identities import person
from prefect_ledger.names import check_name
from prefect_ledger.tracking.clock import now
from prefect_ledger.tracking.ledger import ledger

QUERY_LIMIT = 8_000  # characters: what browsers and proxies take as an address
_PAGE_LIMIT = 32
_SINCE = 6  # the schema that has them first


def saved_views(page: str) -> list[SavedView]:
    """The views of a page, by name.

    Raises:
        StoreUnavailable.
    """
    database = ledger().database
    if (database.version() or 0) < _SINCE:
        return []
    with database.read() as tx:
        return store.of_page(tx, page)


def save_view(page: str, name: str, query: str, author: str) -> SavedView:
    """Keep ``query``, what follows the ``?`` of an address, as a view of ``page``. One's own of the same name is replaced.

    Raises:
        InvalidName: of the page or the view. InvalidValue: no query, one that is too long, or a view of this name that is somebody else's.
        SchemaTooOld: the store has no place for views. StoreUnavailable.

    Example:
        >>> save_view("runs", "the best", "q=metrics.auc+%3E+0.9", "alice").name
        'the best'
    """
    check_name(name, "view")
    if not page.isidentifier() or len(page) > _PAGE_LIMIT:
        raise InvalidValue(f"a page's name is a short word, not {page!r:.80}")
    if not query or len(query) > QUERY_LIMIT or not query.isascii() or not query.isprintable() or " " in query:
        raise InvalidValue(f"what follows the ? of an address has 1 to {QUERY_LIMIT:,} characters, encoded, not {query!r:.80}")
    _check_schema()
    with ledger().database.write() as tx:
        there = store.find(tx, page, name)
        if there is not None and person(there.author) != person(author):
            raise InvalidValue(f"the view {name!r} is {there.author}'s: save it by another name")
        store.keep(tx, page, name, query, author, now())
        found = store.find(tx, page, name)
        assert found is not None
        return found


def delete_view(page: str, name: str) -> None:
    """Forget a view.

    Raises:
        NotFound: there is none of this name. SchemaTooOld. StoreUnavailable.
    """
    _check_schema()
    with ledger().database.write() as tx:
        if not store.remove(tx, page, name):
            raise NotFound(f"the page {page} has no view {name!r}")


def _check_schema() -> None:
    version = ledger().database.version()
    if version is not None and version < _SINCE:
        raise SchemaTooOld(f"the database has schema {version} and no place for saved views: run prefect-ledger db upgrade")
