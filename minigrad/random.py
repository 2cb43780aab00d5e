"""Random tensors, seeds and states: `manual_seed`, `rand`, `randn`, `randint`, `randperm`, ….

For a seed these give the numbers of PyTorch's CPU generator (float32 normals to 1 ulp).
"""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import dtypes, fills
from . import generator as _generator
from .autograd import variable as _v
from .autograd.variable import Variable, is_float
from .backend import CPU, as_place, device_of, is_meta, move
from .creation._common import (
    check_dtype,
    complex_filled,
    finish,
    in_order,
    is_complex,
    like_array,
    need_out,
    out_array,
    size_given,
    typed,
)
from .creation.filled import empty
from .generator import Generator, chosen, default_generator
from .kernels.fast import (
    fast_bernoulli,
    fast_draw,
    fast_draw_like,
    fast_randint,
    fast_randperm,
)
from .ops._shape import broadcast_shapes, memory_order, need_tensor

__all__ = [
    "Generator",
    "bernoulli",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "multinomial",
    "normal",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
    "seed",
    "set_rng_state",
]


def manual_seed(seed: Any) -> Generator:
    """Starts the default generators' streams from a seed and returns the CPU's."""
    _generator.seed_all(int(seed))
    return default_generator


def seed() -> int:
    """Starts the default generator from a seed nobody can foresee and returns it."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed of the default generator."""
    return default_generator.initial_seed()


def get_rng_state() -> Any:
    """The state of the default generator as a uint8 tensor."""
    return default_generator.get_state()


def set_rng_state(new_state: Any) -> None:
    """Sets the state of the default generator to one that `get_rng_state` gave."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Any = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cpu",
) -> Iterator[None]:
    """Restores the default generator's state at the end of the block (if `enabled`)."""
    if not enabled:
        yield
        return
    before = default_generator.clone_state()
    try:
        yield
    finally:
        default_generator.assign(before)


def match_torch(mode: bool | None = None) -> bool:
    """Whether dropout draws from PyTorch's serial stream (slower) instead of the fast one.

    With an argument it is set; the setting before is returned. False at the start.
    """
    before = _generator.settings.dropout_follows_torch
    if mode is not None:
        _generator.settings.dropout_follows_torch = bool(mode)
    return before


# What numbers are multiplied by that are the parts of complex ones: these have variance 1.
_SPREADS = {"rand": 1.0, "randn": math.sqrt(0.5)}


def _drawn(name: str, size: tuple, options: dict, fill: Callable) -> Any:
    """A tensor, new or `out`, filled by `fill(array, generator)`; nothing is drawn on 'meta'."""
    generator = options.pop("generator", None)
    out = options.pop("out", None)
    requires_grad = options.pop("requires_grad", False)
    device = options.pop("device", None)
    if is_complex(options.get("dtype")):
        dtype, spread = options.pop("dtype"), _SPREADS.get(name)
        if spread is None:
            raise dtype.error()
        for ignored in ("layout", "pin_memory"):
            options.pop(ignored, None)
        z = complex_filled(empty, size_given(name, size, options), dtype, False)
        fill(z.parts._array, chosen(generator))
        return z.mul_(spread).requires_grad_(requires_grad)
    wanted = typed(name, options.pop("dtype", None), device, out)
    for ignored in ("layout", "pin_memory"):
        options.pop(ignored, None)
    shape = size_given(name, size, options)
    if out is not None:
        target = out_array(name, out, shape)
        g = chosen(generator, device_of(target))
        fills.fill_there(lambda a: fill(a, g), target)
        return out
    where = as_place(device)
    if where.type == "meta":
        return finish(np.empty(shape, wanted), requires_grad, device)
    array = np.empty(shape, wanted)
    fill(array, chosen(generator, where))
    return finish(array, requires_grad, device)


def rand(*size: Any, **options: Any) -> Any:
    """Uniform numbers in [0, 1).

    Options: generator, out, dtype, layout, device, pin_memory, requires_grad.
    """
    made = fast_draw(False, size, options)
    if made is not None:
        return made
    return _drawn("rand", size, options, lambda a, g: fills.fill_uniform(a, 0.0, 1.0, g))


def randn(*size: Any, **options: Any) -> Any:
    """Normal numbers of mean 0 and standard deviation 1; options as `rand`."""
    made = fast_draw(True, size, options)
    if made is not None:
        return made
    return _drawn("randn", size, options, lambda a, g: fills.fill_normal(a, 0.0, 1.0, g))


