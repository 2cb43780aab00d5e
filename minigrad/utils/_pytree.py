"""Nested containers as trees: flattened to a list of leaves and a description, and back.

Containers are tuples (named ones too), lists, dictionaries, OrderedDict, defaultdict and deque, and
classes given to `register_pytree_node`. Everything else, None too, is a leaf.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

__all__ = [
    "LeafSpec", "TreeSpec", "register_pytree_node", "tree_all", "tree_all_only", "tree_any",
    "tree_any_only", "tree_flatten", "tree_iter", "tree_leaves", "tree_map", "tree_map_",
    "tree_map_only", "tree_structure", "tree_unflatten",
]  # fmt: skip


class _Kind(NamedTuple):
    flatten: Callable[[Any], tuple[list, Any]]
    unflatten: Callable[[Iterable, Any], Any]


class TreeSpec:
    """The structure of a tree: the class of its root, what rebuilds it, and the children's."""

    __slots__ = ("children_specs", "context", "num_leaves", "type")

    num_leaves: int

    def __init__(self, type: Any, context: Any, children_specs: list[TreeSpec]):
        self.type, self.context, self.children_specs = type, context, children_specs
        self.num_leaves = sum(c.num_leaves for c in children_specs) if type is not None else 1

    def is_leaf(self) -> bool:
        return self.type is None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, TreeSpec)
            and self.type is other.type
            and self.context == other.context
            and self.children_specs == other.children_specs
        )

    def __hash__(self) -> int:
        return hash((self.type, self.num_leaves))

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        return f"TreeSpec({self.type.__name__}, {self.context}, {self.children_specs})"


