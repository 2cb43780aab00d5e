"""Weight sharing: weights as indices into a small table, and tensors that are one.

Han, Mao, Dally 2016 ("Deep compression": trained quantization).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import nn
from ..creation import from_numpy
from ..dtypes import int64
from ..nn.utils import parametrize
from ._names import chosen

__all__ = ["Codebook", "cluster_weights", "kmeans_1d", "tie_weights", "uncluster_weights"]


def kmeans_1d(values: Any, clusters: int, iterations: int = 50) -> tuple[Any, Any]:
    """(centres, index of each value's centre) of Lloyd's algorithm on a tensor of numbers.

    It starts from centres at equal distances between the extremes, which serve large weights best
    (Han et al.), and is deterministic. Centres are sorted; there are fewer if there are fewer
    different values. ValueError for fewer than one cluster or values that are not finite.
    """
    if clusters < 1:
        raise ValueError(f"kmeans_1d: clusters={clusters} was given; 1 or more is needed")
    flat = values.detach().double().numpy().reshape(-1)
    if not flat.size or not np.isfinite(flat).all():
        raise ValueError("kmeans_1d: finite values are needed, at least one")
    order = np.argsort(flat, kind="stable")
    x = flat[order]
    different = np.unique(x)
    if len(different) <= clusters:  # nothing to find
        centres, iterations = different, 0
    else:
        centres = np.linspace(x[0], x[-1], clusters)
    sums = np.concatenate([[0.0], np.cumsum(x)])
    for _ in range(iterations):
        # Sorted values and centres: clusters are intervals.
        edges = np.searchsorted(x, (centres[1:] + centres[:-1]) / 2)
        bounds = np.concatenate([[0], edges, [len(x)]])
        counts = np.diff(bounds)
        means = np.diff(sums[bounds]) / np.maximum(counts, 1)
        new = np.where(counts > 0, means, centres)
        if np.array_equal(new, centres):
            break
        centres = new
    index = np.searchsorted((centres[1:] + centres[:-1]) / 2, flat, side="right")
    shape = tuple(values.shape)
    table = from_numpy(centres).to(dtype=values.dtype, device=values.device)
    return table, from_numpy(index.reshape(shape))


class Codebook(nn.Module):
    """A parametrization: the weight is table[indices]; its gradient is summed for each entry.

    The indices take 4 bits for up to 16 clusters, 8 for up to 256, else 16.
    """

    indices: Any

    def __init__(self, clusters: int, iterations: int = 50) -> None:
        super().__init__()
        if not 1 <= clusters <= 1 << 15:
            raise ValueError(f"Codebook: clusters={clusters} was given; 1 to 32768 is needed")
        self.clusters, self.iterations = clusters, iterations
        self.shape: tuple[int, ...] = ()

    def right_inverse(self, weight: Any) -> Any:
        """The table for a weight, whose indices are kept."""
        table, index = kmeans_1d(weight, self.clusters, self.iterations)
        self.shape = tuple(weight.shape)
        flat = index.numpy().reshape(-1)
        if self.clusters <= 16:
            flat = np.concatenate([flat, np.zeros(flat.size % 2, flat.dtype)]).astype(np.uint8)
            packed = flat[::2] | (flat[1::2] << 4)
        else:
            packed = flat.astype(np.uint8 if self.clusters <= 256 else np.int16)
        self.register_buffer("indices", from_numpy(packed).to(weight.device))
        return table

    def forward(self, table: Any) -> Any:
        index = self.indices
        size = int(np.prod(self.shape))
        if self.clusters <= 16:
            packed = index.numpy()
            index = from_numpy(np.stack([packed & 15, packed >> 4], 1).reshape(-1)[:size])
        return table[index.to(int64)].reshape(self.shape)

    def extra_repr(self) -> str:
        return f"clusters={self.clusters}, shape={self.shape}"


def cluster_weights(
    model: Any, clusters: int = 16, *, layers: Any = None, iterations: int = 50
) -> list[str]:
    """Shares the weights of Linear, Conv and Embedding layers among `clusters` values, in place.

    Returns the layers' names. Each layer's weight becomes a table, which is trained further, and
    indices into it, which stay: 16 clusters take an eighth of float32's bytes, 256 a quarter (in
    files and in `compress.report`; a forward pass builds the weight anew). `layers`: only these
    names or patterns. Layers with fewer than four weights for each cluster are left out unless
    they are named. ValueError for names that fit no layer.
    """
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
    able = {
        name: m
        for name, m in model.named_modules()
        if isinstance(m, kinds) and not parametrize.is_parametrized(m, "weight")
    }
    if layers is None:
        names = [name for name, m in able.items() if m.weight.numel() >= 4 * clusters]
    else:
        names = chosen("cluster_weights", able, layers)
    if not names:
        raise ValueError(f"cluster_weights: no layer has enough weights for {clusters} clusters")
    for name in names:
        parametrize.register_parametrization(able[name], "weight", Codebook(clusters, iterations))
    return names


def uncluster_weights(model: Any) -> list[str]:
    """Makes shared weights ordinary ones of the same values, in place; returns layers' names."""
    names = []
    for name, module in model.named_modules():
        if not parametrize.is_parametrized(module, "weight"):
            continue
        if any(isinstance(p, Codebook) for p in module.parametrizations["weight"]):
            names.append(name)
    modules = dict(model.named_modules())
    for name in names:
        # Copies of a parametrized layer share its class, from which the weight is taken away.
        shared = type(modules[name])
        own = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
        modules[name].__class__ = type(shared.__name__, shared.__bases__, own)
        parametrize.remove_parametrizations(modules[name], "weight")
    return names


def tie_weights(model: Any, *names: str) -> Any:
    """Makes parameters one, the first: `tie_weights(model, "embed.weight", "out.weight")`.

    They share values and gradients, and are counted, trained and stepped once. Returns the model.
    ValueError for fewer than two names or unequal shapes.
    """
    if len(names) < 2:
        raise ValueError(f"tie_weights: {names} were given; two names or more are needed")
    first = model.get_parameter(names[0])
    for name in names[1:]:
        other = model.get_parameter(name)
        if other.shape != first.shape:
            raise ValueError(
                f"tie_weights: {names[0]} is {tuple(first.shape)}, {name} is {tuple(other.shape)}; "
                "equal shapes are needed"
            )
        owner, _, last = name.rpartition(".")
        setattr(model.get_submodule(owner), last, first)
    return model