def randint(*args: Any, **options: Any) -> Any:
    """`randint(high, size)`, `randint(low, high, size)`: integers in [low, high), int64.

    Options as `rand`. RuntimeError if low >= high.
    """
    made = fast_randint(args, options)
    if made is not None:
        return made
    values = dict(zip(("low", "high", "size")[3 - len(args) :], args, strict=False))
    if len(args) == 2 and not isinstance(args[1], (tuple, list)):
        values = dict(zip(("low", "high"), args, strict=True))
    elif len(args) == 1:
        values = {"low" if "high" in options else "high": args[0]}
    for key in ("low", "high", "size"):
        if key in options:
            values[key] = options.pop(key)
    size = values.get("size")
    if len(args) > 3 or "high" not in values or not isinstance(size, (tuple, list)):
        raise TypeError(
            "randint() received an invalid combination of arguments; needed: (int high, tuple of "
            "ints size) or (int low, int high, tuple of ints size)"
        )
    low, high = _bound("low", values.get("low", 0)), _bound("high", values["high"])
    if options.get("dtype") is None and options.get("out") is None:
        options["dtype"] = dtypes.int64
    return _drawn(
        "randint", (tuple(size),), options, lambda a, g: fills.fill_integers(a, low, high, g)
    )


def _bound(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(
            f"randint(): argument '{name}' must be int, not {value.__class__.__name__}"
        ) from None


# Permutations of floats hold every number exactly (bfloat16's are rounded, as PyTorch's).
_LONGEST = {"float16": 2**11 + 1, "bfloat16": 2**63, "float32": 2**24 + 1, "float64": 2**53 + 1}


def randperm(
    n: Any,
    *,
    generator: Any = None,
    out: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Any:
    """The numbers below `n` in random order, int64 unless `dtype` is given."""
    if out is dtype is device is None and not requires_grad:
        made = fast_randperm(n, generator)
        if made is not None:
            return made
    try:
        count = operator.index(n)
    except TypeError:
        raise TypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {n.__class__.__name__}"
        ) from None
    if count < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {count}: [{count}]")
    as_place(device)
    wanted = check_dtype("randperm", dtype) or np.dtype(np.int64)
    if out is not None:
        need_out("randperm", out)
        wanted = out._array.dtype
    if wanted.kind == "b":
        raise fills.unsupported("randperm", wanted)
    most = _LONGEST.get(wanted.name) or int(np.iinfo(wanted).max) + 1
    if count > most:
        name = wanted.name + ("_t" if wanted.kind in "iu" else "")
        raise RuntimeError(f"value cannot be converted to type {name} without overflow")
    if device is not None and is_meta(device):
        return finish(np.empty(count, wanted), requires_grad, device)
    values = chosen(generator, as_place(device)).permutation(count).astype(wanted, copy=False)
    if out is None:
        return finish(values, requires_grad, device)
    target = out_array("randperm", out, (count,))
    target[...] = move(values, device_of(target))
    return out


def normal(
    mean: Any, std: Any = 1.0, size: Any = None, *, generator: Any = None, out: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """Normal numbers: of tensors of means and deviations, or of two numbers and a `size`.

    RuntimeError for a negative `std`.
    """
    means, stds = isinstance(mean, Variable), isinstance(std, Variable)
    if not means and not stds:
        if size is None:
            raise TypeError(
                "normal() received an invalid combination of arguments - got (float, float); "
                "needed: a tensor, or two numbers and a size"
            )
        size = (size,) if isinstance(size, int) else tuple(size)
        options |= {"generator": generator, "out": out}
        return _drawn(
            "normal",
            (size,),
            options,
            lambda a, g: fills.fill_normal(a, float(mean), float(std), g),
        )
    if stds and bool((std._array < 0).any()):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    given = [v._array for v in (mean, std) if isinstance(v, Variable)]
    try:
        shape = broadcast_shapes(*(a.shape for a in given))
    except RuntimeError:
        # PyTorch also takes different shapes of equally many elements; that was long deprecated.
        a, b = given[0].shape, given[1].shape
        raise RuntimeError(
            f"normal: mean of shape {list(a)} and std of shape {list(b)} were given; needed: "
            "shapes that broadcast"
        ) from None
    wanted = given[0].dtype if out is None else out._array.dtype
    array, where = np.empty(shape, wanted), device_of(given[0])
    g = chosen(generator, where)
    if stds:
        fills.fill_normal(array, 0.0, 1.0, g)
        array = move(array, where)
        array *= std._array
    else:
        fills.fill_normal(array, 0.0, float(std), g)
        array = move(array, where)
    array += mean._array if means else wanted.type(mean)
    if out is None:
        return _v.wrap(array)
    out_array("normal", out, shape)[...] = array
    return out


def bernoulli(input: Any, p: Any = None, *, generator: Any = None, out: Any = None) -> Any:
    """1 with the probability that stands in `input` (or `p`), else 0, in the input's type."""
    if p is out is None:
        made = fast_bernoulli(input, generator)
        if made is not None:
            return made
    x = need_tensor("bernoulli", input)._array
    chance: Any = x if p is None else p._array if isinstance(p, Variable) else float(p)
    array = np.empty_like(x, order="C") if out is None else out_array("bernoulli", out, x.shape)
    g = chosen(generator, device_of(x))
    fills.fill_there(lambda a: fills.fill_bernoulli(a, chance, g), array)
    return _v.wrap(array) if out is None else out


def multinomial(
    input: Any,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Any = None,
    out: Any = None,
) -> Any:
    """Indices drawn with the probabilities (weights) of each row of `input`, int64.

    `input` is 1-d or 2-d; the result has `num_samples` in its last dimension. RuntimeError for
    weights that are negative or not finite, and for more samples than there are, without
    `replacement`.
    """
    where, n = device_of(need_tensor("multinomial", input)._array), operator.index(num_samples)
    weights = move(input._array, CPU)  # where numbers are drawn
    if not is_float(weights):
        raise RuntimeError(
            "multinomial only supports floating-point dtypes for input, got: "
            f"{fills.type_name(dtypes.from_numpy(weights.dtype))}"
        )
    if weights.ndim not in (1, 2):
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if n <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and n > weights.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    rows = np.atleast_2d(weights)
    if not (rows.sum(axis=1) > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    g = chosen(generator, where)
    if not len(rows):
        picked: np.ndarray = np.empty((0, n))
    elif replacement and n > 1:
        picked = _with_replacement(rows, n, g)
    else:
        # The smallest of exponential waiting times; as many as are wanted, the first ones.
        q = in_order(rows.shape, rows.dtype, memory_order(rows))
        fills.fill_exponential(q, 1.0, g)
        with np.errstate(all="ignore"):
            q = (rows / q).astype(np.float64)
        if n == 1:
            picked = q.argmax(axis=1)[:, None]
        else:
            picked = np.argsort(-q, axis=1, kind="stable")[:, :n]
    result = picked.astype(np.int64, order="C").reshape((*weights.shape[:-1], n))
    result = move(result, where)
    if out is None:
        return _v.wrap(result)
    out_array("multinomial", out, result.shape)[...] = result
    return out


def _with_replacement(rows: np.ndarray, n: int, g: Generator) -> np.ndarray:
    """Searches uniforms in each row's cumulative sums, kept in the row's type as PyTorch does."""
    real = rows.dtype if rows.dtype.itemsize >= 4 else np.dtype(np.float32)
    sums = np.cumsum(rows.astype(real), axis=1, dtype=real)
    sums /= sums[:, -1:]
    sums[:, -1] = 1
    u = g.uniform64((len(rows), n))
    return np.stack([np.searchsorted(s, v, side="left") for s, v in zip(sums, u, strict=True)])


def _like(name: str, fill: Callable, input: Any, options: dict) -> Any:
    """A tensor like `input`, filled by `fill(array, generator)`; `options` as of `rand_like`."""
    generator = options.pop("generator", None)
    requires_grad = options.pop("requires_grad", False)
    form = [options.pop(key, None) for key in ("dtype", "device", "memory_format")]
    for ignored in ("layout", "pin_memory"):
        options.pop(ignored, None)
    if options:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(options))}'")
    array = like_array(name, input, *form)
    device = form[1]
    if device is None or not is_meta(device):
        g = chosen(generator, device_of(array))
        fills.fill_there(lambda a: fill(a, g), array)
    return finish(array, requires_grad, device)


def rand_like(input: Any, **options: Any) -> Any:
    """Uniform numbers in [0, 1) in the input's shape, type and memory order.

    Options: generator, dtype, layout, device, pin_memory, requires_grad, memory_format.
    """
    made = fast_draw_like(False, input, options)
    if made is not None:
        return made
    return _like("rand_like", lambda a, g: fills.fill_uniform(a, 0.0, 1.0, g), input, options)


def randn_like(input: Any, **options: Any) -> Any:
    """Standard normal numbers in the input's shape, type and memory order; as `rand_like`."""
    made = fast_draw_like(True, input, options)
    if made is not None:
        return made
    return _like("randn_like", lambda a, g: fills.fill_normal(a, 0.0, 1.0, g), input, options)


def randint_like(input: Any, low: Any = 0, high: Any = None, **options: Any) -> Any:
    """`randint_like(x, high)`, `randint_like(x, low, high)`: integers in the input's shape.

    Options as `rand_like`.
    """
    if high is None:
        low, high = 0, low
    first, end = _bound("low", low), _bound("high", high)
    return _like("randint_like", lambda a, g: fills.fill_integers(a, first, end, g), input, options)
