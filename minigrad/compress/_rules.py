"""What each function does with channels; see `minigrad.compress._trace`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.variable import Variable
from ..creation import from_numpy
from ..dispatch import plain
from ._channels import constant_along
from ._run import tensors_in
from ._trace import Tracer

_POINTWISE = [
    "abs", "absolute", "acos", "acosh", "add", "addcdiv", "addcmul", "alpha_dropout", "asin",
    "asinh", "atan", "atan2", "atanh", "bfloat16", "bitwise_and", "bitwise_not", "bitwise_or",
    "bool", "ceil", "celu", "clamp", "clamp_max", "clamp_min", "clip", "clone", "contiguous",
    "copysign", "cos", "cosh", "cpu", "cuda", "detach", "div", "divide", "double", "dropout",
    "dropout1d", "dropout2d", "dropout3d", "elu", "eq", "erf", "erfc", "exp", "exp2", "expm1",
    "feature_alpha_dropout", "feature_dropout", "float", "floor", "floor_divide", "fmax",
    "fmin", "fmod", "frac", "ge", "gelu", "greater", "greater_equal", "gt", "half",
    "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "heaviside", "hypot", "int",
    "isfinite", "isinf", "isnan", "le", "leaky_relu", "lerp", "less", "less_equal", "lgamma",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or",
    "logical_xor", "logit", "logsigmoid", "long", "lt", "masked_fill", "maximum", "minimum",
    "mish", "mul", "multiply", "nan_to_num", "ne", "neg", "negative", "not_equal", "positive",
    "pow", "reciprocal", "relu", "relu6", "remainder", "repeated_or_multiplied",
    "requires_grad", "round", "rrelu", "rsqrt", "rsub", "selu", "sigmoid", "sign", "silu",
    "sin", "sinh", "softplus", "softshrink", "softsign", "sqrt", "square", "sub", "subtract",
    "tan", "tanh", "tanhshrink", "threshold", "to", "true_divide", "trunc", "type", "type_as",
    "where", "xlogy",
]  # fmt: skip
_MOVEMENTS = [
    "broadcast_to", "cat", "channel_shuffle", "chunk", "column_stack", "concat", "concatenate",
    "diagonal", "dstack", "expand", "expand_as", "flatten", "flip", "fliplr", "flipud",
    "getitem", "hsplit", "hstack", "index_select", "moveaxis", "movedim", "narrow",
    "native_channel_shuffle", "permute", "pixel_shuffle", "pixel_unshuffle", "ravel", "repeat",
    "repeat_interleave", "reshape", "reshape_as", "reversed_dims", "roll", "rot90", "row_stack",
    "select", "split", "split_with_sizes", "squeeze", "stack", "swapaxes", "swapdims", "t",
    "tensor_split", "tile", "transpose", "unbind", "unflatten", "unfold", "unsqueeze", "view",
    "view_as", "vsplit", "vstack",
]  # fmt: skip
_REDUCTIONS = [
    "all", "amax", "amin", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max",
    "mean", "median", "min", "norm", "prod", "std", "sum", "var",
]  # fmt: skip
_ALONG = [
    "cumprod", "cumsum", "log_softmax", "normalize", "softmax", "softmin",
]  # fmt: skip
_SPATIAL = {
    f"{kind}{n}d": n
    for kind in ("avg_pool", "max_pool", "adaptive_avg_pool", "adaptive_max_pool", "lp_pool")
    for n in (1, 2, 3)
}


def _bound(func: Callable, args: tuple, kwargs: dict, *names: str) -> list[Any]:
    """Arguments by name, whether they were given by position or not."""
    code = inspect.signature(plain(func)).bind_partial(*args, **kwargs)
    code.apply_defaults()
    return [code.arguments.get(name) for name in names]


def _pointwise(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    parts = [tracer.shadow(t) for t in tensors_in([args, kwargs])]
    if func.__name__ in ("to", "type_as"):
        parts = parts[:1]
    tracer.set(out, tracer.channels.together(parts, tuple(out.shape)))


def _movement(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    def moved(value: Any) -> Any:
        if isinstance(value, Variable):
            if not (value.is_floating_point() or value.is_complex()):
                return value  # an index
            return from_numpy(np.array(tracer.shadow(value), order="C"))
        if isinstance(value, (list, tuple)):
            return type(value)(moved(v) for v in value)
        return value

    results = func(*moved(args), **{k: moved(v) for k, v in kwargs.items()})
    for t, ids in zip(tensors_in(out), tensors_in(results), strict=True):
        tracer.set(t, ids.numpy())


def _reduction(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    x = args[0]
    if len(args) > 1 and isinstance(args[1], Variable):  # max(a, b)
        _pointwise(tracer, func, args, kwargs, out)
        return
    given = args[1] if len(args) > 1 else kwargs.get("dim", kwargs.get("axis"))
    if func.__name__ == "norm":
        given = args[2] if len(args) > 2 else kwargs.get("dim")
    if given is None or given == () or given == []:
        given = tuple(range(x.ndim))
    dims = tuple(
        d % max(x.ndim, 1) for d in (given if isinstance(given, (tuple, list)) else [given])
    )
    ids = tracer.shadow(x)
    if not constant_along(ids, dims):
        tracer.pin(x, f"is reduced along the channels by {func.__name__}()")
        ids = np.zeros(ids.shape, np.int64)
    first = ids[tuple(slice(0, 1) if d in dims else slice(None) for d in range(x.ndim))]
    for t in tensors_in(out):
        tracer.set(t, first.reshape(tuple(t.shape)))


def _along(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    (dim,) = _bound(func, args, kwargs, "dim")
    x = args[0]
    ids = tracer.shadow(x)
    if not isinstance(dim, int) or not constant_along(ids, (dim % x.ndim,)):
        tracer.pin(x, f"is combined along the channels by {func.__name__}()")
        ids = np.zeros((), np.int64)
    tracer.set(out, ids)


def _spatial(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    """Pooling, padding and resampling: dimensions behind the channels, or whose size changes."""
    x = args[0]
    ids = tracer.shadow(x)
    outs = list(tensors_in(out))
    plane = _SPATIAL.get(func.__name__, 0 if "pad" in func.__name__ else x.ndim - 2)
    dims = tuple(d for d in range(x.ndim) if d >= x.ndim - plane or x.shape[d] != outs[0].shape[d])
    if not constant_along(ids, dims):
        tracer.pin(x, f"is combined along the channels by {func.__name__}()")
        ids = np.zeros(ids.shape, np.int64)
    first = ids[tuple(slice(0, 1) if d in dims else slice(None) for d in range(x.ndim))]
    for t in outs:
        tracer.set(t, first)


def _takes(tracer: Tracer, weight: Any, dim: int, lanes: np.ndarray) -> None:
    tracer.channels.join(tracer.along(weight, dim), lanes)


def _bias(tracer: Tracer, bias: Any, made: np.ndarray) -> None:
    if tracer.owned(bias):
        tracer.channels.join(tracer.along(bias, 0), made)
    elif bias is not None:
        tracer.channels.pin(made, "has a bias that is computed, not a parameter")


def _computed(tracer: Tracer, x: Any, name: str, out: Any) -> None:
    tracer.pin(x, f"goes into {name}() with a weight that is computed, not a parameter")
    tracer.set(out, np.zeros((), np.int64))


def _linear(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    x, weight, bias = _bound(func, args, kwargs, "input", "weight", "bias")
    if not tracer.owned(weight) or weight.ndim != 2:
        _computed(tracer, x, "linear", out)
        return
    _takes(tracer, weight, 1, tracer.channels.lanes(tracer.shadow(x), x.ndim - 1))
    made = tracer.made_by(weight, 0)
    _bias(tracer, bias, made)
    tracer.set(out, made)


def _conv(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    x, weight, bias, groups = _bound(func, args, kwargs, "input", "weight", "bias", "groups")
    if not tracer.owned(weight):
        _computed(tracer, x, func.__name__, out)
        return
    dim = x.ndim - (weight.ndim - 1)
    taken = tracer.channels.lanes(tracer.shadow(x), dim).reshape(groups, -1)
    join = tracer.channels.join
    if "transpose" in func.__name__:
        for lanes in taken:
            join(tracer.along(weight, 0).reshape(groups, -1), lanes)
        made = np.tile(tracer.made_by(weight, 1), groups)
    else:
        made = tracer.made_by(weight, 0)
        rows = made.reshape(groups, -1)
        if groups > 1 and taken.shape[1] == 1:  # one group for each channel: a group goes with it
            join(rows, taken)
        else:
            for lanes in taken:  # groups stay, each loses the same
                join(tracer.along(weight, 1), lanes)
            join(rows[1:], rows[:-1])
    _bias(tracer, bias, made)
    tracer.set(out, made.reshape(-1, *[1] * (weight.ndim - 2)))


def _norm(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    """Batch and instance norm: statistics of each channel."""
    names = ("input", "running_mean", "running_var", "weight", "bias")
    x, *vectors = _bound(func, args, kwargs, *names)
    _scaled(tracer, x, vectors, vectors[2], func.__name__)
    tracer.set(out, tracer.shadow(x))


def _scaled(tracer: Tracer, x: Any, vectors: list, scale: Any, name: str) -> np.ndarray:
    lanes = tracer.channels.lanes(tracer.shadow(x), 1)
    for vector in vectors:
        if tracer.owned(vector):
            tracer.channels.join(tracer.along(vector, 0), lanes)
        elif vector is not None:
            tracer.channels.pin(lanes, f"has a vector in {name}() that is computed")
    if tracer.owned(scale) and name == "batch_norm":
        tracer.scales.append(tracer.owners[id(scale)][2])
    return lanes


def _group_norm(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    """The channels of a group share statistics, so that they can only go together."""
    x, groups, weight, bias = _bound(func, args, kwargs, "input", "num_groups", "weight", "bias")
    lanes = _scaled(tracer, x, [weight, bias], None, "group_norm").reshape(groups, -1)
    tracer.channels.join(lanes[:, 1:], lanes[:, :-1])
    tracer.set(out, tracer.shadow(x))


def _layer_norm(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    x, shape = _bound(func, args, kwargs, "input", "normalized_shape")
    count = 1 if isinstance(shape, int) else len(shape)
    dims = tuple(range(x.ndim - count, x.ndim))
    ids = tracer.shadow(x)
    if not constant_along(ids, dims):
        tracer.pin(x, f"is normalised along the channels by {func.__name__}()")
        ids = np.zeros((), np.int64)
    tracer.set(out, ids)


def _prelu(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    x, weight = _bound(func, args, kwargs, "input", "weight")
    if weight.numel() > 1:
        _scaled(tracer, x, [weight], None, "prelu")
    tracer.set(out, tracer.shadow(x))


def _embedding(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    (weight,) = _bound(func, args, kwargs, "weight")
    if tracer.owned(weight):
        tracer.set(out, tracer.made_by(weight, 1))


def _glu(tracer: Tracer, func: Callable, args: tuple, kwargs: dict, out: Any) -> None:
    (dim,) = _bound(func, args, kwargs, "dim")
    first, second = np.split(np.array(tracer.shadow(args[0])), 2, axis=dim)
    tracer.set(out, tracer.channels.together([first, second], first.shape))


RULES: dict[str, Callable] = {
    **dict.fromkeys(_POINTWISE, _pointwise),
    **dict.fromkeys(_MOVEMENTS, _movement),
    **dict.fromkeys(_REDUCTIONS, _reduction),
    **dict.fromkeys(_ALONG, _along),
    **dict.fromkeys([*_SPATIAL, "pad", "constant_pad_nd", "interpolate", "upsample"], _spatial),
    **dict.fromkeys([f"conv{n}d" for n in (1, 2, 3)], _conv),
    **dict.fromkeys([f"conv_transpose{n}d" for n in (1, 2, 3)], _conv),
    "batch_norm": _norm,
    "embedding": _embedding,
    "glu": _glu,
    "group_norm": _group_norm,
    "instance_norm": _norm,
    "layer_norm": _layer_norm,
    "linear": _linear,
    "operator": _pointwise,
    "prelu": _prelu,
    "rms_norm": _layer_norm,
}
