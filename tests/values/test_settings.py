"""Settings: who wins, what is refused with which words, and that no password is shown."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefect_ledger.database import Database
from prefect_ledger.errors import InvalidSettings, StoreUnavailable
from prefect_ledger.settings import Settings, shown_url

SECRET = "hunter2secret"


def resolve(folder: Path | str = "/", environ: dict[str, str] | None = None, **given: Any) -> Settings:
    """Settings that see nothing of this machine."""
    return Settings.resolve(environ=environ or {"PREFECT_HOME": "/p"}, folder=folder, **given)


def store(url: str) -> Settings:
    return resolve(home="/l", store_url=url)


# --- who wins -------------------------------------------------------------------------------------------------------


def test_the_order_of_precedence(tmp_path: Path) -> None:
    """Argument, environment, prefect.toml, pyproject.toml, default; the origin says which one won."""
    environ = {"PREFECT_HOME": str(tmp_path / "p")}
    assert resolve(tmp_path, environ).home == tmp_path / "p" / "ledger"
    steps = [
        ("pyproject.toml [tool.prefect.integrations.ledger]", "/five"),
        ("prefect.toml [integrations.ledger]", "/four"),
        ("environment PREFECT_LEDGER_HOME", "/three"),
        ("argument", "/two"),
    ]
    given: dict[str, Any] = {}
    for source, value in steps:
        if source.startswith("pyproject"):
            (tmp_path / "pyproject.toml").write_text(f'[tool.prefect.integrations.ledger]\nhome = "{value}"\ncapture_git = false\n')
        elif source.startswith("prefect"):
            (tmp_path / "prefect.toml").write_text(f'[integrations.ledger]\nhome = "{value}"\n')
        elif source == "argument":
            given["home"] = value
        else:
            environ["PREFECT_LEDGER_HOME"] = value
        found = resolve(tmp_path, environ, **given)
        assert (str(found.home), found.origin["home"]) == (value, source)
        assert found.store_url == f"sqlite:///{value}/ledger.db"
        assert found.origin["store_url"] == "default"
        assert (found.capture_git, found.capture_packages) == (False, True)


def test_an_empty_variable_is_no_setting() -> None:
    """A variable that is set to nothing leaves the default."""
    assert resolve(environ={"PREFECT_LEDGER_HOME": "", "PREFECT_HOME": "/p"}).home == Path("/p/ledger")


def test_relative_and_user_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path is that of the folder it was read in, and stays so when the process changes folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    found = resolve(tmp_path, home="l", artifact_root="~/a", store_url="sqlite:///x/../l.db")
    assert found.home == tmp_path / "l"
    assert found.artifact_root == str(tmp_path / "me" / "a")
    assert found.store_url == f"sqlite:///{tmp_path}/l.db"
    assert resolve(artifact_root="s3://bucket/p/").artifact_root == "s3://bucket/p"
    assert resolve(home=tmp_path).home == tmp_path


def test_files_that_are_not_there_or_not_files_are_passed_over(tmp_path: Path) -> None:
    """A folder called prefect.toml, and tables of other shapes, say nothing."""
    (tmp_path / "prefect.toml").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.prefect]\nintegrations = "none"\n')
    assert resolve(tmp_path).origin["home"] == "default"
    assert resolve(tmp_path / "nowhere").origin["home"] == "default"


# --- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"store_ulr": "x"}, ["store_ulr", "store_url"]),
        ({"store_url": "mysql://u@h/d"}, ["argument", "mysql", "sqlite:////"]),
        ({"store_url": "ledger.db"}, ["argument"]),
        ({"store_url": "sqlite://"}, ["argument", "file"]),
        ({"store_url": "sqlite:///:memory:"}, ["argument", "file"]),
        ({"store_url": "sqlite:////tmp/l.db?mode=ro"}, ["argument", "?"]),
        ({"store_url": "postgresql+asyncpg://h/d"}, ["argument"]),
        ({"store_url": "postgresql://u:p@w@h/d"}, ["argument", "%40"]),
        ({"home": "/tmp/a\0b"}, ["home", "argument", "NUL"]),
        ({"journal_root": "/tmp/\0"}, ["journal_root", "NUL"]),
        ({"store_url": "sqlite:////tmp/\0"}, ["store_url", "NUL"]),
        ({"artifact_root": "a\0"}, ["artifact_root", "NUL"]),
        ({"home": "/tmp/what?"}, ["?"]),
        ({"home": "~nobody-of-this-name/l"}, ["home", "nobody-of-this-name"]),
        ({"home": 5}, ["home", "int"]),
        ({"store_url": ["sqlite:////x.db"]}, ["store_url", "list"]),
        ({"capture_git": "perhaps"}, ["capture_git", "perhaps", "true or false"]),
        ({"capture_git": 3.5}, ["capture_git", "float"]),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(given: dict[str, Any], words: list[str]) -> None:
    """The message says what, where from and what to write instead."""
    with pytest.raises(InvalidSettings) as caught:
        resolve(**given)
    assert all(word in str(caught.value) for word in words), caught.value


def test_variables_to_record_are_names() -> None:
    """As text with commas, each once; what is none is refused by name."""
    given: dict[str, Any] = {"home": "/tmp/l", "environ": {}, "folder": "/"}
    assert Settings.resolve(**given, capture_variables="SITE, RACK_2,,SITE").capture_variables == ("SITE", "RACK_2")
    with pytest.raises(InvalidSettings, match=r"capture_variables \(from argument\): '2X'"):
        Settings.resolve(**given, capture_variables=["SITE", "2X"])


def test_a_file_that_does_not_parse_is_named(tmp_path: Path) -> None:
    """Broken TOML, broken UTF-8 and values of other types are refused with the file's name."""
    for text in (b"[integrations.ledger\n", b"home = '\xff'\n", b"[integrations.ledger]\nhome = 3\n"):
        (tmp_path / "prefect.toml").write_bytes(text)
        with pytest.raises(InvalidSettings, match=r"prefect\.toml"):
            resolve(tmp_path)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system knows no home folder the message names the variable."""

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(InvalidSettings, match="PREFECT_LEDGER_HOME"):
        resolve(environ={"PREFECT_LEDGER_X": "1"})
    assert resolve(environ={"PREFECT_LEDGER_X": "1"}, home="/l").home == Path("/l")


@pytest.mark.parametrize(
    "folder", ["with space", "per%20cent", "hash#tag", "é\U0001f600", "quote'\"", "a;b", "-dash", "new\nline", "@at:colon"]
)
def test_a_home_of_any_name_holds_a_working_store(tmp_path: Path, folder: str) -> None:
    """Folders with characters that mean something in a URL or a shell hold the database that was meant."""
    found = resolve(home=str(tmp_path / folder))
    database = Database(found.store_url)
    database.prepare()
    database.close()
    assert (tmp_path / folder / "ledger.db").stat().st_size > 0
    assert found.journal_folder.is_relative_to(tmp_path / folder)


def test_a_path_that_is_no_utf8_has_a_journal_folder() -> None:
    """A folder whose name came from the environment as bytes of another encoding can be used."""
    found = resolve(environ={"PREFECT_LEDGER_HOME": os.fsdecode(b"/tmp/caf\xe9"), "PREFECT_HOME": "/p"})
    assert os.fsencode(found.journal_folder).startswith(b"/tmp/caf\xe9/journals/")


# --- what is shown --------------------------------------------------------------------------------------------------------


HIDING = [
    f"postgresql://ann:{SECRET}@db/ledger",
    f"postgresql://ann:{SECRET}@db:5432/ledger?sslmode=require",
    f"postgresql://ann:pre%40{SECRET}@db/ledger",
    f"postgresql://ann:{SECRET}/more@db/ledger",
    f"postgresql://ann:{SECRET}:more@db/ledger",
    f"postgresql://:{SECRET}@db/ledger",
    f"postgresql://db/ledger?user=ann&password={SECRET}",
    f"postgresql://db/ledger?sslpassword={SECRET}&host=x",
    f"postgresql://db/ledger?password=a@{SECRET}",
]


@pytest.mark.parametrize("url", HIDING)
def test_no_password_is_shown(url: str) -> None:
    """Wherever a URL holds the password, what is shown, the repr of errors and the messages of the database hide it."""
    shown = shown_url(url)
    assert "db" in shown
    said = [shown]
    with contextlib.suppress(InvalidSettings):
        found = store(url)
        said += [found.shown_store_url, str(found.journal_folder)]
        with pytest.raises((InvalidSettings, StoreUnavailable)) as caught:
            Database(found.store_url.replace("@db", "@127.0.0.1:1").replace("//db", "//127.0.0.1:1")).version()
        said.append(str(caught.value))
    assert not any(SECRET in text for text in said)


@pytest.mark.parametrize(
    "url", [f"postgresql:ann:{SECRET}@h/d", f"mysql://u:{SECRET}@h/d", f" ://{SECRET}", f"postgresql://u:p?{SECRET}@h/d"]
)
def test_what_does_not_parse_is_not_quoted(url: str) -> None:
    """A store_url that is no URL may hold a password anywhere: at most the word it begins with is shown."""
    with pytest.raises(InvalidSettings) as caught:
        store(url)
    assert SECRET not in str(caught.value)


# --- journals -------------------------------------------------------------------------------------------------------------


SAME = [
    "postgresql://db.example/ledger",
    "postgres://db.example/ledger",
    "postgresql+psycopg://DB.example:5432/ledger",
    f"postgresql://ann:{SECRET}@db.example/ledger",
    "postgresql://bob@db.example:5432/ledger?sslmode=require&connect_timeout=3",
    "postgresql://db.example/ledger?user=ann&password=x",
]


def test_one_store_has_one_journal_folder() -> None:
    """Other credentials, drivers, spellings and ways to connect find the journals of the same store."""
    assert len({store(url).journal_folder for url in SAME}) == 1
    assert len({store(url).journal_folder for url in ("sqlite:////a/b.db", "sqlite+pysqlite:////a/./c/../b.db")}) == 1


def test_each_store_has_a_journal_folder_of_its_own() -> None:
    """What was meant for one store is never drained into another."""
    urls = [
        "sqlite:////a/b.db",
        "sqlite:////a/c.db",
        "postgresql://db/ledger",
        "postgresql://db/other",
        "postgresql://db:5433/ledger",
        "postgresql://db2/ledger",
        "postgresql://db/ledger?options=-csearch_path%3Da",
        "postgresql://db/ledger?options=-csearch_path%3Db",
        "postgresql:///ledger?host=/run/pg",
        "postgresql://[::1]:5432/ledger",
    ]
    assert len({store(url).journal_folder for url in urls}) == len(urls)


@given(st.text(max_size=60))
def test_any_text_is_a_setting_or_refused_in_our_words(text: str) -> None:
    """Whatever stands in a variable: settings that can be used, or InvalidSettings; nothing else is raised."""
    for name in ("STORE_URL", "HOME", "ARTIFACT_ROOT", "JOURNAL_ROOT", "CAPTURE_GIT"):
        for value in (text, f"sqlite:///{text}", f"postgresql://{text}"):
            try:
                found = resolve(environ={f"PREFECT_LEDGER_{name}": value, "PREFECT_HOME": "/p"})
            except InvalidSettings:
                continue
            assert found.journal_folder.is_absolute()
            assert isinstance(found.shown_store_url, str)
