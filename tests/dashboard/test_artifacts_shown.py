"""Artifacts that are broken, too large or hostile, on the page of their run in a real browser."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from prefect_ledger import start_run
from prefect_ledger.tracking.ledger import Ledger
from tests.dashboard import run_pages, strange_filling
from tests.dashboard.conftest import WIDE, environment, serve
from tests.dashboard.trap import Trap, trap
from tests.packaging.locks import ROOT

expect.set_options(timeout=20_000)


@dataclass(frozen=True)
class Strange:
    """A dashboard over a run of strange artifacts, and the trap that they aim at."""

    url: str
    first: str
    run: str
    trap: Trap


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strange]:
    """One for all tests here."""
    home = tmp_path_factory.mktemp("strange")
    env = environment(home)
    with trap() as one:
        command = [sys.executable, "-m", "tests.dashboard.strange_filling", str(one.port)]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        run = json.loads(done.stdout)["run"]
        for served in serve(env, home):
            yield Strange(served.url, served.first, run, one)


def _spoil(ledger: Path) -> None:
    """One file gone, two changed."""
    for file in ledger.rglob("artifacts/*.*"):
        if file.name == "gone.txt":
            file.unlink()
        elif file.stem == "changed":
            file.write_bytes(file.read_bytes().replace(b"one", b"two"))


@pytest.fixture(scope="module")
def _browsing(browser: Browser, strange: Strange) -> Iterator[Page]:
    context = browser.new_context(viewport=WIDE, base_url=strange.url)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(strange.first)
    page.get_by_text("approver").wait_for()
    yield page
    context.close()


@pytest.fixture
def page(_browsing: Page, strange: Strange) -> Iterator[Page]:
    """A page of the person who started the dashboard. Whoever reaches the trap fails the test."""
    strange.trap.reached.clear()
    _browsing.evaluate("localStorage.setItem('ours', 'secret'); window.name = 'ours'")
    yield _browsing
    assert strange.trap.reached == []


@pytest.fixture
def shut(browser: Browser) -> None:
    """The browser knows the header ``Connection-Allowlist``: older ones open a line to where a frame would go, and say nothing on it."""
    if int(browser.version.partition(".")[0]) < 152:
        pytest.skip("this Chromium is older than 152")


def opened(page: Page, strange: Strange, path: str) -> None:
    """Open the artifact's page."""
    page.goto(f"/run?run={strange.run}&tab=Artifacts&path={quote(path)}")
    expect(page.get_by_role("heading", name=path)).to_be_visible()


def inner(page: Page) -> FrameLocator:
    """The frame in the frame."""
    return page.frame_locator("iframe").frame_locator("iframe")


@pytest.mark.long
def test_the_trap_counts(strange: Strange) -> None:
    """Were it reached, the tests below would see it."""
    with pytest.raises((urllib.error.URLError, OSError)):
        urllib.request.urlopen(f"http://127.0.0.1:{strange.trap.port}/", timeout=10)
    assert strange.trap.reached[0].startswith(b"GET / ")


@pytest.mark.long
def test_a_hostile_page_reads_nothing_and_reaches_nobody(page: Page, strange: Strange, shoot: Callable[[Page, str], Path]) -> None:
    """A page among the artifacts runs its programs, and gets neither what is ours nor any network, and changes nothing around it."""
    opened(page, strange, "pages/trying.html")
    title, address = page.title(), page.url
    expect(inner(page).get_by_text("all was tried")).to_be_visible()
    shoot(page, "run_hostile_page")
    said = inner(page).locator("li").all_inner_texts()
    assert len(said) > 30
    assert [line for line in said if "GOT" in line] == []
    assert (page.title(), page.url) == (title, address)
    assert page.evaluate("localStorage.getItem('ours')") == "secret"


@pytest.mark.parametrize("name", ["leaving", "sent"])
def test_a_page_that_goes_elsewhere_does_not_arrive(page: Page, strange: Strange, shut: None, name: str) -> None:
    """Neither a program nor a head that names another place takes the frame there."""
    with page.expect_console_message(lambda message: message.type == "error" and str(strange.trap.port) in message.text):
        opened(page, strange, f"pages/{name}.html")


@pytest.mark.long
def test_a_page_that_calls_others_reaches_nobody(page: Page, strange: Strange, shut: None) -> None:
    """The browser's way for conversations, which no policy of content is about, is no way out either."""
    opened(page, strange, "pages/calling.html")
    expect(inner(page).get_by_text("all was tried")).to_be_visible()


def test_a_drawing_with_programs_is_shut_in_too(page: Page, strange: Strange) -> None:
    """An SVG is a page like others: it is shown, and what is in it gets nowhere."""
    opened(page, strange, "pages/drawing.svg")
    title = page.title()
    expect(inner(page).get_by_text("drawn")).to_be_visible()
    assert page.title() == title


def test_bytes_of_a_page_are_not_ours_by_their_address_either(page: Page, strange: Strange) -> None:
    """Whoever opens the address of a frame's page by itself gets what has no origin: nothing of ours is there to be read."""
    opened(page, strange, "pages/plain.html")
    expect(inner(page).get_by_text("plain")).to_be_visible()
    address = page.frame_locator("iframe").locator("iframe").get_attribute("src")
    alone = page.context.new_page()
    alone.goto(f"{strange.url}{address}")
    assert alone.evaluate("origin") == "null"
    alone.close()


