"""Floor 4. A rehearsal: a process of its own opens a model first, and asks it, where damage could end this one.

Some frameworks believe what a file says of itself, and a damaged one has them read memory that is not theirs. No error comes of that which
could be caught: the process is gone. So it is another process, that has nothing to lose.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

from prefect_ledger.errors import InvalidValue

_SECONDS, _PACE = 60.0, 1 << 20  # for any file, and bytes of one for which there is a second more
# What a model raises in words it raises here once more: only how the process ends is looked at. It leaves no core, and does not outlive
# its time, though this process should be killed meanwhile.
_CHILD = """
import json, sys
told = json.loads(sys.argv[1])
sys.path[:] = told["path"]
try:
    import resource, signal
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(told["seconds"])
except ImportError:
    pass
from contextlib import suppress
from pathlib import Path
from prefect_ledger.models import examples, opening
with suppress(Exception):
    opened = opening.open_folder(Path(told["folder"]), trusted=told["trusted"], rehearsed=True)
    with suppress(Exception):
        if (data := opened.flavor.made_up(opened.model)) is not None:
            opened.flavor.predictor(opened.model, opened.entry, opened.folder)(data, {})
    if opened.file.example:
        opened.predictor().predict(*examples.read(opened.folder, opened.file.example))
"""


def check(folder: Path, file: Path, *, trusted: bool) -> None:
    """Have another process open the model in ``folder``, whose ``file`` may be damaged.

    Raises:
        InvalidValue: that process did not live to its end, or could not be started.
    """
    seconds = _SECONDS + file.stat().st_size / _PACE
    told = {"folder": str(folder.absolute()), "trusted": trusted, "path": sys.path, "seconds": int(seconds) + 1}
    try:
        done = subprocess.run(  # which ends it where it takes too long
            [sys.executable, "-c", _CHILD, json.dumps(told)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        ended = f"did not end within {seconds:.0f} seconds"
    except OSError as error:
        raise InvalidValue(
            f"{file} is not opened: without a digest in MLmodel it is tried in a process of its own first, and none could be started "
            f"({error.strerror})"
        ) from error
    else:
        if not done.returncode:
            return
        ended = f"ended with {_words(done.returncode, done.stderr)}"
    raise InvalidValue(
        f"{file} is not opened: a process that was to open it first {ended}, so it is damaged, most likely. Copy it again from where it "
        f"was saved, or save the model anew"
    )


def _words(code: int, said: bytes) -> str:
    """How a process ended: by which signal, or with its last words."""
    if code < 0:
        return signal.strsignal(-code) or f"signal {-code}"
    return f"{code} ({(said.decode(errors='replace').strip().splitlines() or [''])[-1]:.300})"
