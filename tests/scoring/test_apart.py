"""What is read is never written over, whichever way leads to it, and what is written is called what it is."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from prefect_ledger import score, search_runs, start_run
from prefect_ledger.entities import LoggedModel
from prefect_ledger.errors import InvalidValue, OutputExists
from prefect_ledger.scoring.job import Job
from prefect_ledger.scoring.mapped import Mapped, Piece, score_mapped
from prefect_ledger.scoring.outputs import Output
from prefect_ledger.scoring.sources import Part
from prefect_ledger.tracking.references import parse
from tests.scoring.conftest import customers, hidden, written


def tree(folder: Path) -> dict[str, Any]:
    """Every file and link below a folder, and what is in it."""
    return {str(one): one.readlink() if one.is_symlink() else one.read_bytes() for one in folder.rglob("*") if not one.is_dir()}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in: ``src`` with two files, other ways to it, and a database that is called like Parquet."""
    folder = tmp_path / "work"  # the ledger lies beside it
    folder.mkdir()
    monkeypatch.chdir(folder)
    Path("src").mkdir()
    for name in ("a", "b"):
        customers(20).to_parquet(f"src/{name}.parquet")
    Path("other").mkdir()
    Path("linked").mkdir()
    Path("lnk").symlink_to("src")
    Path("a.parquet").symlink_to("src/a.parquet")
    Path("linked/a.parquet").symlink_to("../src/a.parquet")
    os.link("src/a.parquet", "twin.parquet")
    written("sqlite", folder / "db", customers(20))
    Path("db/shop.db").rename("db/shop.parquet")
    return folder


def in_parts(job: Job, during: Callable[[], object] = lambda: None) -> int:
    """Score in parts, in this process."""

    def over(mapped: Mapped, parts: list[Part]) -> Iterator[Piece]:
        during()
        return (mapped.score(part) for part in parts)

    with start_run(experiment="scoring") as run:
        return score_mapped(job, run, over)


ALL = "SELECT * FROM customers"
FILES = [
    ("src/a.parquet", "other/../src/a.parquet", None),
    ("src/a.parquet", "lnk/a.parquet", None),
    ("a.parquet", "src/a.parquet", None),
    ("src/a.parquet", "a.parquet", None),
    ("src/a.parquet", "twin.parquet", None),
    ("src", "src/new.parquet", None),
    ("src", "other/../src/new.parquet", None),
    ("lnk", "src/new.parquet", None),
    ("src", "lnk/new.parquet", None),
    ("linked", "src/a.parquet", None),
    ("sqlite:///db/shop.parquet", "db/shop.parquet", ALL),
    ("sqlite:///db/shop.parquet", "src/../db/shop.parquet", ALL),
]


FOLDERS = [
    ("src", "src", None),
    ("src", "other/../src", None),
    ("src", "lnk", None),
    ("lnk", "src", None),
    ("src", "src/parts", None),
    ("src/a.parquet", "src", None),
    ("src/a.parquet", "other/../src", None),
    ("a.parquet", "src", None),
    ("linked", "src", None),
    ("linked/a.parquet", "linked", None),
    ("sqlite:///db/shop.parquet", "db", ALL),
]


def test_no_way_leads_to_the_source(model: LoggedModel, place: Path) -> None:
    """Dots, links to files and folders, second names, a database: what is read stays as it was, and nothing comes beside it."""
    before = tree(place)
    for source, output, query in FILES:
        for overwrite in (True, False):
            with pytest.raises((InvalidValue, OutputExists), match=r"would be a part of the source|is a link|is there already"):
                score(model.uri, source, output, query=query, overwrite=overwrite)
    assert tree(place) == before


def test_no_folder_takes_the_place_of_the_source(model: LoggedModel, place: Path) -> None:
    """Nor is a folder of parts put in the place of what is read, nor of a folder that holds it, or a link to it."""
    before = tree(place)
    for source, output, query in FOLDERS:
        with pytest.raises((InvalidValue, OutputExists), match=r"would be a part of|would take the place of|is a link"):
            in_parts(Job(model.uri, source, output, query, overwrite=True))
    assert tree(place) == before


