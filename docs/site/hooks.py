"""What the site has beside the pages of docs/: the changelog and CONTRIBUTING, the files that pages link to, and the command line's help.

Hooks of the site's builder, named in properdocs.yml. ``command_line.py`` writes the help before it is built.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from properdocs.exceptions import PluginError
from properdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[2]
HELP = ROOT / "build" / "command-line.md"
PAGES = {"changelog.md": ROOT / "CHANGELOG.md", "contributing.md": ROOT / "CONTRIBUTING.md", "reference/command-line.md": HELP}
_OUTSIDE = re.compile(r"\]\((?:\.\./)+((?!\.\.)[^)#]+)")
_FETCHED = re.compile(r"""(?:\bsrc=|<link[^>]*\bhref=|\burl\(|@import\s)["']?(?:https?:)?//""")
_SOURCES = {path: name for name, path in PAGES.items()}


def on_config(config: Any) -> Any:
    """List the decisions, whichever there are."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    config.nav[-1]["About"].append({"Decisions": [f"decisions/{path.name}" for path in decisions]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add pages from elsewhere in the repository, the files outside docs/ that pages lead to, and the colours of code."""
    for name, path in PAGES.items():
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    colours = HtmlFormatter().get_style_defs(".codehilite")
    files.append(File.generated(config, "site/code.css", content=colours))
    for page in list(files.documentation_pages()):
        for target in _OUTSIDE.findall(page.content_string):
            path = (ROOT / target).resolve()
            if path.is_file() and path not in _SOURCES and not path.is_relative_to(ROOT / "docs"):
                where = f"repository/{path.relative_to(ROOT)}"
                if files.get_file_from_path(where) is None:
                    files.append(File.generated(config, where, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Links that lead out of docs/ lead to the copies in the site."""
    up = "../" * page.file.src_uri.count("/")
    if page.file.src_uri in ("changelog.md", "contributing.md"):  # they stand at the top of the repository
        markdown = re.sub(r"\]\(docs/", "](", markdown)

    def inside(found: re.Match[str]) -> str:
        path = (ROOT / "docs" / Path(page.file.src_uri).parent / found[0][2:]).resolve()
        if path.is_relative_to(ROOT / "docs"):
            return found[0]
        return f"]({up}{_SOURCES.get(path, f'repository/{path.relative_to(ROOT)}')}"

    return _OUTSIDE.sub(inside, markdown)


def on_post_build(config: Any) -> None:
    """Refuse a site whose pages fetch something from another host."""
    for path in Path(config.site_dir).rglob("*"):
        if path.suffix in (".html", ".css") and (found := _FETCHED.search(path.read_text(encoding="utf-8"))):
            raise PluginError(f"{path} fetches from another host: {found[0]}…")
