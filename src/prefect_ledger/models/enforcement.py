"""Floor 4. Data and parameters brought to what a signature wants, or refused by name. Types are widened only where no value changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.columns import Columns
from prefect_ledger.models.schema import Schema, Signature
from prefect_ledger.models.wording import listed, plural, shown

_NONE: Mapping[str, Any] = {}


class Enforcer:
    """Brings data and parameters to one signature; what can be found out before is.

    ``json`` is for data that was read from JSON, which has no widths, times or bytes: numbers must fit, times are ISO text and bytes
    base64. ``frame`` gives pandas frames where the signature has columns, whatever the data was. ``rows`` says, of a model of one column
    without a name, that it takes a list (``columns.LIST``, or ``columns.SPARSE`` where values may be missing), and of others that they take
    mappings (``columns.ROWS``).

    Example:
        >>> from prefect_ledger.models.inference import infer
        >>> enforce = Enforcer(infer([{"age": 31.5}], params={"alpha": 0.5}))
        >>> enforce([{"age": 40, "city": "Bonn"}])
        ([{'age': 40.0}], {'alpha': 0.5})
    """

    def __init__(self, signature: Signature, *, json: bool = False, frame: bool = False, rows: str = "") -> None:
        self.signature = signature
        self._json = json
        self._data = None if signature.inputs is None else _checker(signature.inputs, json=json, frame=frame, rows=rows)
        self._params = {one.name: one for one in signature.params}

    def __call__(self, data: Any, params: Mapping[str, Any] | None = None) -> tuple[Any, Mapping[str, Any]]:
        """Data and parameters as the signature has them; parameters that are not given have their defaults.

        Raises:
            SignatureMismatch: a column, tensor or parameter is missing, unknown or of another type; the message names it.
        """
        if self._data is not None:
            data = self._data(data)
        return data, self._asked(params) if params or self._params else _NONE

    def _asked(self, params: Mapping[str, Any] | None) -> dict[str, Any]:
        given = _NONE if params is None else params
        if not isinstance(given, Mapping):
            raise SignatureMismatch(f"parameters are a mapping from names to values, not {shown(given)}")
        if strange := [name for name in given if name not in self._params]:
            known = f"it knows {listed(self._params)}" if self._params else "it knows none"
            said = f"the model does not know the {plural(strange, 'parameter')}: {known}"
            raise SignatureMismatch(said, field=str(strange[0]))
        return {name: one.accept(given[name], json=self._json) if name in given else one.value() for name, one in self._params.items()}


def enforce(signature: Signature, data: Any, params: Mapping[str, Any] | None = None) -> tuple[Any, Mapping[str, Any]]:
    """Data and parameters as ``signature`` has them; where there is more than one call, an :class:`Enforcer` is quicker.

    Raises:
        SignatureMismatch: a column, tensor or parameter is missing, unknown or of another type; the message names it.

    Example:
        >>> from prefect_ledger.models.inference import infer
        >>> enforce(infer([{"age": 31}]), [{"age": "31"}])
        Traceback (most recent call last):
        prefect_ledger.errors.SignatureMismatch: column 'age', row 0 is a str, '31', where a long is wanted
    """
    return Enforcer(signature)(data, params)


def _checker(schema: Schema, *, json: bool, frame: bool, rows: str) -> Callable[[Any], Any]:
    if not schema.tensors:
        return Columns(schema, json=json, frame=frame, rows=rows)
    from prefect_ledger.models import tensors

    return tensors.checker(schema, json=json)