def test_what_only_looks_like_the_source_is_written(model: LoggedModel, place: Path) -> None:
    """Beside what is read, and in folders that its path merely names on the way, an output is written as ever."""
    for source, output in (("src", "src/../out.parquet"), ("src/a.parquet", "src/out.parquet"), ("src/../a.parquet", "lnk/more.parquet")):
        assert score(model.uri, source, output).rows
        assert pq.read_metadata(output).num_rows


def test_a_link_is_no_output(model: LoggedModel, place: Path) -> None:
    """A link is not replaced, wherever it leads to, also nowhere: the message says where it leads."""
    Path("out.parquet").symlink_to("other/real.parquet")
    Path("parts").symlink_to("other")
    with pytest.raises(OutputExists, match=r"out\.parquet is a link to other/real\.parquet: .*remove it"):
        score(model.uri, "src/a.parquet", "out.parquet", overwrite=True)
    with pytest.raises(OutputExists, match="parts is a link to other"):
        in_parts(Job(model.uri, "src", "parts", overwrite=True))
    assert list(Path("other").iterdir()) == []
    assert hidden(place) == []


def test_it_is_looked_at_again_before_the_output_is_renamed(logged: Callable[..., str], place: Path) -> None:
    """What comes to lead to the source while the model works is not replaced either, and nothing is left aside."""
    Path("way").symlink_to("other")

    def relink(link: str, to: str) -> None:
        Path(link).unlink(missing_ok=True)
        Path(link).symlink_to(to)

    def answer(data: Any) -> Any:
        relink("way", "src")
        return data["age"]

    before = tree(Path("src"))
    with pytest.raises(InvalidValue, match="would be a part of the source"):
        score(logged(answer), "src/a.parquet", "way/a.parquet", overwrite=True)
    with pytest.raises(OutputExists, match="parts is a link"):
        in_parts(Job(logged(lambda data: data["age"]), "src", "parts", overwrite=True), during=lambda: relink("parts", "src"))
    assert tree(Path("src")) == before
    assert list(Path("other").iterdir()) == []
    assert hidden(place) == []


def test_what_is_left_of_a_link_is_taken_away(place: Path) -> None:
    """A hidden link at the place of what was not finished goes; what it leads to stays."""
    Path(".parts.0123abcd.unfinished").symlink_to("src")
    with Output("parts", folder=True).aside() as path:
        (path / "part-00000.parquet").touch()
    assert hidden(place) == []
    assert len(list(Path("src").iterdir())) == 2


def test_parquet_is_not_called_otherwise(model: LoggedModel, place: Path) -> None:
    """Nobody looks for Parquet in a file that is called CSV: another ending is refused before anything is read or written."""
    before = tree(place)
    for name in ("out.csv", "out.csv.gz", "out", "out.arrow", "parquet", "out.parquet.bak"):
        with pytest.raises(InvalidValue, match=r"is written as Parquet: .*\.parquet"):
            score(model.uri, "src", name)
    assert tree(place) == before


def test_every_ending_of_parquet_is_written(model: LoggedModel, place: Path) -> None:
    """Endings that are read are written too, in capitals too."""
    for name in ("out.parquet", "out.PQ", "out.parq"):
        score(model.uri, "src", name)
        assert pq.read_metadata(name).num_rows == 40


# --- the documentation -----------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[2] / "docs" / "scoring.md"


def test_the_guide_names_models_as_they_can_be_named() -> None:
    """No reference in the guide needs a registry, which is not there."""
    found = re.findall(r"(?:models|runs):/[^\s`]+", DOCS.read_text(encoding="utf-8"))
    assert len(found) >= 3
    assert [text for text in found if parse(text).kind not in ("model", "run")] == []


def test_the_guide_s_filter_finds_who_asked_a_model(model: LoggedModel, place: Path) -> None:
    """The filter of the guide, with the beginning of this model's id in the place of its own, finds the scoring."""
    (text,) = re.findall(r'--filter "(tags\.model_id .*)"', DOCS.read_text(encoding="utf-8"))
    (example,) = re.findall(r"m-[0-9a-f]+", text)
    done = score(model.uri, "src", "out.parquet")
    assert [run.id for run in search_runs("scoring", text.replace(example, model.id[: len(example)]))] == [done.run_id]
