"""Floor 4. What pipelines of Hugging Face are asked and answer: texts in, a row for each of them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.frames import as_pandas, pandas

_PAIR = ("text", "text_pair")  # a classifier may compare two texts
_ROWS: Mapping[str, tuple[str, ...]] = {  # where an answer is one row, and its columns
    "text-classification": ("label", "score"),
    "text-generation": ("generated_text",),
    "zero-shot-classification": ("sequence", "labels", "scores"),
}
# Of what a pipeline can be called with, what fetches, runs or starts something.
_CLOSED = frozenset(
    "custom_generate trust_remote_code assistant_model assistant_tokenizer tokenizer model config num_workers token revision "
    "generation_config streamer logits_processor stopping_criteria cache_dir".split()
)


def check_params(params: Mapping[str, Any]) -> None:
    """Refuse parameters that would have a pipeline run or fetch code.

    Raises:
        InvalidValue: one would.
    """
    for name, value in params.items():
        if name in _CLOSED:
            raise InvalidValue(f"the parameter {name!r} is not passed on to a pipeline: it could run or fetch what is not the model's")
        if isinstance(value, Mapping):
            check_params(value)


def parse(data: Any, *, pairs: bool) -> tuple[list[Any], Any]:
    """Texts as a pipeline takes them, and the index of the frame they were in; ``pairs``: two columns may be pairs of texts.

    Raises:
        InvalidValue: these are no texts; the message says which, and what is wanted.

    Example:
        >>> parse("yes", pairs=False)
        (['yes'], None)
        >>> parse({"text": ["a", "b"], "text_pair": ["c", "d"]}, pairs=True)[0]
        [{'text': 'a', 'text_pair': 'c'}, {'text': 'b', 'text_pair': 'd'}]
    """
    index = None
    if (frame := as_pandas(data)) is not None:
        data, index = {str(name): frame[name].tolist() for name in frame.columns}, frame.index
    elif hasattr(data, "tolist") and hasattr(data, "dtype"):
        data = data.ravel().tolist() if data.ndim < 2 or data.shape[1:] == (1,) else data.tolist()
    if isinstance(data, Mapping):
        data = _of_columns({name: one if isinstance(one, list | tuple) else [one] for name, one in data.items()}, pairs=pairs)
    elif isinstance(data, str):
        data = [data]
    elif not isinstance(data, list | tuple):
        raise InvalidValue(f"a pipeline is asked with texts: one, a list, or a column of them, not {type(data).__name__}")
    return [_text(one, place, pairs=pairs) for place, one in enumerate(data)], index


def _of_columns(columns: Mapping[Any, Any], *, pairs: bool) -> list[Any]:
    if pairs and set(columns) == set(_PAIR) and len({len(one) for one in columns.values()}) == 1:
        return [dict(zip(_PAIR, both, strict=True)) for both in zip(*(columns[name] for name in _PAIR), strict=True)]
    if len(columns) != 1:
        wanted = "one column of texts" + (", or the columns 'text' and 'text_pair'" if pairs else "")
        raise InvalidValue(f"a pipeline is asked with {wanted}, not with the columns {', '.join(map(str, columns))[:200] or '(none)'}")
    return list(next(iter(columns.values())))


def _text(one: Any, place: int, *, pairs: bool) -> Any:
    if isinstance(one, Mapping) and len(one) == 1:
        one = next(iter(one.values()))
    if isinstance(one, str):
        return one
    if pairs and isinstance(one, Mapping) and set(one) == set(_PAIR) and all(isinstance(part, str) for part in one.values()):
        return dict(one)
    raise InvalidValue(f"text {place} is {f'a {type(one).__name__}' if one is not None else 'missing'}: a pipeline is asked with texts")


def ask(pipeline: Any, task: str, texts: list[Any], params: Mapping[str, Any], index: Any) -> Any:
    """A frame with a row for each text: the fields of its answer, or, where texts have several, a list of them in the column "answers"."""
    raw = pipeline(texts, **params) if len(texts) > 1 else [pipeline(one, **params) for one in texts]
    frame = pandas("answers of a pipeline").DataFrame
    if task == "feature-extraction":
        return frame({"features": [_plain(one[0] if len(one) == 1 else one) for one in raw]}, index=index)
    found = [_plain(one if isinstance(one, list) else [one]) for one in raw]
    if task in _ROWS and all(len(one) == 1 for one in found):
        return frame([one[0] for one in found], index=index, columns=None if found else list(_ROWS[task]))
    return frame({"answers": found}, index=index)


def _plain(value: Any) -> Any:
    """With Python's own numbers and lists."""
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value
