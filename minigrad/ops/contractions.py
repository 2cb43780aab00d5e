"""Contractions of any dimensions: einsum and tensordot.

Everything here is made of recorded operations, so gradients of every order come with them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

from .. import dtypes
from ..autograd.naming import named
from ..autograd.record import apply
from ..autograd.variable import Variable
from ..kernels import fast
from ._matrices import check_bool, check_same_type, check_tensors, mt
from ._out import write_exact
from ._shape import array_of, normalize_dim, shape_of
from .arith import mul
from .linalg import MatMul
from .movement import reshape, squeeze
from .permutation import movedim, permute
from .reduce import Sum
from .reduce import sum as sum_
from .slices import diagonal

__all__ = ["einsum", "tensordot"]

_DOTS = 52  # labels 0 ... 51 are letters; the dimensions of an ellipsis count from here


def _letter(label: int) -> str:
    if label >= _DOTS:
        return "..."
    return chr(ord("A") + label) if label < 26 else chr(ord("a") + label - 26)


def _label(character: str, position: int) -> int:
    if "A" <= character <= "Z":
        return ord(character) - ord("A")
    if "a" <= character <= "z":
        return ord(character) - ord("a") + 26
    raise RuntimeError(
        f"einsum(): invalid subscript given at index {position} in the equation string, "
        "subscripts must be in [a-zA-Z]"
    )


def _parse_term(term: str, start: int, where: str) -> list:
    """The labels of one operand or of the output; an ellipsis is the object `...`."""
    labels: list = []
    i = 0
    while i < len(term):
        if term[i] == ".":
            if ... in labels:
                raise RuntimeError(
                    f"einsum(): found '.' for {where} for which an ellipsis was already found"
                )
            if term[i : i + 3] != "...":
                raise RuntimeError(
                    f"einsum(): found '.' for {where} that is not part of any ellipsis"
                )
            labels.append(...)
            i += 3
            continue
        if term[i] != " ":
            labels.append(_label(term[i], start + i))
        i += 1
    return labels


def _parse(equation: str) -> tuple[list[list], list | None]:
    arrow = equation.find("->")
    left = equation if arrow < 0 else equation[:arrow]
    terms = []
    start = 0
    for i, term in enumerate(left.split(",")):
        terms.append(_parse_term(term, start, f"operand {i}"))
        start += len(term) + 1
    if arrow < 0:
        return terms, None
    return terms, _parse_term(equation[arrow + 2 :], arrow + 2, "the output")


def _arguments(args: tuple) -> tuple[list, list[list], list | None]:
    """Operands, their labels and the output's, from either calling form."""
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    if isinstance(args[0], str):
        operands = list(args[1:])
        if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
            operands = list(operands[0])
        return operands, *_parse(args[0])
    operands = list(args[: len(args) - len(args) % 2 : 2])
    lists = [_checked(labels) for labels in args[1::2]]
    return operands, lists, _checked(args[-1]) if len(args) % 2 else None


def _checked(labels: Sequence) -> list:
    for label in labels:
        if label is not Ellipsis and not 0 <= label < _DOTS:
            raise ValueError(
                "einsum(): subscript in subscript list is not within the valid range [0, 52)"
            )
    return list(labels)


def _expand_dots(labels: list, count: int) -> list:
    """Replaces an ellipsis by labels for its `count` dimensions, counted from the right."""
    if ... not in labels:
        return labels
    at = labels.index(...)
    return labels[:at] + [_DOTS + count - 1 - i for i in range(count)] + labels[at + 1 :]


