"""Floor 4. YAML of strangers: read as plain values, in time and memory that its own length bounds.

An alias is a part of the text that counts again: eight lines of them can stand for more values than there is memory. Numbers in parts of
sixty, such as ``59:59:59``, are texts here, as in YAML 1.2; taken as numbers, long ones would be computed for hours.
"""

from __future__ import annotations

from typing import Any

from prefect_ledger.errors import InvalidValue

REPEATED = 1 << 20  # characters and values that aliases may add to a text: those of a dumper that saw one list twice are few
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def load(data: bytes) -> Any:
    """The values that ``data`` says.

    Raises:
        InvalidValue: it is no YAML, or its aliases stand for too much.

    Example:
        >>> load(b"flavors: {sklearn: {code: null}}\\ntime: 10:30")
        {'flavors': {'sklearn': {'code': None}}, 'time': '10:30'}
    """
    import yaml

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(data)
    try:
        node = loader.get_single_node()
        _check(node)
        return None if node is None else loader.construct_document(node)
    except InvalidValue:
        raise
    except Exception as error:  # a tag whose text is none of its kind makes PyYAML stumble in many ways: AttributeError, KeyError, ...
        raise InvalidValue(f"is no YAML: {str(error)[:300]}") from error
    finally:
        loader.dispose()


def _check(root: Any) -> None:
    """Refuse aliases that stand for too much; a number in parts of sixty becomes a text."""
    weights: dict[int, int | None] = {}  # None: what stands for it is being added up
    own, waiting = 0, [root] if root is not None else []
    while waiting:
        node = waiting[-1]
        parts = _parts(node)
        if id(node) not in weights:
            weights[id(node)] = None
            own += _own(node)
            waiting += [part for part in parts if id(part) not in weights]
            continue
        waiting.pop()
        if weights[id(node)] is None:
            weights[id(node)] = _own(node) + sum(_known(weights[id(part)]) for part in parts)
    if root is not None and _known(weights[id(root)]) - own > REPEATED:
        raise InvalidValue(f"has aliases that stand for more than {REPEATED:,} further values: write them out, or leave them out")


def _known(weight: int | None) -> int:
    if weight is None:
        raise InvalidValue("has an alias that stands for a part of itself: no value is such")
    return weight


def _parts(node: Any) -> list[Any]:
    if node.id == "mapping":
        return [part for pair in node.value for part in pair]
    return node.value if node.id == "sequence" else []


def _own(node: Any) -> int:
    if node.id != "scalar":
        return 1
    if ":" in node.value and node.tag in _NUMBERS:
        node.tag = "tag:yaml.org,2002:str"
    return 1 + len(node.value)
