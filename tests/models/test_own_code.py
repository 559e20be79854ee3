"""Code that travels with a model: found while it is opened and asked, and never another model's or the program's."""

from __future__ import annotations

import gc
import importlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from prefect_ledger import load_predictor, start_run
from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.opening import open_folder
from prefect_ledger.models.saving import save_model

_NAMES = ("own_helper", "own_pack", "own_late")


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What models brought along is gone after a test."""
    path = list(sys.path)
    yield
    sys.path[:] = path
    _forget()
    gc.collect()  # models that are gone take their code with them


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in _NAMES]:
        del sys.modules[name]


def _module(folder: Path, monkeypatch: pytest.MonkeyPatch, said: int, *, late: bool = False) -> tuple[ModuleType, list[Path]]:
    """The modules of a program, which imports them, and where they lie."""
    (folder / "own_pack").mkdir(parents=True)
    body = f"def said(self):\n        import own_late\n        return {said}, own_late.SAID" if late else f"said = lambda self: {said}"
    (folder / "own_helper.py").write_text(
        f"from own_pack.part import NUMBER\nclass Model:\n    {body}\n    predict = lambda s, d: (s.said(), NUMBER)"
    )
    (folder / "own_pack" / "__init__.py").touch()
    (folder / "own_pack" / "part.py").write_text(f"NUMBER = {said * 10}")
    (folder / "own_late.py").write_text(f"SAID = {said * 100}")
    _forget()
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(folder))
        module = importlib.import_module("own_helper")
        paths = [folder / "own_helper.py", folder / "own_pack", folder / "own_late.py"]
        return module, paths


def _save(folder: Path, to: Path, monkeypatch: pytest.MonkeyPatch, said: int, *, late: bool = False) -> None:
    module, paths = _module(folder, monkeypatch, said, late=late)
    save_model(module.Model(), to, code_paths=paths, requirements=[])
    _forget()


def test_modules_that_came_with_a_model_are_found_and_the_path_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A class in one of them, and a package that this imports; ``sys.path`` is as before, and the model can be pickled again."""
    _save(tmp_path / "a", tmp_path / "m", monkeypatch, 1)
    before = list(sys.path)
    opened = open_folder(tmp_path / "m", trusted=True)
    assert opened.predictor().predict(None) == (1, 10)
    assert sys.path == before
    assert pickle.loads(pickle.dumps(opened.model)).predict(None) == (1, 10)


def test_two_models_with_modules_of_the_same_names_keep_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever order they are opened, and asked afterwards."""
    for said, name in ((1, "a"), (2, "b")):
        _save(tmp_path / name, tmp_path / f"m{said}", monkeypatch, said)
    one, two, again = (open_folder(tmp_path / name, trusted=True) for name in ("m1", "m2", "m1"))
    assert [model.predictor().predict(None) for model in (one, two, again, one)] == [(1, 10), (2, 20), (1, 10), (1, 10)]


def test_the_programs_own_module_stays_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module of the same name with other code is put aside and comes back; one with the same code is used as it is."""
    _save(tmp_path / "a", tmp_path / "m", monkeypatch, 1)
    mine, _ = _module(tmp_path / "b", monkeypatch, 2)
    opened = open_folder(tmp_path / "m", trusted=True)
    assert opened.predictor().predict(None) == (1, 10)
    assert sys.modules["own_helper"] is mine
    assert not isinstance(opened.model, mine.Model)
    same, paths = _module(tmp_path / "c", monkeypatch, 3)
    save_model(same.Model(), tmp_path / "same", code_paths=paths, requirements=[])
    assert isinstance(open_folder(tmp_path / "same", trusted=True).model, same.Model)


