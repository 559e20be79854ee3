"""Draws leaderboard.svg: what ``prefect-ledger demo`` shows at its end. Run me again when the demo changes.

    python docs/images/leaderboard.py

The demo runs on a ledger of its own, in a temporary folder. Fonts are the reader's: the picture fetches nothing.
"""

from __future__ import annotations

import os
import re
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI


def main() -> None:
    """Run the demo and write the picture beside this file."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["PREFECT_LEDGER_HOME"] = home
        from prefect_ledger import configure
        from prefect_ledger.demo import run_demo
        from prefect_ledger.demo.training import show_leaderboard

        run_id = run_demo()
        console = Console(record=True, width=126, file=StringIO(), force_terminal=True, color_system="truecolor", highlight=False)
        show_leaderboard(run_id, console)
        svg = console.export_svg(title="prefect-ledger demo", theme=MONOKAI)
        configure(home=home)  # ends the ledger of the demo before its folder goes
    picture = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL).replace("Fira Code, monospace", "Menlo, Consolas, monospace")
    picture = re.sub(r"terminal-\d+", "ledger", picture)
    Path(__file__).with_suffix(".svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