SENTENCES = {
    "pictures/bomb.png": "a picture of so many pixels is not decoded here",
    "pictures/broken.png": "does not open as a picture",
    "pictures/another.jpg": "does not open as a picture",
    "tables/wide.csv": "too many columns",
    "tables/broken.parquet": "does not open as a table",
    "texts/bytes.bin": "this is no text",
    "texts/huge.txt": "34.6 MB are too many to be shown here",
    "figures/map.json": "figures with maps fetch them from elsewhere",
    "figures/none.json": "no figure that plotly knows",
    "gone.txt": "it was deleted, or was never put below the root",
    "changed.txt": "is not what was logged",
    "changed.html": "is not what was logged",
}


@pytest.mark.long
def test_what_cannot_be_shown_is_a_sentence(fresh_ledger: Ledger) -> None:
    """An artifact that is gone, changed, too large or not what it says it is: a sentence, no failure, and no way to save what is lost."""
    run = strange_filling.fill(9)["run"]
    fresh_ledger.flush()
    _spoil(Path(fresh_ledger.artifacts.root))
    for path, sentence in SENTENCES.items():
        page = run_pages.opened(run=run, tab="Artifacts", path=path)
        said = [str(one.value).replace("\\", "") for one in (*page.error, *page.info)]
        assert [sentence in one for one in said] == [True], (path, said)
        lost = path.startswith(("gone", "changed"))
        assert len(page.error) == lost
        assert any("Save" in str(getattr(one, "value", "")) for one in page.get("html")) != lost


def test_a_root_that_is_away_is_a_sentence(fresh_ledger: Ledger) -> None:
    """Where the artifacts cannot be reached now, the page says so and shows the rest."""
    with start_run(experiment="strange") as run:
        run.log_text("x", "notes.txt")
    fresh_ledger.flush()
    root = Path(fresh_ledger.artifacts.root)
    root.rename(root.with_name("away"))
    root.write_text("a file where the folder was")
    page = run_pages.opened(run=run.id, tab="Artifacts", path="notes.txt")
    assert len(page.error) == 1
    assert len(page.dataframe) >= 1
    root.unlink()
    root.with_name("away").rename(root)


def test_a_huge_file_is_saved_whole(page: Page, strange: Strange, tmp_path: Path) -> None:
    """What is too large to be shown comes whole to whoever saves it."""
    opened(page, strange, "texts/huge.txt")
    with page.expect_download() as saving:
        page.get_by_role("link", name="Save").click()
    saving.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").stat().st_size == 33 << 20
    assert saving.value.suggested_filename == "huge.txt"


def test_markdown_of_strangers_loads_nothing_and_leads_to_the_web_alone(
    page: Page, strange: Strange, shoot: Callable[[Page, str], Path]
) -> None:
    """Headings, tables and emphasis are shown; pictures are their descriptions, and links have no programs in them."""
    opened(page, strange, "texts/hostile.md")
    shown = page.get_by_test_id("stHtml").first
    expect(shown.get_by_role("heading", name="Head")).to_be_visible()
    shoot(page, "run_markdown")
    assert shown.locator("img, script, style, iframe").count() == 0
    leads = shown.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert leads == ["https://example.com/a", f"http://127.0.0.1:{strange.trap.port}/auto"]
    expect(shown).to_contain_text("<script>document.title='owned'</script>")
    expect(shown).to_contain_text(":smile: :material/home: :red[red]")


def test_a_figure_of_strangers_has_no_links_and_loads_nothing(page: Page, strange: Strange, shoot: Callable[[Page, str], Path]) -> None:
    """Plotly draws it, and what would lead or load elsewhere is not in it."""
    opened(page, strange, "figures/hostile.json")
    drawing = page.locator(".js-plotly-plot")
    expect(drawing.get_by_text("a title")).to_be_visible()
    shoot(page, "run_figure")
    assert drawing.locator("a[href*=':']").count() == 0
    assert drawing.locator("svg a").count() == 0
    assert drawing.locator("image").count() == 0


@pytest.mark.long
def test_tables_pictures_and_documents_are_shown(page: Page, strange: Strange, shoot: Callable[[Page, str], Path]) -> None:
    """What is in order is shown as what it is."""
    opened(page, strange, "tables/long.csv")
    expect(page.get_by_text("more rows than are shown, 2 columns")).to_be_visible()
    shoot(page, "run_csv")
    opened(page, strange, "tables/fine.parquet")
    expect(page.get_by_text("1,000 rows, 3 columns. The first are shown.")).to_be_visible()
    opened(page, strange, "pictures/fine.png")
    expect(page.get_by_test_id("stImage").locator("img")).to_be_visible()
    opened(page, strange, "texts/odd.json")
    expect(page.get_by_test_id("stJson")).to_contain_text("12345678901234567890")
    assert page.get_by_test_id("stJson").locator("a").count() == 0
    opened(page, strange, "texts/deep.json")
    expect(page.get_by_test_id("stCode").first).to_contain_text("[[[[")
    opened(page, strange, "texts/long.log")
    expect(page.get_by_text("The first 200,000 characters are shown.")).to_be_visible()
