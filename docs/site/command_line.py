"""Writes the help of every command as one page of Markdown, for the site: ``make docs`` runs me with the library installed.

python docs/site/command_line.py build/command-line.md
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from prefect_ledger.cli import app

_EMPTY = re.compile(r""" *\*\[default: (?:\(\)|False|""|\[\])\]\*""")


def main(page: Path) -> None:
    """Write the page."""
    text = app.generate_docs(output_format="markdown", recursive=True, heading_level=2)
    help_of_all = _EMPTY.sub("", text.partition("\n")[2].replace("## Table of Contents\n", "").strip())
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"# Command line\n\nWhat `prefect-ledger COMMAND --help` says, on one page.\n\n{help_of_all}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
