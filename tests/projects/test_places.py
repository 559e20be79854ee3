"""Where projects come from: nothing of a place is run to get it, and nothing leaves the folder it is put in."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from prefect_ledger.errors import InvalidValue, ProjectInvalid, ProjectNotFound
from prefect_ledger.projects import archives, opening, places, reading
from tests.projects.conftest import Write, git, repository


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c 'touch owned'",
        "git+ext::sh -c id",
        "fd::7",
        "-oProxyCommand=touch owned",
        "--upload-pack=touch owned",
        "ssh://-oProxyCommand=x/y",
        "ssh://-x@host/y",
        "https://host/-y",
        "http://host/y",
        "git://host/y",
        "ftp://host/x.zip",
        "https://host",
        "file://relative/x",
        "",
        "a\nb",
    ],
)
def test_what_git_would_run_or_read_wrongly_is_refused(text: str) -> None:
    """Before git is asked anything."""
    with pytest.raises(InvalidValue):
        places.parse(text)


@pytest.mark.parametrize("subfolder", ["../x", "a/../../x", "/etc", ".git/hooks", "a\\b"])
def test_a_folder_of_a_project_lies_in_it(subfolder: str) -> None:
    """``#`` leads from the top of the project down."""
    with pytest.raises(InvalidValue, match="leads out"):
        places.parse(f"https://host/group/project#{subfolder}")


def test_credentials_of_a_url_go_to_git_alone() -> None:
    """What may be recorded has none, and neither has the address that the copy is kept under."""
    place = places.parse("git+https://bob:hunter2@host/group/project.git#sub")
    assert (place.url, place.shown) == ("https://host/group/project.git", "https://host/group/project.git#sub")
    assert place.login == "bob:hunter2"
    assert places.parse("ssh://git@host/x/y").url == "ssh://git@host/x/y"
    assert places.parse("git@host:x/y.git").url == "git@host:x/y.git"


@pytest.fixture
def versions(project: Write, tmp_path: Path) -> Path:
    """A repository with a tag, a branch, and a main that went on, in a folder of which a project is a part."""
    folder = tmp_path / "repository"
    project("repository", sub__MLproject="name: one\nentry_points: {main: {command: echo one}}\n")
    repository(folder)
    git(folder, "tag", "v1")
    git(folder, "checkout", "-q", "-b", "trial")
    project("repository", sub__MLproject="name: two\n")
    git(folder, "commit", "-q", "-a", "-m", "second")
    git(folder, "checkout", "-q", "main")
    project("repository", sub__MLproject="name: three\n")
    git(folder, "commit", "-q", "-a", "-m", "third")
    return folder


def test_a_repository_is_had_at_a_tag_a_branch_and_a_commit(versions: Path, tmp_path: Path) -> None:
    """And at what it has checked out, where no version is asked for; the copies are gone afterwards."""
    place = places.parse(f"git+file://{versions}#sub")
    sha = git(versions, "rev-parse", "v1")
    for version, name, branch in [
        ("v1", "one", ""),
        ("trial", "two", "trial"),
        (sha, "one", ""),
        (sha[:9], "one", ""),
        (None, "three", ""),
    ]:
        with opening.opened(place, version, home=tmp_path / "home") as found:
            assert reading.load(found.folder).name == name
            assert found.branch == branch
            assert git(found.folder, "rev-parse", "HEAD") == found.commit
            assert git(found.folder, "remote", "get-url", "origin") == f"file://{versions}"
        assert not found.folder.exists()


def test_a_folder_of_a_repository_has_versions_too(versions: Path, tmp_path: Path) -> None:
    """The working tree stays as it is; the version is a copy."""
    with opening.opened(places.parse(versions / "sub"), "v1", home=tmp_path / "home") as found:
        assert reading.load(found.folder).name == "one"
        assert found.folder != versions / "sub"
    with opening.opened(places.parse(versions / "sub"), home=tmp_path / "home") as found:
        assert found.folder == versions / "sub"
        assert found.commit == git(versions, "rev-parse", "main")


@pytest.mark.parametrize("version", ["v2", "0" * 40, "deadbeef"])
def test_a_version_that_is_not_there_is_said(version: str, versions: Path, tmp_path: Path) -> None:
    """With the repository and the version; nothing is left behind."""
    with (
        pytest.raises(ProjectNotFound, match="no branch, tag or commit"),
        opening.opened(places.parse(f"git+file://{versions}"), version, home=tmp_path / "home"),
    ):
        pass


@pytest.mark.parametrize("version", ["--upload-pack=x", "a..b", "x@{1}", "a b", "", "v1^{}", "$(id)"])
def test_a_version_that_git_would_take_for_more_is_refused(version: str, versions: Path, tmp_path: Path) -> None:
    """Options, ranges and expressions are no versions."""
    with (
        pytest.raises(InvalidValue, match="a version is"),
        opening.opened(places.parse(f"git+file://{versions}"), version, home=tmp_path / "home"),
    ):
        pass


def test_a_repository_that_is_not_there_is_said_with_gits_words(tmp_path: Path) -> None:
    """As a project that is not found, whatever git says of it."""
    with (
        pytest.raises(ProjectNotFound, match="cannot be fetched"),
        opening.opened(places.parse(f"git+file://{tmp_path}/no"), home=tmp_path),
    ):
        pass


