"""Floor 5. What the callbacks of XGBoost, LightGBM and CatBoost have in common: their arguments, and what is logged of a trained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict

from prefect_ledger.autolog.importance import log_importance
from prefect_ledger.autolog.writer import Writer, check_model
from prefect_ledger.errors import InvalidValue

if TYPE_CHECKING:
    from prefect_ledger.tracking.runs import ActiveRun


class Options(TypedDict, total=False):
    """The arguments of :class:`Boosting`."""

    name: str | None
    prefix: str
    importance: str | None
    plots: bool
    input_example: Any
    register: str | bool | None
    run: ActiveRun | None


class Boosting:
    """A callback's arguments, checked. ``kinds`` are the ways in which its framework weighs features, the first one by default."""

    kinds: ClassVar[tuple[str, ...]]

    def __init__(
        self,
        *,
        name: str | None = "model",
        prefix: str = "",
        importance: str | None = "",
        plots: bool = True,
        input_example: Any = None,
        register: str | bool | None = None,
        run: ActiveRun | None = None,
    ) -> None:
        who = type(self).__name__
        check_model(who, name, register)
        importance = self.kinds[0] if importance == "" else importance
        if importance is not None and importance not in self.kinds:
            raise InvalidValue(f"{who}: importance is one of {', '.join(self.kinds)}, or None, not {importance!r:.80}")
        self._writer = Writer(run, prefix, who)
        self._name, self._importance, self._plots, self._example, self._register = name, importance, plots, input_example, register

    def _log_importance(self, scores: Callable[[str], tuple[Mapping[str, Any], str]]) -> None:
        """``scores`` gives those of features for a kind, and which kind it really has."""
        if self._importance is None:
            return
        with self._writer.attempt("the importance of features"):
            found, kind = scores(self._importance)
            log_importance(self._writer, dict(found), kind, draw=self._plots)

    def _log_model(self, model: Any) -> None:
        if self._name is not None:
            self._writer.model(model, self._name, input_example=self._example, register=self._register)
