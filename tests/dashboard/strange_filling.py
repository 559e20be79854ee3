"""Fills the ledger of its environment with a run of strange artifacts, and prints the ids as JSON: run as a process of its own.

The words are the port that hostile pages try to reach, and nothing else.
"""

from __future__ import annotations

import io
import json
import struct
import sys
import zlib
from typing import Any

import numpy as np

from prefect_ledger import ActiveRun, start_run
from tests.dashboard import strange_pages


def fill(port: int) -> dict[str, Any]:
    """A run of each kind of artifact, most of them hostile."""
    with start_run(experiment="strange", name="strange") as run:
        _pages(run, port)
        _pictures(run)
        _tables(run)
        _texts(run, port)
        _figures(run, port)
        run.log_bytes(b"gone", "gone.txt")
        run.log_bytes(b"one thing", "changed.txt")
        run.log_bytes(b"<p>one thing</p>", "changed.html")
    return {"run": run.id}


def _pages(run: ActiveRun, port: int) -> None:
    for name in ("trying", "leaving", "sent", "calling"):
        run.log_text(getattr(strange_pages, name)(port), f"pages/{name}.html")
    run.log_text("<p>plain</p>", "pages/plain.html")
    run.log_text(strange_pages.drawing(port), "pages/drawing.svg")


def _pictures(run: ActiveRun) -> None:
    run.log_image(np.full((20, 30), 200, np.uint8), "pictures/fine.png")
    run.log_bytes(bomb(40_000, 40_000), "pictures/bomb.png")
    run.log_bytes(b"\x89PNG\r\n\x1a\nnothing", "pictures/broken.png")
    run.log_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>", "pictures/another.jpg")


def _tables(run: ActiveRun) -> None:
    import pandas as pd

    run.log_text("\n".join([",".join(f"c{at}" for at in range(1_000_000)), "1,2"]), "tables/wide.csv")
    run.log_text("a,b\n" + "\n".join(f"{at},<b>{at}</b>" for at in range(1_000)), "tables/long.csv")
    run.log_text('a,b\n1,"never closed\n2,3\n', "tables/open.csv")
    target = io.BytesIO()
    pd.DataFrame({"n": range(1_000), "deep": [{"a": "<b>"}] * 1_000, "when": pd.Timestamp("2026-01-01")}).to_parquet(target)
    run.log_bytes(target.getvalue(), "tables/fine.parquet")
    run.log_bytes(b"PAR1 nothing PAR1", "tables/broken.parquet")


def _texts(run: ActiveRun, port: int) -> None:
    trap = f"http://127.0.0.1:{port}"
    run.log_text(
        f"# Head\n\n[bad](javascript:alert(1)) [odd](JaVaScRiPt:alert(1)) [data](data:text/html,x) [good](https://example.com/a)\n\n"
        f"![far]({trap}/far.png) ![ref][r] <img src='{trap}/tag.png'> <script>document.title='owned'</script>\n\n"
        f"<{trap}/auto> {trap}/bare $\\LaTeX$ :smile: :material/home: :red[red]\n\n| a | b |\n|---|---|\n| 1 | ![in]({trap}/in.png) |\n\n"
        f"[r]: {trap}/ref.png\n",
        "texts/hostile.md",
    )
    run.log_text("[" * 20_000, "texts/deep.json")
    run.log_text('{"url": "http://192.0.2.1/", "n": 12345678901234567890, "html": "<b>x</b>", "x": NaN}', "texts/odd.json")
    run.log_text("x" * 300_000, "texts/long.log")
    run.log_bytes(bytes(range(256)) * 4, "texts/bytes.bin")
    run.log_bytes(b"", "texts/empty.txt")
    run.log_bytes(b"0" * (33 << 20), "texts/huge.txt")


def _figures(run: ActiveRun, port: int) -> None:
    trap = f"http://127.0.0.1:{port}"
    figure = {
        "data": [
            {"type": "bar", "x": ["<a href='javascript:alert(1)'>x</a>", "b"], "y": [1, 2], "text": [f"<a href='{trap}/a'>t</a>", "u"]}
        ],
        "layout": {
            "title": {"text": f"<a href='{trap}/title'>a title</a>"},
            "images": [{"source": f"{trap}/layout.png", "x": 0, "y": 1, "sizex": 1, "sizey": 1}],
            "nonsense": 1,
        },
    }
    run.log_bytes(json.dumps(figure).encode(), "figures/hostile.json", kind="figure")
    run.log_bytes(json.dumps({"data": [{"type": "scattergeo", "lat": [1], "lon": [2]}]}).encode(), "figures/map.json", kind="figure")
    run.log_bytes(json.dumps({"data": 7}).encode(), "figures/none.json", kind="figure")


def bomb(width: int, height: int) -> bytes:
    """A PNG that says that it has so many pixels, and holds the first rows of them."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1 + width // 8) * 1_000, 9)
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


if __name__ == "__main__":
    json.dump(fill(int(sys.argv[1])), sys.stdout)
