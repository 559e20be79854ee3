"""One page a file: ``show()`` puts together what ``data`` finds, ``charts`` draws and ``parts`` have in common."""

from __future__ import annotations
