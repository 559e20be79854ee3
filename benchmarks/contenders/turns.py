"""Contenders asked in turns, and the rows that come of their answers: ours beside each of them."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.contenders.asking import OURS, PEERS, Asked, NotSo, Peer, started
from benchmarks.measure import Absent, Row, Sample, Work

Found = dict[str, list[Any] | NotSo]
Question = Callable[[Asked], Any]


def there(work: Work, *names: str) -> tuple[list[Peer], list[Absent]]:
    """Ours and the named peers, or all, and those that are not installed; ours alone where the benchmarks are tested."""
    wanted = [peer for peer in PEERS if not names or peer.name in names] if work.divisor == 1 else []
    return [OURS, *(peer for peer in wanted if not peer.missing())], [
        Absent(f"beside {peer.name}", peer.missing()) for peer in wanted if peer.missing()
    ]


@contextlib.contextmanager
def opened(folder: Path, peers: list[Peer]) -> Iterator[list[Asked]]:
    """Their processes, each with an open store. One that cannot open has no answers either, and is told as absent then."""
    with contextlib.ExitStack() as ends:
        all_asked = [ends.enter_context(started(peer, place_of(folder, peer))) for peer in peers]
        for asked in all_asked:
            with contextlib.suppress(*() if asked.peer is OURS else (NotSo,)):
                asked.ask("open", folder=str(asked.folder), patience=120)
        yield all_asked


def place_of(folder: Path, peer: Peer) -> Path:
    """A folder for its things, made when it is not there."""
    place = folder / "".join(filter(str.isalnum, peer.name))
    place.mkdir(exist_ok=True)
    return place


def in_turns(times: int, all_asked: list[Asked], question: Question) -> Found:
    """The answers of each, A B C B C A; whoever has none is not asked again."""
    found: Found = {asked.peer.name: [] for asked in all_asked}
    for turn in range(times):
        first = turn % len(all_asked)
        for asked in all_asked[first:] + all_asked[:first]:
            answers = found[asked.peer.name]
            if isinstance(answers, list):
                try:
                    answers.append(question(asked))
                except NotSo as why:
                    found[asked.peer.name] = why
    return found


def rows(
    what: str,
    unit: str,
    found: Found,
    pick: Callable[[Any], float] = float,
    *,
    more: bool = False,
    limit: float | None = None,
    note: str = "",
) -> Iterator[Row | Absent]:
    """A row for each peer, ours in all of them.

    Raises:
        NotSo: ours has no answer.
    """
    ours, others = found[OURS.name], {name: answers for name, answers in found.items() if name != OURS.name}
    if isinstance(ours, NotSo):
        raise ours
    mine = Sample.of([pick(answer) for answer in ours])
    if not others:
        yield Row(what, mine, unit, limit=limit, more=more, note=note)
    for name, answers in others.items():
        if not isinstance(answers, NotSo):
            yield Row(what, mine, unit, Sample.of([pick(answer) for answer in answers]), name, limit, more, note=note)
        elif answers.failed:
            yield Absent(f"{what}, beside {name}", str(answers))
        else:
            yield Row(what, mine, unit, None, name, limit, more, note=str(answers))


def asking(verb: str, **more: Any) -> Question:
    """The question that is the same for all."""
    return lambda asked: asked.ask(verb, **more)


def warm(all_asked: list[Asked], question: Question) -> Question:
    """The question, once asked: what is imported and cached at the first time is the same for all."""
    in_turns(1, all_asked, question)
    return question