def test_nothing_of_a_repository_runs_while_it_is_had(versions: Path, tmp_path: Path) -> None:
    """Hooks, filters that its attributes name, and submodules of whatever protocol stay words in files."""
    owned = tmp_path / "owned"
    hook = versions / ".git/hooks/post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {owned}\n")
    hook.chmod(0o755)
    (versions / ".gitattributes").write_text("* filter=evil\n")
    (versions / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = x\n\turl = ext::sh -c "touch {owned}"\n')
    git(versions, "config", "filter.evil.smudge", f"touch {owned}")
    git(versions, "add", ".gitattributes", ".gitmodules")
    owned.unlink(missing_ok=True)
    git(versions, "commit", "-q", "-m", "evil")
    owned.unlink(missing_ok=True)
    with opening.opened(places.parse(f"git+file://{versions}"), home=tmp_path / "home") as found:
        assert (found.folder / ".gitmodules").exists()
    assert not owned.exists()


def test_a_folder_without_versions_says_so(project: Write, tmp_path: Path) -> None:
    """Neither a folder outside of a repository nor an archive has any."""
    folder = project(main_py="")
    archives.pack(folder, tmp_path / "x.zip")
    for place, words in ((folder, "in no git repository"), (tmp_path / "x.zip", "has no versions")):
        with pytest.raises(InvalidValue, match=words), opening.opened(places.parse(place), "v1", home=tmp_path / "home"):
            pass


# --- archives -----------------------------------------------------------------------------------------------------------


def _zip(path: Path, *members: tuple[str, bytes], mode: int = 0o100644) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            member = zipfile.ZipInfo(name)
            member.external_attr, member.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return path


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "C:/x", "a\\..\\x", "//x"])
def test_names_that_leave_an_archive_are_refused(name: str, tmp_path: Path) -> None:
    """Nothing at all is unpacked then."""
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ProjectInvalid):
        archives.unpack(_zip(tmp_path / "x.zip", ("good.py", b""), (name, b"x")), target)
    assert list(target.iterdir()) == []
    assert not (tmp_path / "x").exists()


def test_links_in_an_archive_are_refused(tmp_path: Path) -> None:
    """A link is a way out."""
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ProjectInvalid, match="is a link"):
        archives.unpack(_zip(tmp_path / "x.zip", ("link", b"/etc/passwd"), mode=stat.S_IFLNK | 0o777), target)


def test_bombs_are_refused_by_what_they_say_and_by_what_they_do(tmp_path: Path) -> None:
    """One that says its size is not begun; one that lies about it is stopped; names that are one on other systems are two no more."""
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ProjectInvalid, match="no project is packed so"):
        archives.unpack(_zip(tmp_path / "a.zip", ("big", b"\0" * (64 << 20))), target)
    lying = (
        _zip(tmp_path / "b.zip", ("big", b"\0" * 100_000)).read_bytes().replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    )
    (tmp_path / "b.zip").write_bytes(lying)
    with pytest.raises(ProjectInvalid, match="cannot be unpacked"):
        archives.unpack(tmp_path / "b.zip", target)
    with pytest.raises(ProjectInvalid, match="twice"):
        archives.unpack(_zip(tmp_path / "c.zip", ("a.py", b""), ("A.py", b"")), target)
    (tmp_path / "d.zip").write_bytes(b"no zip")
    with pytest.raises(ProjectInvalid, match="cannot be unpacked"):
        archives.unpack(tmp_path / "d.zip", target)


def test_what_is_packed_is_what_git_keeps_and_comes_back_whole(project: Write, tmp_path: Path) -> None:
    """Ignored files stay out, new ones are in, programs stay programs, and the same files make the same bytes."""
    folder = project(MLproject="name: x", data__rows_csv="1\n", secret_env="KEY=1", run_sh="#!/bin/sh\n", _gitignore="*.env\n")
    (folder / "run.sh").chmod(0o755)
    (folder / ".gitignore").write_text("*.env\n")
    repository(folder)
    project(new_py="")
    assert archives.pack(folder, tmp_path / "one.zip") == archives.pack(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    with opening.opened(places.parse(tmp_path / "one.zip"), home=tmp_path / "home") as found:
        names = {path.relative_to(found.folder).as_posix() for path in found.folder.rglob("*") if path.is_file()}
        assert {"MLproject", "data/rows.csv", "run.sh", "new.py"} <= names
        assert "secret.env" not in names
        assert (found.folder / "run.sh").stat().st_mode & 0o100


def test_links_out_are_not_packed(project: Write, tmp_path: Path) -> None:
    """Whoever packs is told of each, and no archive is written."""
    folder = project(main_py="")
    (folder / "data").symlink_to("/etc/passwd")
    (folder / "inside.py").symlink_to("main.py")
    with pytest.raises(ProjectInvalid, match="data: leads out"):
        archives.pack(folder, tmp_path / "x.zip")
    assert not (tmp_path / "x.zip").exists()
    (folder / "data").unlink()
    assert archives.pack(folder, tmp_path / "x.zip") == 2
