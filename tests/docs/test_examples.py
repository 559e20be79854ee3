"""Every example of README and docs runs: Python blocks as one program per file, shell lines as commands that exist."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services_real.nursery import Nursery, nursery

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks of a language, each with the line it begins at."""
    text = page.read_text(encoding="utf-8")
    for found in _BLOCK.finditer(text):
        if found[1] == language:
            yield text[: found.start()].count("\n") + 2, found[2]


def program(page: Path) -> str:
    """The page's Python blocks in order, on the lines they have in the page, so that a traceback leads there."""
    lines: list[str] = []
    for line, block in blocks(page, "python"):
        lines += [""] * (line - 1 - len(lines)) + block.splitlines()
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def readers(prefect_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Somebody who has imported what the pages import."""
    home = str(tmp_path_factory.mktemp("reader") / "prefect")
    env = {**os.environ, "PREFECT_HOME": home, "PREFECT_API_URL": prefect_server, "PREFECT_LOGGING_LEVEL": "ERROR"}
    with nursery(["prefect.main", "pandas", "prefect_ledger"], options=["-W", "error::UserWarning"], env=env) as one:
        yield one


@pytest.mark.parametrize("page", [p for p in PAGES if program(p).strip()], ids=lambda p: p.stem)
@pytest.mark.long
def test_python_blocks_of_a_page_run_in_order(page: Path, readers: Nursery, prefect_server: str, tmp_path: Path) -> None:
    """What a reader copies from a page, from its top to its end, runs without an error."""
    script = tmp_path / f"{page.stem.lower().replace('-', '_')}_md.py"
    script.write_text(program(page), encoding="utf-8")
    env = {
        **os.environ,
        "PREFECT_LEDGER_HOME": str(tmp_path / "ledger"),
        "PREFECT_API_URL": prefect_server,
        "PREFECT_LOGGING_LEVEL": "ERROR",
    }
    done = readers.run(script, cwd=tmp_path, env=env, timeout=120)
    assert done.returncode == 0, f"{page.name}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


def commands() -> list[tuple[str, str]]:
    """Every line that a page tells its reader to type."""
    found = []
    for page in PAGES:
        for _, block in blocks(page, "console"):
            found += [(page.name, line[2:]) for line in block.splitlines() if line.startswith("$ prefect-ledger ")]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_of_a_page_are_understood(page: str, command: str) -> None:
    """No page names a command or an option that does not exist."""
    from prefect_ledger.cli import app

    app.parse_args(shlex.split(command, comments=True)[1:], exit_on_error=False, print_error=False)


def test_pages_link_to_files_that_exist() -> None:
    """No link between the pages leads nowhere."""
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
