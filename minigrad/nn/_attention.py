"""`multi_head_attention_forward`: the function under `MultiheadAttention`."""

from __future__ import annotations

import math
import warnings
from typing import Any

from .. import generator, ops
from ..creation import zeros, zeros_like


def check(condition: bool, message: str) -> None:
    """PyTorch raises AssertionError for wrong shapes here."""
    if not condition:
        raise AssertionError(message)


def _check_dims(
    query: Any, key: Any, value: Any, key_padding_mask: Any, attn_mask: Any, num_heads: int
) -> bool:
    """Whether the inputs have a batch dimension. AssertionError for wrong dimensions."""
    dims = query._array.ndim
    check(
        dims in (2, 3),
        f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor",
    )
    kind = "batched (3-D)" if dims == 3 else "unbatched (2-D)"
    k, v = key._array.ndim, value._array.ndim
    check(
        k == dims and v == dims,
        f"For {kind} `query`, expected `key` and `value` to be {dims}-D but found {k}-D and "
        f"{v}-D tensors respectively",
    )
    if key_padding_mask is not None:
        m = key_padding_mask._array.ndim
        check(
            m == dims - 1,
            f"For {kind} `query`, expected `key_padding_mask` to be `None` or {dims - 1}-D but "
            f"found {m}-D tensor instead",
        )
    if attn_mask is not None:
        m = attn_mask._array.ndim
        check(
            m in (2, 3),
            f"For {kind} `query`, expected `attn_mask` to be `None`, 2-D or 3-D but found {m}-D "
            "tensor instead",
        )
        if dims == 2 and m == 3:
            expected = (num_heads, query.shape[0], key.shape[0])
            check(
                tuple(attn_mask.shape) == expected,
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}",
            )
    return dims == 3


def additive_mask(mask: Any, name: str, dtype: Any, other: Any = None) -> Any:
    """A mask as numbers to add to the scores: -inf where a boolean mask is True."""
    if mask is None:
        return None
    kind = mask._array.dtype.kind
    check(kind in "bfV", f"only bool and floating types of {name} are supported")
    if other is not None and other.dtype != mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and attn_mask is deprecated. Use same type for both "
            "instead.",
            stacklevel=3,
        )
    if kind == "b":
        mask = zeros_like(mask, dtype=dtype).masked_fill(mask, float("-inf"))
    return mask


def _projected(
    query: Any, key: Any, value: Any, packed: Any, separate: tuple, bias: Any, width: int
) -> list:
    """Queries, keys and values from their inputs, in as few products as possible."""
    if packed is None:
        biases = bias.chunk(3) if bias is not None else (None, None, None)
        inputs = (query, key, value)
        for name, x, w in zip(("query", "key", "value"), inputs, separate):
            expected = (width, x.shape[-1])
            check(
                tuple(w.shape) == expected,
                f"expecting {name} weights shape of {expected}, but got {w.shape}",
            )
        return [ops.linear(x, w, b) for x, w, b in zip(inputs, separate, biases, strict=True)]
    if query is key and key is value:
        return list(ops.linear(query, packed, bias).chunk(3, -1))
    sizes = [width, 2 * width]
    w_q, w_kv = packed.split(sizes)
    b_q, b_kv = bias.split(sizes) if bias is not None else (None, None)
    if key is value:
        return [ops.linear(query, w_q, b_q), *ops.linear(key, w_kv, b_kv).chunk(2, -1)]
    w_k, w_v = w_kv.chunk(2)
    b_k, b_v = b_kv.chunk(2) if b_kv is not None else (None, None)
    return [ops.linear(query, w_q, b_q), ops.linear(key, w_k, b_k), ops.linear(value, w_v, b_v)]


def _checked_mask(mask: Any, batch_heads: int, target: int, source: int) -> Any:
    """An attention mask with a leading dimension. RuntimeError for a wrong shape."""
    if mask is None:
        return None
    ndim = mask._array.ndim
    expected = (target, source) if ndim == 2 else (batch_heads, target, source)
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"The shape of the {ndim}D attn_mask is {mask.shape}, but should be {expected}."
        )
    return mask.unsqueeze(0) if ndim == 2 else mask