@pytest.mark.usefixtures("fresh_ledger")
def test_what_is_imported_as_the_model_is_asked_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Out of the ledger too, whose copy stays; while another model has different code of that name it is refused, and it is found again
    when that one is gone."""
    module, paths = _module(tmp_path / "a", monkeypatch, 1, late=True)
    with start_run(experiment="late") as run:
        logged = run.log_model(module.Model(), "late", code_paths=paths)
    _forget()
    predictor = load_predictor(logged.uri)
    assert predictor.predict(None) == ((1, 100), 10)
    _save(tmp_path / "b", tmp_path / "m", monkeypatch, 2, late=True)
    other = open_folder(tmp_path / "m", trusted=True).predictor()
    with pytest.raises(ImportError, match="2 opened models have different modules 'own_late'"):
        other.predict(None)
    del predictor
    gc.collect()
    assert other.predict(None) == ((2, 200), 20)


@pytest.mark.parametrize("order", [(1, 2), (1, 2, 1), (1, 1, 2), (2, 1, 2, 1)], ids=str)
@pytest.mark.long
def test_what_is_imported_late_is_never_another_models(order: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever were opened before, by paths relative to where the program is too: each answers with its own code, or is refused."""
    monkeypatch.chdir(tmp_path)
    for said in (1, 2):
        _save(tmp_path / f"c{said}", Path(f"m{said}"), monkeypatch, said, late=True)
    opened, answered = {}, 0
    for said in order:
        opened[said] = open_folder(Path(f"m{said}"), trusted=True).predictor()
        gc.collect()
        for own, one in opened.items():
            try:
                assert one.predict(None) == ((own, own * 100), own * 10)
                answered += 1
            except ImportError as error:
                assert "different modules 'own_late'" in str(error)  # noqa: PT017  # either is right, a wrong answer is not
        assert answered
        assert ("own_late" in sys.modules) is (len(opened) == 1)
    del opened[order[0]], one
    gc.collect()
    (said,) = opened
    assert opened[said].predict(None) == ((said, said * 100), said * 10)


def test_what_a_model_that_is_gone_imported_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though Python has it still; and a model that does not open leaves everything as it was."""
    for said in (1, 2):
        _save(tmp_path / f"c{said}", tmp_path / f"m{said}", monkeypatch, said, late=True)
    assert open_folder(tmp_path / "m1", trusted=True).predictor().predict(None) == ((1, 100), 10)
    gc.collect()
    before = sys.modules["own_late"]
    _save(tmp_path / "c3", tmp_path / "broken", monkeypatch, 3)
    sys.modules["own_late"] = before
    (tmp_path / "broken" / "MLmodel").write_text((tmp_path / "broken" / "MLmodel").read_text().replace("sha256:", "sums:"))
    (tmp_path / "broken" / "code" / "own_helper.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(InvalidValue, match="broken"):
        open_folder(tmp_path / "broken", trusted=True)
    assert sys.modules["own_late"] is before
    assert open_folder(tmp_path / "m2", trusted=True).predictor().predict(None) == ((2, 200), 20)


def test_code_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module that raises as it is imported, and one that is missing; nothing of them stays."""
    _save(tmp_path / "a", tmp_path / "m", monkeypatch, 1)
    folder = tmp_path / "m"
    told = (folder / "MLmodel").read_text()
    (folder / "MLmodel").write_text(told[: told.index("\nsha256:")] + told[told.index("\nutc_time") :] if "\nsha256:" in told else told)
    (folder / "code" / "own_pack" / "part.py").write_text("raise RuntimeError('broken')")
    with pytest.raises(InvalidValue, match="RuntimeError: broken"):
        open_folder(folder, trusted=True)
    assert "own_helper" not in sys.modules
    (folder / "code" / "own_helper.py").unlink()
    with pytest.raises(InvalidValue, match="needs the module 'own_helper'"):
        open_folder(folder, trusted=True)


def test_no_name_may_be_given_twice(tmp_path: Path) -> None:
    """Nor the loader's own; and a path of nothing is refused."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own_helper.py").touch()
    (tmp_path / "prefect_ledger_model.py").touch()
    wrong: list[tuple[Any, str]] = [
        ([tmp_path / "a" / "own_helper.py", tmp_path / "b" / "own_helper.py"], "'own_helper.py' twice"),
        ([tmp_path / "prefect_ledger_model.py"], "the loader's own"),
        ([tmp_path / "nowhere"], "there is nothing at"),
        (str(tmp_path / "a"), "is a list of paths"),
    ]
    for paths, message in wrong:
        with pytest.raises(InvalidValue, match=message):
            save_model(lambda data: data, tmp_path / "m", code_paths=paths)
        assert not (tmp_path / "m").exists()
