"""PyTorch's functions that write to their first argument: `exp_(x)` is `x.exp_()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import ops
from .ops._inplace import in_place
from .ops._shape import need_tensor
from .tensor import Tensor

_NAMES = (
    "abs_", "acos_", "acosh_", "addmv_", "alpha_dropout_", "arccos_", "arccosh_", "arcsin_",
    "arcsinh_", "arctan_", "arctanh_", "as_strided_", "asin_", "asinh_", "atan_", "atanh_", "ceil_",
    "celu_", "clamp_", "clamp_max_", "clamp_min_", "clip_", "cos_", "cosh_", "deg2rad_", "dropout_",
    "erf_", "erfc_", "exp2_", "exp_", "expm1_", "feature_alpha_dropout_", "feature_dropout_",
    "fill_", "fix_", "floor_", "frac_", "gcd_", "i0_", "index_put_", "lcm_", "ldexp_", "log10_",
    "log1p_", "log2_", "log_", "logit_", "nan_to_num_", "neg_", "negative_", "rad2deg_",
    "reciprocal_", "relu_", "round_", "rrelu_", "rsqrt_", "selu_", "sigmoid_", "sin_", "sinc_",
    "sinh_", "sqrt_", "square_", "tan_", "tanh_", "threshold_", "trunc_", "xlogy_", "zero_",
)  # fmt: skip
__all__ = list(_NAMES)


# Ops that tensors have no method for in PyTorch.
_OPS: dict[str, Callable] = {
    "alpha_dropout_": ops.alpha_dropout, "celu_": ops.celu, "dropout_": ops.dropout,
    "feature_alpha_dropout_": ops.feature_alpha_dropout, "feature_dropout_": ops.feature_dropout,
    "rrelu_": ops.rrelu, "selu_": ops.selu, "threshold_": ops.threshold,
}  # fmt: skip


def _function(name: str) -> Callable:
    method = in_place(_OPS[name], name) if name in _OPS else getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(need_tensor(name, input), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`input.{name}(...)`: writes to `input` and returns it."
    return function


globals().update({name: _function(name) for name in _NAMES})
