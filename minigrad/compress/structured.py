"""Structured pruning: channels and neurons are removed, so that a network gets smaller and faster.

Li et al. 2017 (norms of filters), Liu et al. 2017 (scales of batch norm).
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from .. import nn
from ..dtypes import finfo
from ._run import arguments, copied, evaluating, tensors_in
from ._scores import scored
from .channels import ChannelGraph, ChannelGroup, trace_channels
from .plan import ChannelPlan

__all__ = ["plan_channels", "prune_channels", "shrink"]


def _amounts(graph: ChannelGraph, amount: Any, layers: Any) -> list[tuple[ChannelGroup, float]]:
    """The groups that are asked for, each with the share of it that goes."""
    if isinstance(amount, dict):
        wanted: Iterable = amount.items()
    elif layers is not None:
        wanted = [(name, amount) for name in ([layers] if isinstance(layers, str) else layers)]
    else:
        return [(group, _share(amount)) for group in graph.groups]
    found: dict[int, tuple[ChannelGroup, float]] = {}
    known = [name for group in graph.groups for name in group.layers]
    for pattern, share in wanted:
        names = fnmatch.filter(known, pattern) or [pattern]  # a name that is refused says why
        for name in names:
            group = graph.group_of(name)
            found[id(group)] = (group, _share(share))
    return list(found.values())


def _share(amount: Any) -> float:
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 <= amount < 1:
        raise ValueError(f"amount={amount!r} was given; a share of the channels, 0 <= amount < 1")
    return float(amount)


def _chosen(
    chosen: list[tuple[ChannelGroup, float]], scores: Any, scope: str, least: int, multiple: int
) -> set[int]:
    """The labels that go: the lowest scores of each group, or of all groups."""
    going: set[int] = set()
    limit = np.inf
    if scope == "global" and chosen:
        share = chosen[0][1]
        values = np.sort(np.concatenate([scores(group, True) for group, _ in chosen]))
        count = round(share * len(values))
        limit = values[count - 1] if count else -np.inf
    for group, share in chosen:
        values = scores(group, scope == "global")
        if scope == "global":
            count = int((values <= limit).sum())
        else:
            count = round(share * len(values))
        kept = max(len(values) - count, least)
        kept = min(-(-kept // multiple) * multiple, len(values))
        order = np.argsort(values, kind="stable")
        going.update(group.labels[order[: len(values) - kept]].tolist())
    return going


def _plan(graph: ChannelGraph, going: set[int]) -> ChannelPlan:
    removed: dict[str, dict[int, list[int]]] = {}
    labels = np.array(sorted(going))
    for name, by_dim in graph.dims.items():
        for dim, ids in by_dim.items():
            indices = np.flatnonzero(np.isin(ids, labels)).tolist()
            if indices:
                removed.setdefault(name, {})[dim] = indices
    return ChannelPlan(removed, dict(graph.refused))


def _difference(model: Any, plan: ChannelPlan, example_inputs: Any) -> str | None:
    """None if the pruned model computes what the masked one does, else what is different."""
    masked, small = plan.mask(copied(model)), plan.apply(copied(model))
    args = arguments(example_inputs)
    with evaluating(masked), evaluating(small):
        wanted = list(tensors_in(masked(*copy.deepcopy(args))))
        try:
            found = list(tensors_in(small(*copy.deepcopy(args))))
        except Exception as error:
            return f"fails in the model's code without some channels ({error})"
    for a, b in zip(wanted, found, strict=True):
        eps = finfo(a.dtype).eps if a.is_floating_point() else 0.0
        x, y = a.detach().double().numpy(), b.detach().double().numpy()
        bound = min(2000 * eps, 0.05) * np.abs(x).max(initial=0)
        if x.shape != y.shape or not np.allclose(x, y, 0, bound, equal_nan=True):
            return "gives other results without its channels than with zeros in their place"
    return None


def plan_channels(
    model: Any,
    example_inputs: Any,
    amount: Any = 0.5,
    *,
    criterion: str | Callable = "l2",
    scope: str = "layer",
    layers: Any = None,
    min_channels: int = 1,
    round_to: int = 1,
    generator: Any = None,
) -> ChannelPlan:
    """What to remove from a model: the channels with the lowest scores.

    `amount`: the share of the channels that goes, or a dictionary of shares by layer name (with
    `*` and `?`). `criterion`: "l1", "l2" (norms of the weights that make a channel), "bn" (size
    of its batch norm's weight), "random" (from `generator`) or a function of a parameter's name,
    the parameter and the dimension, which returns a score for each index. `scope`: "layer" (each
    group loses the share) or "global" (all groups are ranked together, scores divided by their
    group's mean). `layers`: only these (names or patterns). Each group keeps `min_channels` and
    a multiple of `round_to`.

    The plan is tried: a pruned copy has to compute what a copy with zeros computes. Layers for
    which it does not (sizes written in the model's code) stay, and are named in `refused`.
    ValueError if a layer that was asked for has to stay, or if none is left.
    """
    if scope not in ("layer", "global"):
        raise ValueError(f"scope={scope!r} was given; 'layer' or 'global' is needed")
    if scope == "global" and isinstance(amount, dict):
        raise ValueError("scope='global' was given with an amount for each layer; one is needed")
    if min_channels < 1 or round_to < 1:
        raise ValueError(f"min_channels={min_channels}, round_to={round_to}: 1 or more is needed")
    graph = trace_channels(model, example_inputs)
    scores = scored(model, graph, criterion, generator)
    for _ in range(2):
        chosen = _amounts(graph, amount, layers)
        if not chosen:
            raise ValueError(f"no channels of this model can be removed:\n{graph}")
        plan = _plan(graph, _chosen(chosen, scores, scope, min_channels, round_to))
        reason = _difference(model, plan, example_inputs)
        if reason is None:
            return plan
        _refuse_failing(model, graph, example_inputs)
    raise ValueError(f"the pruned model {reason}")


def _refuse_failing(model: Any, graph: ChannelGraph, example_inputs: Any) -> None:
    """Removes one channel of each group by itself, and refuses the groups that do not bear it."""
    for group in list(graph.groups):
        trial = _plan(graph, {int(group.labels[-1])})
        reason = _difference(model, trial, example_inputs)
        if reason is not None:
            graph.refuse(group, reason)


def prune_channels(
    model: Any, example_inputs: Any, amount: Any = 0.5, *, inplace: bool = False, **options: Any
) -> Any:
    """A smaller model without the channels that `plan_channels` chooses; the same arguments.

    It computes what the model with zeros in place of these channels computes. A copy, unless
    `inplace`; train it further, with a new optimizer. The plan is its attribute `channel_plan`.
    """
    plan = plan_channels(model, example_inputs, amount, **options)
    small = plan.apply(model if inplace else copied(model))
    small.channel_plan = plan
    return small


def shrink(model: Any, example_inputs: Any, *, inplace: bool = False) -> Any:
    """A smaller model without the channels that are zero already, which computes the same.

    These are channels for which all that makes them (rows of weights, biases, weights and biases
    of norms) is zero and whose functions keep zero, as after
    `nn.utils.prune.ln_structured(layer, "weight", 0.5, n=2, dim=0)`; masks are made permanent
    first. ValueError if the model that is left computes something else.
    """
    whole = copied(model)
    for module in whole.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, nn.utils.prune.BasePruningMethod):
                nn.utils.prune.remove(module, hook._tensor_name)
    graph = trace_channels(whole, example_inputs)
    plan = _plan(graph, _silent(whole, graph))
    before, small = copied(whole), plan.apply(whole)
    args = arguments(example_inputs)
    with evaluating(before), evaluating(small):
        wanted = list(tensors_in(before(*copy.deepcopy(args))))
        found = list(tensors_in(small(*copy.deepcopy(args))))
    for a, b in zip(wanted, found, strict=True):
        if a.shape != b.shape or not a.allclose(b, rtol=1e-3, atol=1e-4 * float(a.abs().max())):
            raise ValueError(
                "shrink: the model without its zero channels computes something else; channels "
                "that stay zero through the functions behind them are needed"
            )
    small.channel_plan = plan
    if not inplace:
        return small
    for module in model.modules():
        for hook in list(module._forward_pre_hooks.values()):
            if isinstance(hook, nn.utils.prune.BasePruningMethod):
                nn.utils.prune.remove(module, hook._tensor_name)
    model.channel_plan = plan
    return plan.apply(model)


def _silent(model: Any, graph: ChannelGraph) -> set[int]:
    """The labels of channels that nothing makes: all parameters along them are zero.

    Of the layers that make a channel the rows count, of vectors (biases, norms) the elements;
    of the layers that take it none, since they may have any weights.
    """
    made = {name: dim for name, dim in graph.made}
    alive: set[int] = set()
    for name, p in model.named_parameters():
        for dim, ids in graph.dims.get(name, {}).items():
            if p.ndim > 1 and made.get(name) != dim:
                continue
            sizes = np.abs(p.detach().numpy()).reshape(p.shape)
            sizes = sizes.sum(axis=tuple(d for d in range(p.ndim) if d != dim))
            alive.update(ids[sizes != 0].tolist())
    return {
        int(label)
        for group in graph.groups
        for label in _but_one(group.labels, alive)
        if label not in alive
    }


def _but_one(labels: np.ndarray, alive: set[int]) -> np.ndarray:
    """The labels, less one if all are silent: a layer keeps a channel."""
    return labels if alive.intersection(labels.tolist()) else labels[1:]
