"""How much the channels of a model matter: the criteria of structured pruning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..random import rand
from .channels import ChannelGraph, ChannelGroup

_CRITERIA = ("l1", "l2", "bn", "random")


def scored(
    model: Any, graph: ChannelGraph, criterion: str | Callable, generator: Any = None
) -> Callable[[ChannelGroup, bool], np.ndarray]:
    """A function of (group, relative) that returns a score for each of the group's channels.

    `relative`: divided by the group's mean, to compare groups. ValueError for an unknown
    criterion, or "bn" for channels that no batch norm scales.
    """
    if not callable(criterion) and criterion not in _CRITERIA:
        raise ValueError(
            f"criterion={criterion!r} was given; one of {_CRITERIA} or a function is needed"
        )
    names = dict(model.named_parameters())
    entries = [(name, 0) for name in graph.scales] if criterion == "bn" else graph.made
    total = np.zeros(1 + max((int(ids.max()) for d in graph.dims.values() for ids in d.values()),
                             default=0))  # fmt: skip
    counted = np.zeros(len(total), dtype=bool)
    if criterion == "random":
        total = rand(len(total), generator=generator).double().numpy()
        counted[:] = True
        entries = []
    for name, dim in entries:
        if name not in names or dim not in graph.dims[name]:
            continue
        ids = graph.dims[name][dim]
        np.add.at(total, ids, _values(name, names[name], dim, criterion))
        counted[ids] = True
    if criterion == "l2":
        total = np.sqrt(total)

    def scores(group: ChannelGroup, relative: bool) -> np.ndarray:
        if not counted[group.labels].all():
            raise ValueError(
                f"criterion='bn' was given; the channels of {', '.join(group.layers)} go through "
                "no batch norm with a weight"
            )
        values = total[group.labels]
        return values / max(values.mean(), 1e-30) if relative else values

    return scores


def _values(name: str, p: Any, dim: int, criterion: str | Callable) -> np.ndarray:
    if callable(criterion):
        values = criterion(name, p.detach(), dim)
        values = np.asarray(values.detach().numpy() if hasattr(values, "detach") else values)
        if values.shape != (p.shape[dim],):
            raise ValueError(
                f"criterion: {values.shape} was returned for dimension {dim} of {name}; a score "
                f"for each of {p.shape[dim]} indices is needed"
            )
        return values.astype(np.float64)
    sizes = np.abs(p.detach().double().numpy())
    others = tuple(d for d in range(p.ndim) if d != dim)
    return (sizes**2).sum(axis=others) if criterion == "l2" else sizes.sum(axis=others)
