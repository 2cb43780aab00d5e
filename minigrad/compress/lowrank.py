"""Low-rank factorisation: a layer becomes two thin ones, by the singular values of its weight."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .. import linalg, nn
from ..autograd.modes import no_grad
from ._names import fitting
from ._run import copied

__all__ = ["Factored", "factorize", "factorize_layer"]


@dataclass
class Factored:
    """One layer's factorisation: its rank, the full rank, and the share of energy it keeps.

    The energy is the sum of the squares of the singular values; the Frobenius norm of what is
    lost is sqrt(1 - energy) times the weight's.
    """

    rank: int
    full_rank: int
    energy: float


def _rank(values: Any, rank: Any, energy: float | None) -> int:
    full = len(values)
    if (rank is None) == (energy is None):
        raise ValueError("factorize: rank or energy is needed, one of them")
    if energy is not None:
        if not 0 < energy <= 1:
            raise ValueError(f"factorize: energy={energy} was given; 0 < energy <= 1 is needed")
        kept = (values**2).cumsum(0) / (values**2).sum().clamp(min=1e-300)
        return min(int((kept < energy - 1e-12).sum()) + 1, full)
    if isinstance(rank, float):
        if not 0 < rank <= 1:
            raise ValueError(f"factorize: rank={rank} was given; a share in (0, 1] or an int")
        return max(1, round(rank * full))
    if not isinstance(rank, int) or not 1 <= rank <= full:
        raise ValueError(f"factorize: rank={rank!r} was given; 1 to {full} is needed")
    return rank


def _split(matrix: Any, rank: Any, energy: float | None) -> tuple[Any, Any, Factored]:
    """(rows, r) and (r, columns) whose product is nearest to the matrix (Eckart, Young 1936)."""
    u, s, vh = linalg.svd(matrix.detach().double(), full_matrices=False)
    r = _rank(s, rank, energy)
    root = s[:r].sqrt()
    total = float((s**2).sum())
    kept = float((s[:r] ** 2).sum()) / total if total else 1.0
    return u[:, :r] * root, root[:, None] * vh[:r], Factored(r, len(s), kept)


def factorize_layer(
    layer: Any, rank: Any = None, *, energy: float | None = None, conv: str = "channel"
) -> tuple[Any, Factored]:
    """Two layers in place of a Linear or Conv2d, and what they keep; see `factorize`.

    `conv`: "channel", r filters and a 1 x 1 convolution (Zhang et al. 2016), or "spatial", a
    column and a row of taps (Jaderberg et al. 2014). TypeError for other layers, ValueError for
    convolutions with groups.
    """
    if isinstance(layer, nn.Linear):
        b, a, what = _split(layer.weight, rank, energy)
        kind = {"device": layer.weight.device, "dtype": layer.weight.dtype}
        first: Any = nn.Linear(layer.in_features, what.rank, bias=False, **kind)
        second: Any = nn.Linear(what.rank, layer.out_features, layer.bias is not None, **kind)
    elif isinstance(layer, nn.Conv2d):
        if layer.groups != 1:
            raise ValueError(f"factorize: a convolution of {layer.groups} groups; one is needed")
        first, second, a, b, what = _conv_layers(layer, rank, energy, conv)
    else:
        raise TypeError(f"factorize: {type(layer).__name__} was given; Linear or Conv2d is needed")
    with no_grad():
        first.weight.copy_(a.reshape(first.weight.shape))
        second.weight.copy_(b.reshape(second.weight.shape))
        if layer.bias is not None:
            second.bias.copy_(layer.bias)
    pair = nn.Sequential(first, second)
    for p in pair.parameters():
        p.requires_grad_(layer.weight.requires_grad)
    return pair.train(layer.training), what


def _conv_layers(layer: Any, rank: Any, energy: float | None, conv: str) -> tuple:
    w = layer.weight
    o, i, kh, kw = w.shape
    kind = {"device": w.device, "dtype": w.dtype, "padding_mode": layer.padding_mode}
    bias = layer.bias is not None
    if conv == "channel":
        b, a, what = _split(w.reshape(o, -1), rank, energy)
        first = nn.Conv2d(
            i, what.rank, (kh, kw), layer.stride, layer.padding, layer.dilation, bias=False, **kind
        )
        return first, nn.Conv2d(what.rank, o, 1, bias=bias, **kind), a, b, what
    if conv != "spatial":
        raise ValueError(f"factorize: conv={conv!r} was given; 'channel' or 'spatial' is needed")
    # w[o, i, y, x] = sum over r of b[o, x, r] a[r, i, y]
    b, a, what = _split(w.permute(0, 3, 1, 2).reshape(o * kw, i * kh), rank, energy)
    word = isinstance(layer.padding, str)
    rows, columns = (layer.padding,) * 2 if word else ((layer.padding[0], 0), (0, layer.padding[1]))
    stride, dilation = layer.stride, layer.dilation
    first = nn.Conv2d(
        i, what.rank, (kh, 1), (stride[0], 1), rows, (dilation[0], 1), bias=False, **kind
    )
    second = nn.Conv2d(
        what.rank, o, (1, kw), (1, stride[1]), columns, (1, dilation[1]), bias=bias, **kind
    )
    return first, second, a, b.reshape(o, kw, what.rank).permute(0, 2, 1), what


def factorize(
    model: Any,
    rank: Any = None,
    *,
    energy: float | None = None,
    layers: Any = None,
    conv: str = "channel",
    always: bool = False,
    inplace: bool = False,
) -> tuple[Any, dict[str, Factored]]:
    """A model whose Linear and Conv2d layers are products of thinner ones, and what each keeps.

    `rank`: a number, a share of the full rank (a float), or a dictionary of these by layer name
    (with `*`); or `energy`: the least rank that keeps this share of the squares of the singular
    values. `layers`: only these names or patterns. A layer stays as it is where two would have no
    fewer parameters, unless `always`. A copy, unless `inplace`; at full rank it computes the same.
    ValueError for names that fit no such layer.
    """
    model = model if inplace else copied(model)
    able = {
        name: m
        for name, m in model.named_modules()
        if type(m) is nn.Linear or (type(m) is nn.Conv2d and m.groups == 1)
        if name and not nn.utils.parametrize.is_parametrized(m)
    }
    wanted = rank if isinstance(rank, dict) else dict.fromkeys(
        ["*"] if layers is None else [layers] if isinstance(layers, str) else layers, rank
    )  # fmt: skip
    found: dict[str, Factored] = {}
    for pattern, share in wanted.items():
        for name in fitting("factorize", able, pattern):
            if name in found:
                continue
            pair, what = factorize_layer(able[name], share, energy=energy, conv=conv)
            sizes = [sum(math.prod(p.shape) for p in m.parameters()) for m in (pair, able[name])]
            if sizes[0] >= sizes[1] and not always:
                continue
            found[name] = what
            old = able[name]
            for place, module in list(model.named_modules(remove_duplicate=False)):
                if module is old:
                    model.set_submodule(place, pair)
    return model, found
