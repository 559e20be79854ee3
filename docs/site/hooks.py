"""What the site has beside the pages of docs/: README, changelog, CONTRIBUTING, files that pages link to, and the command line's help.

Hooks of the site's builder, named in properdocs.yml. ``command_line.py`` writes the help before it is built.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from properdocs.exceptions import PluginError
from properdocs.structure.files import File, Files
from pygments.formatters import HtmlFormatter

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = {  # of the site, and where they come from
    "overview.md": ROOT / "README.md",
    "changelog.md": ROOT / "CHANGELOG.md",
    "contributing.md": ROOT / "CONTRIBUTING.md",
    "reference/command-line.md": ROOT / "build" / "command-line.md",
}
_LINK = re.compile(r"(?<=\]\()[^()#\s:]+(?=[)#])")
_FETCHED = re.compile(r"""(?:\bsrc=|<link[^>]*\bhref=|\burl\(|@import\s)["']?(?:https?:)?//""")


def on_config(config: Any) -> Any:
    """List the decisions, whichever there are."""
    decisions = sorted((DOCS / "decisions").glob("*.md"))
    config.nav[-1]["About"].append({"Decisions": [f"decisions/{path.name}" for path in decisions]})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add pages from elsewhere in the repository, the files outside docs/ that pages lead to, and the colours of code."""
    for name, path in PAGES.items():
        files.append(File.generated(config, name, content=path.read_text(encoding="utf-8")))
    colours = HtmlFormatter().get_style_defs(".codehilite")
    files.append(File.generated(config, "site/code.css", content=colours))
    for page in list(files.documentation_pages()):
        for link in _LINK.findall(page.content_string):
            path = _meant(page.src_uri, link)
            name = _in_site(path)
            if path.is_file() and name.startswith("repository/") and files.get_file_from_path(name) is None:
                files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Links lead to where the site has what they lead to in the repository."""
    here = page.file.src_uri

    def there(found: re.Match[str]) -> str:
        path = _meant(here, found[0])
        return os.path.relpath(_in_site(path), os.path.dirname(here) or ".") if path.exists() else found[0]  # noqa: PTH120

    return _LINK.sub(there, markdown)


def on_post_build(config: Any) -> None:
    """Refuse a site whose pages fetch something from another host."""
    for path in Path(config.site_dir).rglob("*"):
        if path.suffix in (".html", ".css") and (found := _FETCHED.search(path.read_text(encoding="utf-8"))):
            raise PluginError(f"{path} fetches from another host: {found[0]}…")


def _meant(page: str, link: str) -> Path:
    """What a link means in the repository, for a page of the site."""
    source = PAGES.get(page, DOCS / page)
    return (source.parent / link).resolve()


def _in_site(path: Path) -> str:
    """Where the site has a file of the repository; of a folder, its first page."""
    if path.is_dir():
        path = min(path.glob("*.md"), default=path)
    for name, source in PAGES.items():
        if path == source:
            return name
    return str(path.relative_to(DOCS)) if path.is_relative_to(DOCS) else f"repository/{os.path.relpath(path, ROOT)}"
