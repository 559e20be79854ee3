"""Floor 6. Files that a command writes its report to, for pull requests and pipelines; also where it refuses, or ends with an error."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from prefect_ledger.errors import InvalidValue, LedgerError
from prefect_ledger.formats import clean

Write = Callable[[str, str], None]


@dataclass(frozen=True)
class ReportFiles:
    """Where a report goes; nowhere if not said."""

    report: Annotated[Path | None, Parameter(help="Write the report to this file, as Markdown.")] = None
    junit: Annotated[Path | None, Parameter(help="Write it to this file, as JUnit's XML.")] = None

    @contextlib.contextmanager
    def opened(self, about: str) -> Iterator[Write]:
        """What writes both texts. What stood there before is gone from the beginning on, so that nobody takes it for this one's; where the
        block raises an error of ours, the report says that.

        Raises:
            InvalidValue: a file cannot stand there.
        """
        for file in (self.report, self.junit):
            _clear(file)
        try:
            yield self._write
        except LedgerError as error:
            self._write(f"### {_plain(about)}: error\n\n{_plain(error)}\n", _junit(about, clean(error)))
            raise

    def _write(self, markdown: str, junit: str) -> None:
        for file, text in ((self.report, markdown), (self.junit, junit)):
            if file is not None:
                file.write_text(text, encoding="utf-8")


def _clear(file: Path | None) -> None:
    if file is None:
        return
    if not file.parent.is_dir():
        raise InvalidValue(f"{file} cannot be written: there is no folder {file.parent}")
    if not os.access(file.parent, os.W_OK):
        raise InvalidValue(f"{file} cannot be written: the folder {file.parent} lets nobody write")
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise InvalidValue(f"{file} cannot be written: {error.strerror}") from None


def _plain(text: object) -> str:
    """On one line, and nothing that Markdown or HTML would take for their own."""
    from prefect_ledger.promotion.report import escaped

    return escaped(clean(text))


def _junit(about: str, said: str) -> str:
    from xml.etree import ElementTree

    from prefect_ledger.promotion.report import in_xml

    about, said = in_xml(about), in_xml(said)
    suite = ElementTree.Element("testsuite", name=about, tests="1", failures="0", errors="1", skipped="0")
    case = ElementTree.SubElement(suite, "testcase", classname="promotion.result", name=about)
    ElementTree.SubElement(case, "error", message=said[:1_000]).text = said
    ElementTree.indent(suite)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suite, encoding="unicode") + "\n"


NO_FILES = ReportFiles()
Reported = Annotated[ReportFiles, Parameter(name="*")]