def multi_head_attention_forward(
    query: Any,
    key: Any,
    value: Any,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Any,
    in_proj_bias: Any,
    bias_k: Any,
    bias_v: Any,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Any,
    out_proj_bias: Any,
    training: bool = True,
    key_padding_mask: Any = None,
    need_weights: bool = True,
    attn_mask: Any = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Any = None,
    k_proj_weight: Any = None,
    v_proj_weight: Any = None,
    static_k: Any = None,
    static_v: Any = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Any, Any]:
    """What `MultiheadAttention` computes, of (L, N, E) or (L, E) inputs and explicit weights."""
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same = (query is key, key is value)
        query = query.unsqueeze(1)
        key = query if same[0] else key.unsqueeze(1)
        value = key if same[1] else value.unsqueeze(1)
        if key_padding_mask is not None:
            key_padding_mask = key_padding_mask.unsqueeze(0)
    target, batch, embed_dim = query.shape
    source = key.shape[0]
    padding = additive_mask(key_padding_mask, "key_padding_mask", query.dtype, attn_mask)
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    if is_causal and padding is None and not need_weights:
        mask = None  # the hint alone says what the mask does
    else:
        mask = additive_mask(attn_mask, "attn_mask", query.dtype)
        is_causal = is_causal and padding is None
    check(
        embed_dim == embed_dim_to_check,
        f"was expecting embedding dimension of {embed_dim_to_check}, but got {embed_dim}",
    )
    # Heads that were removed (minigrad.compress) leave the projections narrower than the inputs.
    rows = q_proj_weight if use_separate_proj_weight else in_proj_weight
    width = embed_dim
    if rows is not None:
        width = rows.shape[0] // (1 if use_separate_proj_weight else 3)
    head_dim = width // num_heads
    check(
        head_dim * num_heads == width,
        f"embed_dim {width} not divisible by num_heads {num_heads}",
    )
    if use_separate_proj_weight:
        for name, weight in zip(
            ("q_proj_weight", "k_proj_weight", "v_proj_weight"),
            (q_proj_weight, k_proj_weight, v_proj_weight),
        ):
            check(weight is not None, f"use_separate_proj_weight is True but {name} is None")
        check(
            key.shape[:2] == value.shape[:2],
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}",
        )
    else:
        check(
            key.shape == value.shape, f"key shape {key.shape} does not match value shape "
            f"{value.shape}",
        )  # fmt: skip
        check(
            in_proj_weight is not None,
            "use_separate_proj_weight is False but in_proj_weight is None",
        )
    inputs, batch_major = _in_memory_order(query, key, value)
    q, k, v = _projected(
        *inputs,
        None if use_separate_proj_weight else in_proj_weight,
        (q_proj_weight, k_proj_weight, v_proj_weight),
        in_proj_bias,
        width,
    )
    for x, given in ((k, static_k), (v, static_v)):
        if given is None and x._array.size != source * batch * width:  # not the query's batch
            raise RuntimeError(
                f"shape '[{source}, {batch * num_heads}, {head_dim}]' is invalid for input of size "
                f"{x._array.size}"
            )
    mask = _checked_mask(mask, batch * num_heads, target, source)
    extra = 0  # positions added to the source, which no mask hides
    if bias_k is None and bias_v is None:
        k, v = _by_head(k, num_heads, batch_major), _by_head(v, num_heads, batch_major)
    else:
        check(bias_v is not None, "bias_k is set but bias_v is None")
        check(bias_k is not None, "bias_v is set but bias_k is None")
        check(static_k is None, "bias cannot be added to static key.")
        check(static_v is None, "bias cannot be added to static value.")
        if batch_major:
            k, v = k.transpose(0, 1), v.transpose(0, 1)
        k = _by_head(ops.cat([k, bias_k.repeat(1, batch, 1)]), num_heads, False)
        v = _by_head(ops.cat([v, bias_v.repeat(1, batch, 1)]), num_heads, False)
        extra += 1
    q = _by_head(q, num_heads, batch_major)
    k = _static("static_k", static_k, batch, num_heads, head_dim, k)
    v = _static("static_v", static_v, batch, num_heads, head_dim, v)
    if add_zero_attn:
        k = ops.cat([k, zeros((batch, num_heads, 1, head_dim), dtype=k.dtype)], 2)
        v = ops.cat([v, zeros((batch, num_heads, 1, head_dim), dtype=v.dtype)], 2)
        extra += 1
    source = k.shape[2]
    if mask is not None:
        if extra:
            mask = ops.pad(mask, (0, extra))
        one = mask.shape[0] == 1
        mask = mask.unsqueeze(0) if one else mask.reshape(batch, num_heads, -1, source)
    if padding is not None:
        if extra:
            padding = ops.pad(padding, (0, extra))
        check(
            padding.shape[0] == batch,
            f"Expected key_padded_mask.shape[0] to be {batch}, but got {padding.shape[0]}",
        )
        check(
            padding.shape[1] == source,
            f"Expected key_padded_mask.shape[1] to be {source}, but got {padding.shape[1]}",
        )
        rows = padding.reshape(batch, 1, 1, source)
        mask = rows if mask is None else mask + rows
    dropout = dropout_p if training else 0.0
    if need_weights:
        out, weights = _weighted(q, k, v, mask, dropout)
        if average_attn_weights:
            weights = weights.mean(dim=1)
        if not batched:
            weights = weights.squeeze(0)
    else:
        weights = None
        out = ops.scaled_dot_product_attention(q, k, v, mask, dropout, is_causal)
    # What is drawn after it lies in memory as PyTorch's result does, if dropout is to follow it.
    batch_major = batch_major and not (training and generator.settings.dropout_follows_torch)
    if batch_major:
        out = out.transpose(1, 2).reshape(batch, target, width)
    else:
        out = out.permute(2, 0, 1, 3).reshape(target, batch, width)
    out = ops.linear(out, out_proj_weight, out_proj_bias)
    if batch_major:
        out = out.transpose(0, 1)
    return (out if batched else out.squeeze(1)), weights