class LeafSpec(TreeSpec):
    """The structure of a leaf."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None, None, [])


def _dict_kind(make: Callable[[Iterable, Any], Any]) -> _Kind:
    return _Kind(lambda d: (list(d.values()), list(d)), make)


_KINDS: dict[type, _Kind] = {
    tuple: _Kind(lambda t: (list(t), None), lambda items, _: tuple(items)),
    list: _Kind(lambda t: (t, None), lambda items, _: list(items)),
    dict: _dict_kind(lambda items, keys: dict(zip(keys, items, strict=True))),
    OrderedDict: _dict_kind(lambda items, keys: OrderedDict(zip(keys, items, strict=True))),
    defaultdict: _Kind(
        lambda d: (list(d.values()), (d.default_factory, list(d))),
        lambda items, context: defaultdict(context[0], zip(context[1], items, strict=True)),
    ),
    deque: _Kind(lambda d: (list(d), d.maxlen), deque),
}
_NAMED = _Kind(lambda t: (list(t), type(t)), lambda items, cls: cls(*items))
_RESULT = _Kind(lambda t: (list(t), type(t)), lambda items, cls: cls(items))


def register_pytree_node(
    cls: type, flatten_fn: Callable, unflatten_fn: Callable, **options: Any
) -> None:
    """Makes a class a container: `flatten_fn(x)` gives (children, context)."""
    _KINDS[cls] = _Kind(flatten_fn, unflatten_fn)


def _kind(value: Any) -> _Kind | None:
    cls = value.__class__
    kind = _KINDS.get(cls)
    if kind is None and isinstance(value, tuple):
        return _NAMED if hasattr(cls, "_fields") else _RESULT if hasattr(cls, "_names") else None
    return kind


def tree_flatten(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> tuple[list, TreeSpec]:
    """(leaves, structure), such that `tree_unflatten` gives the tree again."""
    leaves: list = []
    return leaves, _flatten(tree, leaves, is_leaf)


def _flatten(tree: Any, leaves: list, is_leaf: Callable | None) -> TreeSpec:
    kind = None if is_leaf is not None and is_leaf(tree) else _kind(tree)
    if kind is None:
        leaves.append(tree)
        return LeafSpec()
    children, context = kind.flatten(tree)
    return TreeSpec(type(tree), context, [_flatten(c, leaves, is_leaf) for c in children])


def tree_unflatten(leaves: Iterable, treespec: TreeSpec) -> Any:
    """The tree of a structure with these leaves. ValueError for a wrong number of them."""
    items = list(leaves)
    if len(items) != treespec.num_leaves:
        raise ValueError(
            f"tree_unflatten: {len(items)} leaves were given for a structure of "
            f"{treespec.num_leaves}: {treespec}"
        )
    return _unflatten(iter(items), treespec)


def _unflatten(leaves: Any, spec: TreeSpec) -> Any:
    if spec.type is None:
        return next(leaves)
    children = [_unflatten(leaves, c) for c in spec.children_specs]
    kind = _KINDS.get(spec.type)
    if kind is None:
        kind = _NAMED if hasattr(spec.type, "_fields") else _RESULT
    return kind.unflatten(children, spec.context)


def tree_leaves(tree: Any, is_leaf: Callable | None = None) -> list:
    """The leaves of a tree."""
    return tree_flatten(tree, is_leaf)[0]


def tree_iter(tree: Any, is_leaf: Callable | None = None) -> Iterable:
    """The leaves of a tree, one after the other."""
    yield from tree_leaves(tree, is_leaf)


def tree_structure(tree: Any, is_leaf: Callable | None = None) -> TreeSpec:
    """The structure of a tree."""
    return tree_flatten(tree, is_leaf)[1]


def tree_map(func: Callable, tree: Any, *rests: Any, is_leaf: Callable | None = None) -> Any:
    """`func` of each leaf (and of the leaves at its place in further trees of the structure)."""
    leaves, spec = tree_flatten(tree, is_leaf)
    columns = [leaves]
    for rest in rests:
        others, other = tree_flatten(rest, is_leaf)
        if other != spec:
            raise ValueError(f"tree_map: structures differ: {spec} and {other}")
        columns.append(others)
    return tree_unflatten([func(*items) for items in zip(*columns, strict=True)], spec)


def tree_map_(func: Callable, tree: Any, *rests: Any, is_leaf: Callable | None = None) -> Any:
    """Calls `func` on each leaf and returns the tree."""
    tree_map(func, tree, *rests, is_leaf=is_leaf)
    return tree


def _of_type(wanted: Any, func: Callable, otherwise: Any) -> Callable:
    if not isinstance(wanted, type) and callable(wanted):
        return lambda x: func(x) if wanted(x) else otherwise(x)
    return lambda x: func(x) if isinstance(x, wanted) else otherwise(x)


def tree_map_only(
    type_or_types: Any, func: Callable, tree: Any, is_leaf: Callable | None = None
) -> Any:
    """`func` of the leaves of some type; the others stay."""
    return tree_map(_of_type(type_or_types, func, lambda x: x), tree, is_leaf=is_leaf)


def tree_all(pred: Callable, tree: Any, is_leaf: Callable | None = None) -> bool:
    """Whether `pred` holds for all leaves."""
    return all(map(pred, tree_leaves(tree, is_leaf)))


def tree_any(pred: Callable, tree: Any, is_leaf: Callable | None = None) -> bool:
    """Whether `pred` holds for a leaf."""
    return any(map(pred, tree_leaves(tree, is_leaf)))


def tree_all_only(
    type_or_types: Any, pred: Callable, tree: Any, is_leaf: Callable | None = None
) -> bool:
    """Whether `pred` holds for all leaves of some type."""
    return all(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


def tree_any_only(
    type_or_types: Any, pred: Callable, tree: Any, is_leaf: Callable | None = None
) -> bool:
    """Whether `pred` holds for a leaf of some type."""
    return any(pred(x) for x in tree_leaves(tree, is_leaf) if isinstance(x, type_or_types))


def broadcast_to_and_flatten(
    tree: Any, treespec: TreeSpec, is_leaf: Callable | None = None
) -> list | None:
    """The leaves of a tree that is a prefix of a structure, repeated to fill it; None if not."""
    if treespec.type is None or _kind(tree) is None or (is_leaf is not None and is_leaf(tree)):
        fits = treespec.type is not None or _kind(tree) is None or (is_leaf and is_leaf(tree))
        return [tree] * treespec.num_leaves if fits else None
    if type(tree) is not treespec.type:
        return None
    children, context = _kind(tree).flatten(tree)  # type: ignore[union-attr]
    if context != treespec.context or len(children) != len(treespec.children_specs):
        return None
    result: list = []
    for child, spec in zip(children, treespec.children_specs, strict=True):
        part = broadcast_to_and_flatten(child, spec, is_leaf)
        if part is None:
            return None
        result.extend(part)
    return result
