"""`flex_attention`: attention whose scores a function of the user's changes.

The function sees one score and its place (batch, head, query, key) and is mapped over all of them;
so is the function of a mask. Scores are held whole, (N, heads, L, S): this is for masks and biases
that have no other form, not for saving memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from ..creation import arange, zeros
from ..ops import logsumexp, matmul, repeat_interleave, softmax, where
from ._vmap import vmap

__all__ = [
    "AuxOutput", "AuxRequest", "BlockMask", "and_masks", "create_block_mask", "create_mask",
    "flex_attention", "noop_mask", "or_masks",
]  # fmt: skip


class AuxRequest(NamedTuple):
    """What `flex_attention` is to return besides the output."""

    lse: bool = False
    max_scores: bool = False


class AuxOutput(NamedTuple):
    """log(sum(exp(scores))) and the largest scores of each query, as far as asked for."""

    lse: Any = None
    max_scores: Any = None


def noop_mask(batch: Any, head: Any, token_q: Any, token_kv: Any) -> Any:
    """The mask that hides nothing."""
    return batch.new_ones(size=(), dtype=bool)


def and_masks(*mask_mods: Callable) -> Callable:
    """The mask that shows what all masks show. RuntimeError unless all are functions."""
    _need_functions(mask_mods)

    def both(b: Any, h: Any, q: Any, kv: Any) -> Any:
        result = b.new_ones((), dtype=bool)
        for mask in mask_mods:
            result = result & mask(b, h, q, kv)
        return result

    return both


def or_masks(*mask_mods: Callable) -> Callable:
    """The mask that shows what any mask shows. RuntimeError unless all are functions."""
    _need_functions(mask_mods)

    def either(b: Any, h: Any, q: Any, kv: Any) -> Any:
        result = b.new_zeros((), dtype=bool)
        for mask in mask_mods:
            result = result | mask(b, h, q, kv)
        return result

    return either


def _need_functions(mask_mods: tuple) -> None:
    if not all(callable(mask) for mask in mask_mods):
        raise RuntimeError(f"All inputs should be callable mask_mods: {mask_mods}")


def _mapped(function: Callable, shape: tuple, first: tuple = ()) -> Any:
    """`function(*first, b, h, q, kv)` at all places of (batch, heads, queries, keys)."""
    for d in (3, 2, 1, 0):  # the innermost map, over keys, is made first
        places = [0 if d == i else None for i in range(4)]
        function = vmap(function, in_dims=(*(0 for _ in first), *places))
    return function(*first, *[arange(n) for n in shape])


def create_mask(
    mod_fn: Callable, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None
) -> Any:
    """The values of a mask function, (B, H, Q_LEN, KV_LEN), booleans."""
    return _mapped(mod_fn, (B or 1, H or 1, Q_LEN, KV_LEN))


class BlockMask:
    """A mask by its function and, block by block, whether anything in it is shown.

    `shape` is (B, H, Q_LEN, KV_LEN), `BLOCK_SIZE` the two sizes of a block. `kv_num_blocks`
    (B, H, rows) and `kv_indices` (B, H, rows, columns) list the blocks that are partly shown,
    `full_kv_num_blocks` and `full_kv_indices` those that are shown whole.
    """

    def __init__(self, mask_mod: Callable, values: Any, block_size: tuple[int, int]):
        self.mask_mod, self.BLOCK_SIZE = mask_mod, block_size
        b, h, q, kv = self.shape = tuple(values.shape)
        self.seq_lengths = (q, kv)
        rows, columns = -(-q // block_size[0]), -(-kv // block_size[1])
        padded = zeros(b, h, rows * block_size[0], columns * block_size[1], dtype=values.dtype)
        padded[:, :, :q, :kv] = values
        blocks = padded.view(b, h, rows, block_size[0], columns, block_size[1])
        shown = blocks.sum((3, 5))
        full = shown == block_size[0] * block_size[1]
        self._shown = shown > 0
        self.kv_num_blocks, self.kv_indices = _listed(self._shown & ~full)
        self.full_kv_num_blocks, self.full_kv_indices = _listed(full)

    def to_dense(self) -> Any:
        """Whether anything in a block is shown, as 0 and 1: (B, H, rows, columns), int32."""
        return self._shown.int()

    def sparsity(self) -> float:
        """The share of blocks, in per cent, in which nothing is shown."""
        return 100 * (1 - self._shown.float().mean().item())

    def numel(self) -> int:
        """The number of the mask's elements."""
        return math.prod(self.shape)

    def to(self, device: Any) -> BlockMask:
        """The mask itself: it is a function."""
        return self

    def __repr__(self) -> str:
        return f"BlockMask(shape={self.shape}, sparsity={self.sparsity():.2f}%)"