def _operand_labels(operands: list, terms: list[list]) -> tuple[list[list[int]], int]:
    """The label of each dimension of each operand, and the most dimensions of an ellipsis."""
    if len(operands) < len(terms):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    if len(operands) > len(terms):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    result = []
    most = 0
    for i, (x, labels) in enumerate(
        zip(check_tensors("einsum", **_named(operands)), terms, strict=True)
    ):
        given = len(labels) - (... in labels)
        if given > x.ndim or (given < x.ndim and ... not in labels):
            if ... in labels:
                raise RuntimeError(
                    f"einsum(): the number of subscripts in the equation ({given}) is more than "
                    f"the number of dimensions ({x.ndim}) for operand {i}"
                )
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({given}) does not match the "
                f"number of dimensions ({x.ndim}) for operand {i} and no ellipsis was given"
            )
        dots = x.ndim - given if ... in labels else 0
        most = max(most, dots)
        result.append(_expand_dots(labels, dots))
    return result, most


def _named(operands: list) -> dict:
    return {f"operands[{i}]": x for i, x in enumerate(operands)}


def _output_labels(terms: list[list[int]], output: list | None, most: int) -> list[int]:
    counts: dict[int, int] = {}
    for labels in terms:
        for label in labels:
            counts[label] = counts.get(label, 0) + 1
    dots = [_DOTS + most - 1 - i for i in range(most)]
    if output is None:  # the ellipsis, then the letters that occur once, in order
        return dots + sorted(n for n, c in counts.items() if c == 1 and n < _DOTS)
    result = _expand_dots(output, most)
    for label in result:
        if result.count(label) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {_letter(label)} appears more than once in the output"
            )
        if label not in counts:
            raise RuntimeError(
                f"einsum(): output subscript {_letter(label)} does not appear in the equation for "
                "any input operand"
            )
    return result


def _diagonals(x: Any, labels: list[int], number: int) -> tuple[Any, list[int]]:
    """Takes the diagonal of dimensions with the same label, so that each label occurs once."""
    labels = list(labels)
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            sizes = shape_of(x)
            if sizes[first] != sizes[second]:
                raise RuntimeError(
                    f"einsum(): subscript {_letter(label)} is repeated for operand {number} but "
                    f"the sizes don't match, {sizes[second]} != {sizes[first]}"
                )
            x = movedim(diagonal(x, 0, first, second), -1, first)
            del labels[second]
    return x, labels


def _sum_out(x: Any, labels: list[int], keep: set[int]) -> tuple[Any, list[int]]:
    """Sums over the labels that nobody else needs."""
    dims = tuple(i for i, label in enumerate(labels) if label not in keep)
    if dims:
        x = sum_(x, dims)
        labels = [label for label in labels if label in keep]
    return x, labels


def _drop_ones(
    x: Any, labels: list[int], shape: tuple, other: dict, keep: set[int]
) -> tuple[Any, list[int]]:
    """Leaves out dimensions of size 1 that meet a larger one, or that nobody needs: no sums."""
    dims = tuple(
        i
        for i, label in enumerate(labels)
        if shape[i] == 1 and (other.get(label, 1) != 1 or label not in keep)
    )
    if dims:
        x = squeeze(x, dims)
        labels = [label for i, label in enumerate(labels) if i not in dims]
    return x, labels


def _pair(a: Any, la: list[int], b: Any, lb: list[int], keep: set[int]) -> tuple[Any, list[int]]:
    """The product of two operands, summed over their labels that are not in `keep`."""
    a_shape, b_shape = shape_of(a), shape_of(b)
    a_sizes, b_sizes = dict(zip(la, a_shape, strict=True)), dict(zip(lb, b_shape, strict=True))
    a, la = _drop_ones(a, la, a_shape, b_sizes, keep)
    b, lb = _drop_ones(b, lb, b_shape, a_sizes, keep)
    a, la = _sum_out(a, la, keep | set(lb))
    b, lb = _sum_out(b, lb, keep | set(la))
    sizes = a_sizes | {n: s for n, s in b_sizes.items() if a_sizes.get(n, 1) == 1}
    shared = [n for n in la if n in lb]
    batch = [n for n in shared if n in keep]
    summed = [n for n in shared if n not in keep]
    rows = [n for n in la if n not in lb]
    columns = [n for n in lb if n not in la]
    count = [math.prod(sizes[n] for n in group) for group in (batch, rows, summed, columns)]
    result = batch + rows + columns
    if not summed:  # nothing to add up: PyTorch multiplies, with promotion
        left = reshape(_ordered(a, la, batch + rows), (count[0], count[1], 1))
        right = reshape(_ordered(b, lb, batch + columns), (count[0], 1, count[3]))
        product = mul(left, right)
    else:
        left = reshape(_ordered(a, la, batch + rows + summed), (count[0], count[1], count[2]))
        right = reshape(_ordered(b, lb, batch + summed + columns), (count[0], count[2], count[3]))
        product = _summed_product(left, right)
    return reshape(product, tuple([sizes[n] for n in result])), result


