"""A Python that has imported what programs need, and is forked for each: Prefect alone takes seconds to import."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.services_real.processes import dies_with_us

# The child leaves the loop and ends as a program does: with its exit handlers, its threads and its traceback.
_PARENT = r"""
import gc, importlib, json, os, runpy, signal, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
gc.freeze()
sys.stdout.write("ready\n"); sys.stdout.flush()
told = sys.stdout.fileno()
for line in iter(sys.stdin.readline, ""):
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    _, status = os.waitpid(child, 0)
    os.write(told, f"{os.waitstatus_to_exitcode(status)}\n".encode())
else:
    sys.exit()
signal.alarm(asked["timeout"])
for number, path in ((1, asked["out"]), (2, asked["err"])):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
sys.argv = [asked["script"]]
sys.path[0] = os.path.dirname(asked["script"])
runpy.run_path(asked["script"], run_name="__main__")
"""


class Nursery:
    """Runs programs in forks of one process; see :func:`nursery`."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._answer()

    def run(self, script: Path, *, cwd: Path, env: Mapping[str, str], timeout: int) -> subprocess.CompletedProcess[str]:
        """Run a program to its end, in seconds at most: then it is killed, and says so by the code of that signal."""
        out, err = (Path(tempfile.mkstemp(dir=self._folder)[1]) for _ in range(2))
        asked = {"script": str(script), "cwd": str(cwd), "env": dict(env), "timeout": timeout, "out": str(out), "err": str(err)}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        code = int(self._answer())
        return subprocess.CompletedProcess([str(script)], code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the process that is to be forked has ended"
        return answer


@contextlib.contextmanager
def nursery(imports: Sequence[str], *, options: Sequence[str] = (), env: Mapping[str, str]) -> Iterator[Nursery]:
    """A process that has imported these modules, with Python's ``options`` and an environment that its programs may add to."""
    command = [*dies_with_us(), sys.executable, *options, "-c", _PARENT, *imports]
    with (
        tempfile.TemporaryDirectory(prefix="ledger-nursery-") as folder,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(env)) as process,
    ):
        try:
            yield Nursery(process, Path(folder))
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)
