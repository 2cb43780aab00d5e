"""`rearrange`: dimensions by name, in einops' notation."""

from __future__ import annotations

import math
import re
from typing import Any

from .. import ops
from ..autograd.variable import Variable

_DOTS = ["..."]  # dimensions that stand on their own; (...) is one group of them


def _parse(side: str, pattern: str) -> list[list[str]]:
    """The groups of names of one side: "b (h w) ..." is [["b"], ["h", "w"], ["..."]]."""
    groups: list[list[str]] = []
    inside: list[str] | None = None
    for token in re.findall(r"\.\.\.|[()]|[^\s()]+", side):
        if token == "(":
            if inside is not None:
                raise ValueError(f"rearrange: nested brackets in {pattern!r}")
            inside = []
        elif token == ")":
            if inside is None:
                raise ValueError(f"rearrange: a bracket closes that was not opened in {pattern!r}")
            groups.append(inside)
            inside = None
        elif token != "..." and token != "1" and not token.isidentifier():
            raise ValueError(f"rearrange: {token!r} in {pattern!r} is no name of a dimension")
        elif inside is not None:
            inside.append(token)
        else:
            groups.append([] if token == "1" else _DOTS if token == "..." else [token])
    if inside is not None:
        raise ValueError(f"rearrange: a bracket stays open in {pattern!r}")
    names = [n for g in groups for n in g]
    if len(set(names)) != len(names):
        raise ValueError(f"rearrange: a name stands twice on one side of {pattern!r}")
    return groups


def _sizes(groups: list[list[str]], shape: tuple, known: dict[str, int], pattern: str) -> dict:
    sizes = dict(known)
    for group, size in zip(groups, shape, strict=True):
        unknown = [n for n in group if n not in sizes]
        rest = math.prod(sizes[n] for n in group if n in sizes)
        if len(unknown) > 1:
            raise ValueError(f"rearrange: the sizes of {unknown} in {pattern!r} are not known")
        if unknown and rest and size % rest == 0:
            sizes[unknown[0]] = size // rest
        elif unknown or rest != size:
            raise ValueError(
                f"rearrange: a dimension of size {size} cannot be split as {group} in {pattern!r}"
            )
    return sizes


def rearrange(tensor: Any, pattern: str, **axes_lengths: int) -> Any:
    """A tensor with dimensions split, ordered and joined as `pattern` says: "b (h w) -> b w h".

    Several tensors are stacked first. `axes_lengths`: sizes of names that the shape leaves open.
    ValueError for patterns that do not fit.
    """
    if not isinstance(tensor, Variable):
        tensor = ops.stack(list(tensor))
    left, arrow, right = pattern.partition("->")
    if not arrow or "->" in right:
        raise ValueError(f"rearrange: {pattern!r} needs one '->'")
    given, wanted = _parse(left, pattern), _parse(right, pattern)
    ndim = tensor._array.ndim
    dots = any(g is _DOTS for g in given)
    count = ndim - len(given) + 1 if dots else 0
    if (dots and count < 0) or (not dots and len(given) != ndim):
        raise ValueError(f"rearrange: {pattern!r} does not fit a tensor of {ndim} dimensions")
    extra = [f"...{i}" for i in range(count)]

    def widened(groups: list[list[str]]) -> list[list[str]]:
        result: list[list[str]] = []
        for g in groups:
            if g is _DOTS:
                result.extend([n] for n in extra)
            else:
                result.append([m for n in g for m in (extra if n == "..." else [n])])
        return result

    given, wanted = widened(given), widened(wanted)
    before, after = ([n for g in groups for n in g] for groups in (given, wanted))
    if sorted(before) != sorted(after):
        raise ValueError(f"rearrange: the two sides of {pattern!r} name different dimensions")
    if unknown := set(axes_lengths) - set(before):
        raise ValueError(f"rearrange: {sorted(unknown)} does not stand in {pattern!r}")
    sizes = _sizes(given, tensor._array.shape, axes_lengths, pattern)
    split = ops.reshape(tensor, tuple([sizes[n] for n in before]))
    ordered = ops.permute(split, tuple([before.index(n) for n in after])) if before else split
    return ops.reshape(ordered, tuple([math.prod(sizes[n] for n in g) for g in wanted]))
