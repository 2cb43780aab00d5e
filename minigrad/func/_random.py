"""Random numbers inside `vmap`: an error, the same for all samples, or different ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from .. import creation, dispatch, fills, ops, random, random_counts
from ..autograd.variable import Variable
from ..nn import functional
from ..ops import assign
from ._batched import RULES, Batched, Level, batched, flatten, is_at, loop, plain, state, value_at
from ._binding import bind, broadcasting, fold, unfold

_FACTORIES: list[Callable] = [
    random.rand,
    random.randn,
    random.randint,
    random.randperm,
    random.normal,
]
_LIKE: list[Callable] = [random.rand_like, random.randn_like, random.randint_like]
_FILLS: list[Callable] = [
    fills.uniform_, fills.normal_, fills.random_, fills.exponential_, fills.log_normal_,
    fills.geometric_, fills.cauchy_, fills.bernoulli_,
]  # fmt: skip
_DROPOUTS: list[Callable] = [ops.dropout, ops.alpha_dropout]
_FEATURE_DROPOUTS: list[Callable] = [ops.feature_dropout, ops.feature_alpha_dropout]
# Functions that are called for each sample where samples differ.
_ONE_BY_ONE = {random.normal, random.multinomial, random_counts.binomial, functional.rrelu}
_DRAWS: list[Callable] = [
    random.bernoulli,
    random.multinomial,
    random_counts.poisson,
    random_counts.binomial,
    functional.rrelu,
]


@contextlib.contextmanager
def _outside(level: Level) -> Iterator[None]:
    """Inside, the innermost map does not run: what is drawn is for the maps around it."""
    before = state.levels
    state.levels = before[: before.index(level)]
    try:
        yield
    finally:
        state.levels = before


def _is_idle(function: Callable, p: dict) -> bool:
    """Whether the call draws nothing."""
    if function is functional.rrelu:
        return not p.get("training", False)
    if function in _DROPOUTS or function in _FEATURE_DROPOUTS:
        return not p.get("training", function in (ops.dropout, ops.feature_dropout)) or (
            p.get("p", 0.5) == 0
        )
    return False


def drawn(function: Callable, args: tuple, kwargs: dict) -> Any:
    """The rule of all functions that draw random numbers."""
    if not state.levels:
        return plain(function)(*args, **kwargs)
    level = state.levels[-1]
    is_batched = any(v.__class__ is Batched for v in flatten((args, tuple(kwargs.values()))))
    p = bind(function, args, kwargs)
    if _is_idle(function, p):
        if not is_batched:
            return plain(function)(*args, **kwargs)
        p.pop("inplace", None)
        return broadcasting(function, (p.pop("input"),), p)
    if level.randomness == "error":
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            "'same' or 'different' randomness flags on vmap or perform the randomness operation "
            "out of vmap"
        )
    if level.randomness == "same":
        return _same(function, args, kwargs, level)
    return _different(function, args, kwargs, p, level)


def _same(function: Callable, args: tuple, kwargs: dict, level: Level) -> Any:
    if not any(is_at(v, level) for v in flatten((args, tuple(kwargs.values())))):
        with _outside(level):
            return function(*args, **kwargs)
    if function in _LIKE:
        shape = creation.empty(args[0]._array.shape, dtype=args[0].dtype)
        with _outside(level):
            return function(shape, *args[1:], **kwargs)
    if function in _FILLS and not any(is_at(v, level) for v in args[1:]):
        drawn_once = creation.empty(args[0]._array.shape, dtype=args[0].dtype)
        with _outside(level):
            function(drawn_once, *args[1:], **kwargs)
        return assign.copy_(args[0], drawn_once)
    if function in (ops.dropout, ops.feature_dropout):
        p = bind(function, args, kwargs)
        x = p.pop("input")
        p.pop("inplace", None)
        with _outside(level):
            mask = function(creation.ones(x._array.shape, dtype=x.dtype), **p)
        return ops.mul(x, mask)
    # Every sample draws from the same state of the generator.
    start = random.get_rng_state()

    def again(*given: Any, **named: Any) -> Any:
        random.set_rng_state(start)
        with _outside(level):
            return function(*given, **named)

    again.__name__ = function.__name__
    return loop(again, args, kwargs)


def _different(function: Callable, args: tuple, kwargs: dict, p: dict, level: Level) -> Any:
    if function in _FACTORIES and not any(isinstance(v, Variable) for v in args):
        with _outside(level):
            if function in (random.rand, random.randn):
                size = kwargs.pop("size", args)
                sizes = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
                return batched(function((level.size, *sizes), **kwargs), level)
            each = [function(*args, **kwargs) for _ in range(level.size)]
        return batched(ops.stack(each), level)
    first = args[0] if args else next(iter(p.values()))
    if function in _FILLS:
        if not is_at(first, level):
            raise RuntimeError(
                "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This "
                "will appear like same randomness. If this is necessary for your usage, please "
                "open an issue or use an out-of-place operation."
            )
        if any(is_at(v, level) for v in args[1:]):
            return _each(function, args, kwargs, level)
        with _outside(level):
            function(first.value, *args[1:], **kwargs)
        return first
    others = [v for name, v in p.items() if name != "input" and is_at(v, level)]
    if others or function in _ONE_BY_ONE:
        return _each(function, args, kwargs, level)
    name = "input" if "input" in p else next(iter(p))
    x = p[name]
    p.pop("inplace", None)
    value = value_at(x, level)
    with _outside(level):
        if function in _FEATURE_DROPOUTS and x._array.ndim >= 2:
            p[name] = fold(value)
            return batched(unfold(function(**p), level.size), level)
        p[name] = value
        return batched(function(**p), level)


def _each(function: Callable, args: tuple, kwargs: dict, level: Level) -> Any:
    """One call for each sample."""
    if not any(is_at(v, level) for v in flatten((args, tuple(kwargs.values())))):
        with _outside(level):
            return batched(ops.stack([function(*args, **kwargs) for _ in range(level.size)]), level)

    def outside(*given: Any, **named: Any) -> Any:
        with _outside(level):
            return function(*given, **named)

    outside.__name__ = function.__name__
    return loop(outside, args, kwargs)


def surroundings(function: Callable, args: tuple, kwargs: dict) -> Any:
    """What a function that is always handed on does without a batched argument."""
    if function in ALL and state.levels:
        return drawn(function, args, kwargs)
    return plain(function)(*args, **kwargs)


ALL: set[Callable] = {*_FACTORIES, *_LIKE, *_FILLS, *_DROPOUTS, *_FEATURE_DROPOUTS, *_DRAWS}
RULES.update({f: drawn for f in ALL})
RULES[functional.gumbel_softmax] = None
dispatch.surroundings = surroundings
