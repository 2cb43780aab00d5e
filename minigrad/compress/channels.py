"""The channels of a model that can be removed, in groups that depend on each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._layers import rule_of
from ._rules import RULES
from ._trace import Tracer, trace

__all__ = ["ChannelGraph", "ChannelGroup", "trace_channels"]


@dataclass
class ChannelGroup:
    """Channels of one or several layers that are removed together.

    `layers`: the names of the layers that make them (those of a residual stage make one group);
    `channels`: how many sets there are to choose from, each removed as a whole; `labels`: the
    number of each set in the graph.
    """

    layers: list[str]
    labels: np.ndarray = field(repr=False)

    @property
    def channels(self) -> int:
        return len(self.labels)


@dataclass
class ChannelGraph:
    """What one run of a model shows about its channels.

    `groups`: what can be removed. `refused`: layers whose channels have to stay, with the reason.
    `dims`: for each parameter and buffer and each of its dimensions, the label of each index (0:
    none); `made`: (parameter, dimension) of each layer's output; `scales`: names of the weights
    of batch norms.
    """

    groups: list[ChannelGroup]
    refused: dict[str, str]
    dims: dict[str, dict[int, np.ndarray]] = field(repr=False)
    made: list[tuple[str, int]] = field(repr=False)
    scales: list[str] = field(repr=False)

    def group_of(self, layer: str) -> ChannelGroup:
        """The group that a layer belongs to. ValueError, with the reason, if its channels stay."""
        for group in self.groups:
            if layer in group.layers:
                return group
        if layer in self.refused:
            raise ValueError(f"{layer}: its channels have to stay: it {self.refused[layer]}")
        known = [name for group in self.groups for name in group.layers]
        raise ValueError(f"{layer}: no layer with channels; there are {known}")

    def __str__(self) -> str:
        lines = [f"{g.channels:6d}  {', '.join(g.layers)}" for g in self.groups]
        lines += [f"  kept  {name}: {reason}" for name, reason in self.refused.items()]
        return "\n".join(["channels  layers", *lines])

    def refuse(self, group: ChannelGroup, reason: str) -> None:
        """Takes a group out."""
        self.groups = [g for g in self.groups if g is not group]
        self.refused.update(dict.fromkeys(group.layers, reason))


def layer_of(parameter: str) -> str:
    """The name of the module that a parameter stands in."""
    return parameter.rpartition(".")[0] or parameter


def trace_channels(model: Any, example_inputs: Any) -> ChannelGraph:
    """Runs the model once and finds which channels can be removed, and what goes with them.

    `example_inputs`: what the model is called with, a tensor or a tuple of arguments; a batch of
    two shows more than one of one. Linear, Conv, ConvTranspose and Embedding layers make
    channels, and so do the hidden units of RNN, LSTM and GRU and the heads of MultiheadAttention;
    elementwise functions, sums of branches, concatenations, splits, reshapes, pooling,
    batch, group and instance norm are followed. Channels that reach anything else (layer norm,
    attention's inputs, cells of recurrent layers, the outputs of the model) have to stay. Nothing
    is changed.
    """
    tracer = trace(model, example_inputs, RULES, rule_of)
    roots = tracer.channels.roots()
    dims = {
        name: {d: roots[ids] for d, ids in by_dim.items() if ids.any()}
        for name, by_dim in tracer.dims.items()
    }
    groups, refused = _grouped(tracer, dims)
    return ChannelGraph(groups, refused, dims, tracer.made, tracer.scales)


def _grouped(
    tracer: Tracer, dims: dict[str, dict[int, np.ndarray]]
) -> tuple[list[ChannelGroup], dict[str, str]]:
    reasons = tracer.channels.reasons
    found: list[tuple[list[str], set[int]]] = []
    refused: dict[str, str] = {}
    for name, dim in tracer.made:
        layer = layer_of(name)
        ids = dims[name].get(dim)
        if ids is None:
            refused[layer] = "has a single channel"
            continue
        labels = set(ids.tolist()) - {0}
        pinned = [label for label in labels if label in reasons]
        free = labels.difference(pinned)
        if len(labels) < 2 or not free:
            refused[layer] = (
                reasons[pinned[0]] if pinned else "has channels that depend on each other"
            )
            continue
        layers = [layer]
        for other in [other for other in found if other[1] & free]:
            found.remove(other)
            layers, free = other[0] + [n for n in layers if n not in other[0]], free | other[1]
        found.append((layers, free))
    groups = [ChannelGroup(layers, np.array(sorted(free))) for layers, free in found]
    return groups, refused