def _listed(chosen: Any) -> tuple:
    """The number of true entries in each row, and the columns, those of true entries first."""
    return chosen.sum(-1).int(), chosen.int().argsort(dim=-1, descending=True, stable=True).int()


def create_block_mask(
    mask_mod: Callable,
    B: int | None,
    H: int | None,
    Q_LEN: int,
    KV_LEN: int,
    device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = 128,
    _compile: bool = False,
) -> BlockMask:
    """The mask `mask_mod(b, h, q, kv)` for `flex_attention`; B or H None: the same for all."""
    size = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    return BlockMask(
        mask_mod, create_mask(mask_mod, B, H, Q_LEN, KV_LEN, device), (size[0], size[1])
    )


def flex_attention(
    query: Any,
    key: Any,
    value: Any,
    score_mod: Callable | None = None,
    block_mask: BlockMask | None = None,
    scale: float | None = None,
    enable_gqa: bool = False,
    return_lse: bool = False,
    kernel_options: Any = None,
    *,
    return_aux: AuxRequest | None = None,
) -> Any:
    """softmax(score_mod(q k^T * scale, b, h, i, j)) v, of what `block_mask` shows.

    (N, H, L, E), (N, H, S, E), (N, H, S, Ev) -> (N, H, L, Ev); a query that sees nothing gets
    zeros. `enable_gqa`: each head of key and value serves several of the query. `return_lse`: also
    log(sum(exp(scores))), (N, H, L); `return_aux`: that and the largest scores, as asked.
    ValueError for shapes that do not fit.
    """
    for name, t in (("query", query), ("key", key), ("value", value)):
        if t.ndim != 4:
            raise NotImplementedError(
                f"NYI: query, key, and value must be 4D tensors; {name} has shape {t.shape}"
            )
    if query.dtype != key.dtype or query.dtype != value.dtype:
        raise ValueError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype}, key.dtype: {key.dtype}, and value.dtype: {value.dtype} instead."
        )
    if not enable_gqa and query.shape[1] != key.shape[1]:
        raise ValueError(
            f"Expect query and key/value to have the same number of heads but got "
            f"Hq={query.shape[1]} and Hkv={key.shape[1]}. Try setting enable_gqa=True for GQA."
        )
    if query.shape[1] % key.shape[1]:
        raise ValueError(
            f"Expect number of query heads to be a multiple of kv heads for GQA but got "
            f"Hq={query.shape[1]} and Hkv={key.shape[1]}."
        )
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (repeat_interleave(t, groups, dim=1) for t in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(query, key.transpose(-2, -1)) * factor
    if score_mod is not None:
        scores = _mapped(score_mod, scores.shape, (scores,)).to(scores.dtype)
    if block_mask is not None:
        shown = _mapped(block_mask.mask_mod, (*block_mask.shape[:2], *scores.shape[2:]))
        scores = where(shown, scores, -math.inf)
    blind = (scores == -math.inf).all(-1, keepdim=True)
    weights = where(blind, 0.0, softmax(where(blind, 0.0, scores), -1))
    output = matmul(weights, value)
    if return_aux is not None:
        lse = logsumexp(scores, -1) if return_aux.lse else None
        return output, AuxOutput(lse, scores.amax(-1) if return_aux.max_scores else None)
    return (output, logsumexp(scores, -1)) if return_lse else output
