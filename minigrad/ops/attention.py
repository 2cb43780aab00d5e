"""Scaled dot-product attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import variable as _v
from ..autograd.record import apply
from ..autograd.variable import Node, Variable
from ..backend import device_of
from ..kernels import cpu
from ._nn import composed_grads, need_tensor, torch_name, wanted
from ._shape import broadcast_error, expand
from .arith import add, div, mul, sub
from .dropouts import Noise
from .linalg import matmul
from .movement import reshape
from .permutation import transpose
from .reduce import sum
from .unary import exp

__all__ = ["scaled_dot_product_attention"]


class ScaledDotProductAttention(Node):
    """softmax(q k^T scale + mask) v; the probabilities are not kept."""

    saves = (0, 1, 2, 3)
    saves_output = (0,)
    fresh = True

    def forward(
        self, q: Any, k: Any, v: Any, mask: Any, causal: bool, scale: float, noise: Noise | None
    ) -> Any:
        self.causal, self.scale, self.noise = causal, scale, noise
        factors = None if noise is None else self.factors(self.wide(q))
        out, self.stats = cpu.attention(q, k, v, mask, causal, scale, factors)
        self.ndim = q.ndim
        self.fused = q.ndim == 4 and noise is None and q.shape[-1] == v.shape[-1]
        return out

    def name(self) -> str:
        if self.fused and self.next[3] is None:
            return "ScaledDotProductFlashAttentionForCpuBackward0"
        return "UnsafeViewBackward0" if self.ndim > 2 else "MmBackward0"

    def wide(self, q: Any) -> Any:
        """The type computed in."""
        return np.dtype(np.float32) if q.dtype.itemsize == 2 else q.dtype

    def factors(self, dtype: Any) -> Any:
        """What dropout multiplies the probabilities by, or None."""
        if self.noise is None:
            return None
        return self.noise.mask().astype(dtype) * dtype.type(self.noise.scale)

    def backward(self, grad: Any) -> Any:
        """With p the probabilities: dv = p^T grad, ds = p (r - sum(p r)) for r = grad v^T,
        dq = ds k scale, dk = ds^T q scale, and ds for the mask."""
        q, k, v, mask, out = self.saved
        if isinstance(grad, Variable):
            return composed_grads(self.formula, (q, k, v, mask), grad)
        noise = None if self.noise is None else self.factors(self.wide(q))
        return cpu.attention_backward(
            grad, q, k, v, mask, self.causal, self.scale, noise, wanted(self), out, self.stats
        )

    def formula(self, q: Any, k: Any, v: Any, mask: Any) -> Any:
        """The attention in differentiable ops."""
        s = mul(matmul(q, transpose(k, -1, -2)), self.scale)
        if self.causal:
            allowed = np.tri(*s._array.shape[-2:], dtype=np.bool_, like=s._array)
            s = add(s, _v.wrap(_penalty(allowed, s._array.dtype)))
        if mask is not None:
            if mask._array.dtype == np.bool_:
                mask = _v.wrap(_penalty(mask._array, s._array.dtype))
            s = add(s, mask)
        # The constant top cancels in the division; a row that is masked entirely gives 0 / 1.
        top = s._array.max(-1, keepdims=True, initial=-np.inf)
        np.copyto(top, 0, where=np.isneginf(top))
        e = exp(sub(s, _v.wrap(top)))
        total = sum(e, -1, True)
        p = div(e, add(total, _v.wrap((total._array == 0).astype(total._array.dtype))))
        if self.noise is not None:
            p = mul(p, _v.wrap(self.factors(p._array.dtype)))
        return matmul(p, v)


def _penalty(allowed: Any, dtype: np.dtype) -> Any:
    return np.where(allowed, 0, -np.inf).astype(dtype)


def _check_operands(q: Any, k: Any, v: Any) -> None:
    if q.ndim < 2 or k.ndim < 2 or v.ndim < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{q.ndim} key.dim: {k.ndim} and value.dim: {v.ndim} instead."
        )
    if not q.dtype == k.dtype == v.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{torch_name(q)} key.dtype: {torch_name(k)} and value.dtype: {torch_name(v)} instead."
        )
    if q.dtype.kind not in "fV":
        raise RuntimeError(f"expected scalar type Float but found {torch_name(q)}")
    if q.shape[-1] != k.shape[-1]:
        raise RuntimeError(
            "scaled_dot_product_attention: given query and key of embedding sizes "
            f"{q.shape[-1]} and {k.shape[-1]}; needed: equal ones"
        )
    if k.shape[-2] != v.shape[-2]:
        raise RuntimeError(
            f"scaled_dot_product_attention: given {k.shape[-2]} keys and {v.shape[-2]} values; "
            "needed: as many of each"
        )


def _check_mask(mask: Any, q: Any, shape: tuple[int, ...], causal: bool) -> None:
    m = mask if mask is None else need_tensor("scaled_dot_product_attention", "attn_mask", mask)
    if m is None:
        return
    if m.dtype != np.bool_ and m.dtype not in (q.dtype, np.float32):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {torch_name(m)} and  query.dtype: {torch_name(q)} instead."
        )
    try:
        fits = np.broadcast_shapes(m.shape, shape) == shape
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"scaled_dot_product_attention: given attn_mask of shape {list(m.shape)}; needed: one "
            f"that broadcasts to {list(shape)}"
        )


def _repeat_heads(x: Any, heads: int) -> Any:
    """x (..., H, S, E) with each head repeated to `heads`, for grouped queries."""
    *lead, own, length, width = x._array.shape
    if own == heads:
        return x
    times = heads // own
    x = expand(reshape(x, (*lead, own, 1, length, width)), (*lead, own, times, length, width))
    return reshape(x, (*lead, heads, length, width))


def _plain(query: Any, key: Any, value: Any) -> bool:
    """Whether three tensors of one type and shape, all but empty, need no further checks."""
    if not (
        isinstance(query, _v.Variable)
        and isinstance(key, _v.Variable)
        and isinstance(value, _v.Variable)
    ):
        return False
    q, k, v = query._array, key._array, value._array
    shape = q.shape
    return (
        len(shape) >= 2
        and shape == k.shape == v.shape
        and q.dtype == k.dtype == v.dtype
        and q.dtype.kind in "fV"
        and q.size > 0
    )


def scaled_dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`softmax(query key^T scale + mask) value`; the probabilities are not kept for backward.

    Shapes (..., L, E), (..., S, E) and (..., S, F) give (..., L, F); what stands before broadcasts.
    `attn_mask` broadcasts to (..., L, S): boolean (True takes part) or added to the scores;
    `is_causal` lets row i see columns up to i. `scale` defaults to 1 / sqrt(E). `enable_gqa`
    repeats key and value heads to the query's. A row masked entirely gives 0. RuntimeError for
    shapes and dtypes that do not fit. (Vaswani et al. 2017.)
    """
    name = "scaled_dot_product_attention"
    if attn_mask is None and not dropout_p and _plain(query, key, value):
        if scale is None:
            scale = 1.0 / math.sqrt(query._array.shape[-1])
        return apply(
            ScaledDotProductAttention,
            (query, key, value, None),
            bool(is_causal),
            float(scale),
            None,
        )
    q = need_tensor(name, "query", query)
    k, v = need_tensor(name, "key", key), need_tensor(name, "value", value)
    _check_operands(q, k, v)
    if enable_gqa and q.ndim > 2 and k.ndim > 2 and v.ndim > 2:
        heads = q.shape[-3]
        if not k.shape[-3] or not v.shape[-3] or heads % k.shape[-3] or heads % v.shape[-3]:
            raise RuntimeError(
                "Number of heads in key and value must divide the number of heads in query"
            )
        key, value = _repeat_heads(key, heads), _repeat_heads(value, heads)
        k, v = key._array, value._array
    try:
        lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2])
        np.broadcast_shapes(lead, v.shape[:-2])
    except ValueError:
        other = k if q.shape[:-2] != k.shape[:-2] else v
        raise broadcast_error(
            np.empty((*q.shape[:-2], 1, 1), bool), np.empty((*other.shape[:-2], 1, 1), bool)
        ) from None
    shape = (*lead, q.shape[-2], k.shape[-2])
    _check_mask(attn_mask, q, shape, is_causal)
    noise = None
    if dropout_p:
        if not 0.0 <= dropout_p <= 1.0:
            raise RuntimeError(
                f"dropout probability has to be between 0 and 1, but got {dropout_p}"
            )
        keep = 1.0 - dropout_p
        noise = Noise(shape, keep, 1.0 / keep if keep else 0.0, place=device_of(q))
    if scale is None:
        scale = 1.0 / math.sqrt(q.shape[-1]) if q.shape[-1] else 1.0
    return apply(
        ScaledDotProductAttention,
        (query, key, value, attn_mask),
        bool(is_causal),
        float(scale),
        noise,
    )
