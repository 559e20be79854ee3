"""Signing in at an identity provider, in a real browser: who did not sees nothing, and roles hold as long as they are given."""

from __future__ import annotations

import json
import re
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.dashboard.conftest import WIDE, Own, serve
from tests.dashboard.test_promotions_page import RULES
from tests.services_real import processes

USERS = {"carol": ["ml-leads", "staff"], "vera": ["staff"], "eve": ["elsewhere"]}
SECRETS = """
[auth]
redirect_uri = "http://127.0.0.1:{port}/oauth2callback"
cookie_secret = "of this test alone, and long enough to be one"
client_id = "ledger"
client_secret = "secret"
server_metadata_url = "{provider}/.well-known/openid-configuration"

[prefect_ledger]
claim = "groups"
viewer = ["staff"]
approver = {approvers}
"""


@dataclass(frozen=True)
class SignIn:
    """A dashboard where people sign in, and the file that gives them their roles."""

    url: str
    port: int
    provider: str
    secrets: Path

    def give(self, *approvers: str) -> None:
        """Let these groups approve."""
        aside = self.secrets.with_suffix(".new")
        aside.write_text(SECRETS.format(port=self.port, provider=self.provider, approvers=json.dumps(approvers)))
        aside.replace(self.secrets)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A provider of identities on this machine, in a process of its own."""
    port, folder = processes.free_port(), tmp_path_factory.mktemp("provider")
    users = [json.dumps({"sub": name, "groups": groups}) for name, groups in USERS.items()]
    words = [word for user in users for word in ("--user-claims", user)]
    command = [*processes.dies_with_us(), sys.executable, "-m", "oidc_provider_mock", "--port", str(port), *words]
    log = folder / "provider.log"
    child = processes.start(command, log, env=processes.clean_environment(), cwd=folder)
    try:
        processes.wait_until(lambda: "Running on" in log.read_text(errors="replace") or _answers(port), child, log, seconds=60)
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.stop(child, signal.SIGTERM)


def _answers(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def signing(own: Own, provider: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SignIn]:
    """A second dashboard on the ledger that tests change, with Streamlit's sign-in set up."""
    folder, port = tmp_path_factory.mktemp("signing"), processes.free_port()
    (folder / ".streamlit").mkdir()
    one = SignIn(f"http://127.0.0.1:{port}", port, provider, folder / ".streamlit" / "secrets.toml")
    one.give("ml-leads")
    for served in serve(own.filled.env, folder, "--port", str(port)):
        assert served.first == one.url  # no token: whoever comes signs in
        yield one


@pytest.fixture
def page(browser: Browser, signing: SignIn) -> Iterator[Page]:
    """A browser that nobody has signed in with. The provider's page asks for styles from elsewhere: they do not leave this machine."""
    context = browser.new_context(viewport=WIDE, base_url=signing.url)
    context.set_default_timeout(20_000)
    context.route("**/*", _stay)
    yield context.new_page()
    context.close()


def _stay(route: Route) -> None:
    route.continue_() if "//127.0.0.1:" in route.request.url else route.abort()


def enter(page: Page, name: str, path: str = "/") -> None:
    """Sign in with the provider, then go to a page."""
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_url(lambda url: "oauth2callback" not in url and ":" + str(page.url.split(":")[2].split("/")[0]) in url)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.goto(path)


def until_taken_away(page: Page, path: str) -> None:
    """Open a page anew until it has no button to approve: Streamlit looks at the secrets a few times a second."""
    for _ in range(40):
        page.goto(path)
        expect(page.get_by_text(re.compile("Judge again"))).to_be_visible()
        if not page.get_by_role("button", name="Approve").count():
            return
    raise AssertionError("the role was not taken away")


@pytest.fixture
def asked(own: Own) -> int:
    """A request that waits for an approval."""
    ask = "registry.request_transition('churn', 2, 'production', by='alice').id"
    return int(own.run(f"from prefect_ledger import registry; registry.set_policy({RULES!r}, by='alice'); print({ask})"))


@pytest.mark.long
def test_who_did_not_sign_in_sees_where_to_and_nothing_else(page: Page, asked: int) -> None:
    """No page, no name of a model, no link to any: of an address with a request neither."""
    page.goto(f"/promotions?request={asked}")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    said = page.locator("body").inner_text()
    assert "churn" not in said
    assert "Models" not in said


@pytest.mark.long
def test_somebody_without_a_role_is_told_so(page: Page) -> None:
    """Signed in, and in none of the groups: nothing is shown but that, and the way out."""
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="eve", exact=True).click()
    expect(page.get_by_text("Nobody gave you a role here")).to_be_visible()
    assert "Models" not in page.locator("body").inner_text()


@pytest.mark.long
def test_a_viewer_reads_and_has_no_buttons(page: Page, asked: int) -> None:
    """A request is shown with its gates, and who may approve is not this person."""
    enter(page, "vera", f"/promotions?request={asked}")
    expect(page.get_by_text("needs the role approver")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


@pytest.mark.long
def test_an_approver_approves_as_whom_the_provider_says(page: Page, asked: int, own: Own, signing: SignIn) -> None:
    """The vote has the strength of a verified token; a role that is taken away is gone at once; signed out, nothing is shown."""
    enter(page, "carol", f"/promotions?request={asked}")
    page.get_by_role("textbox", name="Comment").fill("as carol")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("carol oidc approves: as carol")).to_be_visible()
    [vote] = json.loads(
        own.run(f"import json; from prefect_ledger import registry; print(json.dumps(registry.get_request({asked}).votes))")
    )
    assert (vote["voter"], vote["strength"], vote["approve"]) == ("carol", "oidc", True)
    signing.give("others")
    try:
        until_taken_away(page.context.new_page(), f"/promotions?request={asked}")
        page.get_by_role("button", name="Approve").click()  # it was there when this page was shown
        expect(page.get_by_text("this needs the role approver").first).to_be_visible()
        expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    finally:
        signing.give("ml-leads")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(lambda url: "promotions" not in url)
    page.goto(f"/promotions?request={asked}")
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert "churn" not in page.locator("body").inner_text()