# What autocast lowers of `einsum` are its products that sum; sums and plain products stay.


def _summed_product(a: Any, b: Any) -> Any:
    """The products of two batches of matrices."""
    check_same_type(array_of(a), array_of(b), "expected scalar type {0} but found {1}")
    check_bool(array_of(a), "bmm", array_of(b))
    return apply(MatMul, (a, b))


def _plain_product(a: Any, b: Any, ndim: int) -> Any:
    """The same where nothing needs a check; None where something does."""
    return fast.fast_matmul(MatMul, a, b, ndim, ndim)


def _ordered(x: Any, labels: list[int], wanted: list[int]) -> Any:
    """`x` with its dimensions in the order of the labels `wanted`."""
    return x if labels == wanted else permute(x, [labels.index(n) for n in wanted])


@functools.lru_cache(256)
def _matrix_form(equation: str) -> tuple[int, bool, bool] | None:
    """For an equation that is a product of (batches of) matrices: the number of dimensions, and
    whether each operand is transposed. None for others, right or wrong."""
    left, arrow, result = equation.partition("->")
    a, _, b = left.partition(",")
    n = len(a)
    if not (arrow and n > 1 and n == len(b) == len(result)):
        return None
    letters, batch = a + b, a[:-2]
    rows, columns = result[-2], result[-1]
    inner = (set(a) & set(b)) - set(result)
    if (
        not (letters.isascii() and letters.isalpha() and batch == b[:-2] == result[:-2])
        or len(inner) != 1
        or len(set(letters)) != n + 1
    ):
        return None
    (summed,) = inner
    if {*a[-2:]} != {rows, summed} or {*b[-2:]} != {summed, columns}:
        return None
    return n, a[-1] == rows, b[-1] == summed


def _matrix_product(equation: str, a: Any, b: Any) -> Any:
    """`einsum` of tensors that is one call of `matmul`; None for everything else."""
    form = _matrix_form(equation)
    if form is None or not (isinstance(a, Variable) and isinstance(b, Variable)):
        return None
    ndim, transposed_a, transposed_b = form
    if a._array.ndim != ndim or b._array.ndim != ndim:
        return None
    a, b = (mt(a) if transposed_a else a), (mt(b) if transposed_b else b)
    return _plain_product(a, b, ndim)


def einsum(*args: Any) -> Any:
    """Sums of products by labels: `einsum("bij,bjk->bik", x, y)` or `einsum(x, [0, 1], y, [1, 2])`.

    Labels are letters; `...` stands for broadcast dimensions; a label repeated within one operand
    takes its diagonal; without `->` the result has the labels that occur once, sorted. Operands are
    contracted from left to right by `matmul`. RuntimeError for malformed equations and sizes.
    """
    if len(args) == 3 and args[0].__class__ is str:
        result = _matrix_product(*args)
        if result is not None:
            return named("ViewBackward0", result)
    operands, terms, output = _arguments(args)
    labels, most = _operand_labels(operands, terms)
    result_labels = _output_labels(labels, output, most)
    parts = [_diagonals(x, n, i) for i, (x, n) in enumerate(zip(operands, labels, strict=True))]
    _check_sizes(parts)
    x, have = parts[0]
    for i in range(1, len(parts)):
        later = {n for _, rest in parts[i + 1 :] for n in rest}
        x, have = _pair(x, have, *parts[i], later | set(result_labels))
    contracted = not {*parts[-1][1]} <= {*have}
    x, have = _sum_out(x, have, set(result_labels))
    return _with_name(_ordered(x, have, result_labels), operands, contracted)