def _in_memory_order(query: Any, key: Any, value: Any) -> tuple[tuple[Any, Any, Any], bool]:
    """The inputs, and False; or, if they lie batch by batch, as (N, L, E), and True.

    What is computed in the order of the memory needs no copies.
    """
    arrays = query._array, key._array, value._array
    if not all(x.strides[1] > x.strides[0] and x.shape[0] > 1 for x in arrays):
        return (query, key, value), False
    q = query.transpose(0, 1)
    k = q if key is query else key.transpose(0, 1)
    v = q if value is query else k if value is key else value.transpose(0, 1)
    return (q, k, v), True


def _by_head(x: Any, heads: int, batch_major: bool) -> Any:
    """(N, L, E) or (L, N, E) seen as (N, heads, L, E / heads)."""
    a, b, width = x._array.shape
    x = x.view(a, b, heads, width // heads)
    return x.transpose(1, 2) if batch_major else x.permute(1, 2, 0, 3)


def _static(name: str, given: Any, batch: int, heads: int, head_dim: int, computed: Any) -> Any:
    """Keys or values by head as computed; or those that were given, (N * heads, S, head_dim)."""
    if given is None:
        return computed
    check(
        given.shape[0] == batch * heads,
        f"expecting {name}.size(0) of {batch * heads}, but got {given.shape[0]}",
    )
    check(
        given.shape[2] == head_dim,
        f"expecting {name}.size(2) of {head_dim}, but got {given.shape[2]}",
    )
    return given.reshape(batch, heads, -1, head_dim)


def _weighted(q: Any, k: Any, v: Any, mask: Any, dropout: float) -> tuple[Any, Any]:
    """Attention that keeps its weights: (output, weights)."""
    scores = (q * math.sqrt(1.0 / q.shape[-1])) @ k.transpose(-2, -1)
    if mask is not None:
        scores = scores + mask.to(scores.dtype)  # autocast may have lowered the products
    weights = ops.softmax(scores, -1)
    if dropout > 0.0:
        weights = ops.dropout(weights, p=dropout)
    return weights @ v, weights
