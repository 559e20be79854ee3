"""Floor 1. Filters and orders of runs: text to tree, tree to text, and a tree's verdict over one run. Pure.

    metrics.auc > 0.9 and (params.model in ('xgb', 'lgbm') or min(metrics.loss) < 1e-3) and not tags.team ilike '%risk%'

MLflow's filter grammar, extended by `or`, `not`, parentheses, `in` and `is null` everywhere, and aggregates.

Names. `metrics.<key>`, `params.<key>`, `tags.<key>`, `datasets.<name|digest|context>`, `attributes.<name>`; an attribute also
without its prefix, and every prefix also in MLflow's other spellings. A bare key goes on as long as letters, digits and `_ . / -`
do, so `metrics.val/auc-1 > 0` asks for the key "val/auc-1". Any other key stands in backticks or double quotes, that quote
doubled inside. `first last min max mean count` take a metric: `min(metrics.loss)`; alone it is the last value. Keywords, prefixes,
aggregates and attribute names may be in any case, keys are exact.

Literals. Numbers, `inf`, `-inf`; text in single quotes (double ones are accepted), that quote doubled inside, no other escapes.
A metric is compared with numbers, a tag or dataset with text, a parameter with either: beside a number it is compared as a number
(text that is none: unknown), beside quotes as text, letter for letter. `=` `!=` `in` `not in` go with both, `< <= > >=` with
numbers, `like` `ilike` with text: `%` any text, `_` one character, a backslash takes the next character as it is.
A time is quoted ISO (a date, or with time and zone; without zone UTC) or a number of milliseconds since 1970; the tree holds
microseconds. `duration` is in seconds. `status` also knows FINISHED (COMPLETED) and KILLED (CANCELLED or CRASHED). A whole run id
may be written without dashes.

Truth has three values, as in SQL. A comparison of something missing is unknown: it never matches, with `!=` and below `not`
neither; `is null` asks for it. NaN is not missing: beside numbers it satisfies `!=` and `not in` only. `metrics.loss = nan` asks
for NaN itself, `!= nan` for a value that is not. Of several datasets, one that satisfies the comparison is enough.

Bounds: 10,000 characters, 50 levels of parentheses and `not`, 1,000 values in a list. Reading takes time linear in the text.
"""

from __future__ import annotations

from prefect_ledger.expressions.parser import parse_filter, parse_order
from prefect_ledger.expressions.printer import unparse
from prefect_ledger.expressions.tree import (
    ATTRIBUTES,
    STATUSES,
    VERSION_ATTRIBUTES,
    And,
    Comparison,
    NaN,
    Node,
    Not,
    Null,
    Op,
    Operand,
    Or,
    Order,
    Value,
)
from prefect_ledger.expressions.truth import OPERATIONS, Subject, evaluate, like, number_of

__all__ = [
    "ATTRIBUTES",
    "OPERATIONS",
    "STATUSES",
    "VERSION_ATTRIBUTES",
    "And",
    "Comparison",
    "NaN",
    "Node",
    "Not",
    "Null",
    "Op",
    "Operand",
    "Or",
    "Order",
    "Subject",
    "Value",
    "evaluate",
    "like",
    "number_of",
    "parse_filter",
    "parse_order",
    "unparse",
]