def _with_name(result: Any, operands: Any, contracted: bool) -> Any:
    """The result of einsum, whose node bears the name of the last step that PyTorch takes."""
    if len(operands) > 1:
        return named("ViewBackward0" if contracted else "MulBackward0", result)
    if isinstance(result, Variable) and isinstance(result._fn, Sum):
        return named("SumBackward1", result, operands[0])
    return result


def _check_sizes(parts: list) -> None:
    seen: dict[int, int] = {}
    for i, (x, labels) in enumerate(parts):
        for label, size in zip(labels, shape_of(x), strict=True):
            before = seen.get(label, 1)
            if before not in (1, size) and size != 1:
                raise RuntimeError(
                    f"einsum(): subscript {_letter(label)} has size {size} for operand {i} which "
                    f"does not broadcast with previously seen size {before}"
                )
            if before == 1:
                seen[label] = size


def tensordot(a: Any, b: Any, dims: Any = 2, out: Any = None) -> Any:
    """Sums over pairs of dimensions: the last `dims` of a with the first of b, or two lists.

    The result has a's other dimensions, then b's. RuntimeError if paired sizes differ.
    """
    x, y = check_tensors("tensordot", a=a, b=b)
    if isinstance(dims, Variable):
        dims = dims._array.tolist()
    if isinstance(dims, (tuple, list)):
        of_a, of_b = (list(d) if isinstance(d, (tuple, list)) else [d] for d in dims)
    else:
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(x.ndim, y.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        of_a, of_b = list(range(-dims, 0)), list(range(dims))
    if len(of_a) != len(of_b):
        raise RuntimeError("both dimension lists should have same length")
    if x.dtype != y.dtype:
        raise RuntimeError("both inputs should have same dtype")
    at_a = [normalize_dim(d, x.ndim) for d in of_a]
    at_b = [normalize_dim(d, y.ndim) for d in of_b]
    for given_a, given_b, i, j in zip(of_a, of_b, at_a, at_b, strict=True):
        s, t = x.shape[i], y.shape[j]
        if s != t and s == 1:
            b = sum_(b, j, keepdim=True, dtype=dtypes.from_numpy(y.dtype))
        elif s != t and t == 1:
            a = sum_(a, i, keepdim=True, dtype=dtypes.from_numpy(x.dtype))
        elif s != t:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {s} in dim {given_a} and "
                f"second has size {t} in dim {given_b}"
            )
    for name, at in (("a", at_a), ("b", at_b)):
        if len(set(at)) != len(at):
            raise RuntimeError(
                f"tensordot: a dim appears multiple times in the list of dims of {name}"
            )
    s, t = shape_of(a), shape_of(b)
    rest_a = [d for d in range(x.ndim) if d not in at_a]
    rest_b = [d for d in range(y.ndim) if d not in at_b]
    rows, columns = [s[d] for d in rest_a], [t[d] for d in rest_b]
    if math.prod(rows + columns) != 1:  # PyTorch needs no matrix product for one element
        check_bool(x, "addmm_impl_cpu_", y)
    k = math.prod(s[d] for d in at_a)
    left = reshape(permute(a, rest_a + at_a), (math.prod(rows), k))
    right = reshape(permute(b, at_b + rest_b), (k, math.prod(columns)))
    result = reshape(apply(MatMul, (left, right)), tuple(rows + columns))
    return result if out is None else write_exact("tensordot", out, result)
