"""Floor 4. Boosted trees in a file, looked at before their framework opens them: XGBoost and LightGBM believe what a file says of its
nodes, and read beyond their memory, or walk in circles, where it is damaged or forged."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any


def check_xgboost(model: Any) -> None:
    """Look at the trees of an XGBoost model as its file has them.

    Raises:
        ValueError: there are none, or a node leads nowhere.
    """
    try:
        learner = model["learner"]
        width = int(learner["learner_model_param"]["num_feature"])
        groups = max(1, int(learner["learner_model_param"]["num_class"])) * max(1, int(learner["learner_model_param"].get("num_target", 1)))
        booster = learner["gradient_booster"]
        booster = booster.get("gbtree", booster)["model"]
        trees, info = booster.get("trees", []), booster.get("tree_info", [])
        _whole(len(trees) == len(info) and all(0 <= group < groups for group in info), "the list of its trees")
        for number, tree in enumerate(trees):
            _whole(int(tree["id"]) == number, f"tree {number}: its number")
            _nodes(tree, width, f"tree {number}")
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"it lacks a part: {error}") from error


def _nodes(tree: Mapping[str, Any], width: int, place: str) -> None:
    import numpy as np

    count = int(tree["tree_param"]["num_nodes"])
    left, right, parents, features = (
        np.asarray(tree[key], dtype=np.int64) for key in ("left_children", "right_children", "parents", "split_indices")
    )
    sizes = {len(part) for part in (left, right, parents, features, tree["split_conditions"], tree["default_left"])}
    _whole(count > 0 and sizes == {count}, f"{place}: the number of its nodes")
    inner = np.flatnonzero(left != -1)
    _whole(bool(np.all((features[inner] >= 0) & (features[inner] < max(width, 1)))), f"{place}: a feature")
    for children in (left[inner], right[inner]):
        _whole(bool(np.all((children > 0) & (children < count))), f"{place}: a child")
        _whole(bool(np.array_equal(parents[children], inner)), f"{place}: a parent")
    starts, lengths = (np.asarray(tree.get(key, ()), dtype=np.int64) for key in ("categories_segments", "categories_sizes"))
    nodes = np.asarray(tree.get("categories_nodes", ()), dtype=np.int64)
    _whole(len(starts) == len(lengths) == len(nodes), f"{place}: its categories")
    total = len(tree.get("categories", ()))
    _whole(
        bool(np.all((starts >= 0) & (lengths >= 0) & (starts + lengths <= total) & (nodes >= 0) & (nodes < count))),
        f"{place}: its categories",
    )


def check_lightgbm(data: bytes) -> None:
    """Look at the trees of a LightGBM model in its text form.

    Raises:
        ValueError: it breaks off, or a node leads nowhere.
    """
    head, mark, _ = data.partition(b"\n\nTree=0\n")
    if not mark:
        head = data.partition(b"\n\nend of trees")[0]
    said = _lines(head)
    width = int(said[b"max_feature_idx"]) + 1 if b"max_feature_idx" in said else 0
    sizes = [int(size) for size in said.get(b"tree_sizes", b"").split()]
    _whole(data.startswith(b"tree\n") and width > 0 and bool(sizes) == bool(mark), "its head")
    _whole(int(said.get(b"num_tree_per_iteration", b"0")) > 0 and len(sizes) % int(said[b"num_tree_per_iteration"]) == 0, "its head")
    _whole(
        len(said.get(b"feature_names", b"").split()) == len(said.get(b"feature_infos", b"").split()) == width and b"\0" not in data,
        "its head",
    )
    start = len(head) + 2
    for number, (begin, size) in enumerate(zip(itertools.accumulate(sizes, initial=start), sizes, strict=False)):
        block = data[begin : begin + size]
        _whole(len(block) == size and block.startswith(b"Tree=%d\n" % number), f"tree {number}")
        _whole(all(b"=" in line for line in block.split(b"\n") if line), f"tree {number}: a line")
        _branches(_lines(block), width, f"tree {number}")
    rest = data[start + sum(sizes) :].lstrip(b"\n")
    _whole(rest.startswith(b"end of trees\n") and b"\nend of parameters\n" in rest, "its end")
    said_at_training = rest.partition(b"\nparameters:\n")[2].partition(b"\nend of parameters\n")[0]
    _whole(
        all(line[:1] == b"[" and line[-1:] == b"]" and b": " in line for line in said_at_training.split(b"\n") if line), "its parameters"
    )


def _branches(said: Mapping[bytes, bytes], width: int, place: str) -> None:
    leaves, categories = int(said.get(b"num_leaves", b"0")), int(said.get(b"num_cat", b"0"))
    _whole(b"num_cat" in said and leaves > 0 and _count(said, b"leaf_value") == leaves, f"{place}: its leaves")
    for keys, count in ((_OF_LEAVES, leaves), (_OF_NODES, leaves - 1)):
        for key in keys:
            _whole(_count(said, key) in (0, count) and _FIGURES.fullmatch(said.get(key, b"")) is not None, f"{place}: {key.decode()}")
            [float(one) for one in said.get(key, b"").split()]
    if said.get(b"is_linear") == b"1":
        _whole(_count(said, b"leaf_const") == _count(said, b"num_features") == leaves, f"{place}: its leaves")
    if leaves == 1:
        return
    features, kinds = list(_numbers(said, b"split_feature")), list(_numbers(said, b"decision_type"))
    _whole(len(features) == _count(said, b"threshold") == len(kinds) == leaves - 1, f"{place}: its nodes")
    _whole(min(features) >= 0 and max(features) < width, f"{place}: a feature")
    for side in (b"left_child", b"right_child"):
        children = list(_numbers(said, side))
        fine = all((index < child < leaves - 1) if child >= 0 else ~child < leaves for index, child in enumerate(children))
        _whole(len(children) == leaves - 1 and fine, f"{place}: a child")
    if categories or any(kind & 1 for kind in kinds):
        bounds = list(_numbers(said, b"cat_boundaries"))
        rising = all(a <= b for a, b in itertools.pairwise(bounds)) and bounds[:1] == [0]
        _whole(len(bounds) == categories + 1 and rising and bounds[-1] == _count(said, b"cat_threshold"), f"{place}: its categories")
        used = [float(one) for one, kind in zip(said[b"threshold"].split(), kinds, strict=True) if kind & 1]
        _whole(all(0 <= one < categories for one in used), f"{place}: its categories")


_OF_LEAVES = (b"leaf_value", b"leaf_weight", b"leaf_count")
_OF_NODES = (b"split_feature", b"split_gain", b"threshold", b"decision_type", b"internal_value", b"internal_weight", b"internal_count")
_FIGURES = re.compile(rb"[-+.0-9a-zA-Z ]*")


def _lines(block: bytes) -> dict[bytes, bytes]:
    return {name: value for name, _, value in (line.partition(b"=") for line in block.split(b"\n"))}


def _count(said: Mapping[bytes, bytes], key: bytes) -> int:
    return len(said[key].split(b" ")) if said.get(key) else 0


def _numbers(said: Mapping[bytes, bytes], key: bytes) -> Iterator[int]:
    return map(int, said.get(key, b"").split())


def _whole(fine: bool, what: str) -> None:
    if not fine:
        raise ValueError(f"{what} cannot be so: it breaks off or is damaged")
