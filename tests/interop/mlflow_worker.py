"""A program under MLflow's Python: runs pieces of code, one after the other, each in a folder and a namespace of its own.

MLflow takes seconds to import, so the tests of a session share one process. What a piece imports from a model's folder is forgotten after
it. One line of JSON comes in for each piece, one goes out.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What the code assigned to ``answer``, or how it failed."""
    os.chdir(asked["folder"])
    sys.argv[1:] = asked["words"]
    path, before = list(sys.path), set(sys.modules)
    namespace: dict[str, Any] = {"__name__": "__main__"}
    try:
        exec(compile(asked["code"], "<asked>", "exec"), namespace)
        return {"answer": json.loads(json.dumps(namespace["answer"]))}
    except BaseException:  # noqa: BLE001  # the one who asked is told
        return {"failed": traceback.format_exc()}
    finally:
        sys.path[:] = path
        installed = (sys.prefix, sys.base_prefix)
        for name in set(sys.modules) - before:
            if not (getattr(sys.modules[name], "__file__", None) or sys.prefix).startswith(installed):
                del sys.modules[name]


def main() -> None:
    """Until standard input ends."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what code prints is no reply
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
