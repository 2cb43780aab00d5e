"""What whole layers do with channels whose code is one call or many: recurrent layers, attention.

A recurrent layer's hidden units and an attention's heads are channels: a unit goes with its row in
every gate and its column in what reads it, a head with its rows of queries, keys and values and its
columns of the output's projection. A unit or head of zeros stays zero, so that the rest computes
the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ._run import tensors_in
from ._trace import Tracer

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


def _same_in_all(tracer: Tracer, rows: np.ndarray) -> np.ndarray:
    """Joins the rows of a matrix of labels with its first, which is returned."""
    tracer.channels.join(rows[1:], rows[:-1])
    return rows[0]


def _recurrent(tracer: Tracer, layer: Any, args: tuple, kwargs: dict, out: Any) -> None:
    """Hidden units: unit i of every layer and direction goes together, since states are stacked."""
    x = args[0]
    state = args[1] if len(args) > 1 else kwargs.get("hx")
    x = x[0] if isinstance(x, nn.utils.rnn.PackedSequence) else x
    join, gates = tracer.channels.join, GATES[layer.mode]
    taken = tracer.channels.lanes(tracer.shadow(x), x.ndim - 1)
    directions = 2 if layer.bidirectional else 1
    first: Any = None
    made: list[np.ndarray] = []
    for place, names in enumerate(layer._all_weights):
        weights = {name.rpartition("_l")[0]: getattr(layer, name) for name in names}
        if place and place % directions == 0:
            taken, made = np.concatenate(made), []
        join(tracer.along(weights["weight_ih"], 1), taken)
        units = tracer.made_by(weights["weight_ih"], 0).reshape(gates, -1)
        units = _same_in_all(tracer, units)
        every = np.tile(units, gates)
        for name in ("weight_hh", "bias_ih", "bias_hh"):
            if name in weights:
                join(tracer.along(weights[name], 0), every)
        given = units
        if "weight_hr" in weights:
            join(tracer.along(weights["weight_hr"], 1), units)
            given = tracer.made_by(weights["weight_hr"], 0)
        join(tracer.along(weights["weight_hh"], 1), given)
        first = first or (units, given)
        join(units, first[0])
        join(given, first[1])
        made.append(given)
    assert first is not None
    if state is not None:
        for label in first:
            tracer.channels.pin(label, "has an initial state that is given")
    y, last = out
    tracer.set(y[0] if isinstance(y, nn.utils.rnn.PackedSequence) else y, np.concatenate(made))
    cells = last if isinstance(last, tuple) else (last,)
    for t, ids in zip(cells, (first[1], first[0])):
        tracer.set(t, ids)


def _attention(tracer: Tracer, layer: Any, args: tuple, kwargs: dict, out: Any) -> None:
    """Heads of `nn.MultiheadAttention`; its inputs and their width stay."""
    for t in tensors_in([args, kwargs]):
        tracer.pin(t, "goes into MultiheadAttention, whose inputs keep their width")
    heads = layer.num_heads
    head: Any = None
    packed = layer.in_proj_weight
    separate = [layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight]
    for weight in [packed] if packed is not None else separate:
        rows = tracer.made_by(weight, 0)
        for part in np.split(rows, 3) if weight is packed else [rows]:
            labels = _same_in_all(tracer, part.reshape(heads, -1).T)
            head = labels if head is None else head
            tracer.channels.join(labels, head)
    width = np.repeat(head, layer.head_dim)
    vectors = [(layer.in_proj_bias, 0, np.tile(width, 3)), (layer.out_proj.weight, 1, width)]
    vectors += [(layer.bias_k, 2, width), (layer.bias_v, 2, width)]
    for t, dim, labels in vectors:
        if t is not None:
            tracer.channels.join(tracer.along(t, dim), labels)
    made = tracer.made_by(layer.out_proj.weight, 0)
    if layer.out_proj.bias is not None:
        tracer.channels.join(tracer.along(layer.out_proj.bias, 0), made)
    tracer.set(out[0], made)


def rule_of(module: Any) -> Callable | None:
    """The rule for a module that is followed as a whole; None for others."""
    if type(module) in (nn.RNN, nn.LSTM, nn.GRU):
        return _recurrent
    return _attention if type(module) is nn.MultiheadAttention else None


def set_sizes(module: Any) -> bool:
    """The numbers that such a layer knows its sizes by, made those of its weights; False: none."""
    if isinstance(module, nn.RNNBase):
        rows, module.input_size = getattr(module, module._all_weights[0][0]).shape
        module.hidden_size = rows // GATES[module.mode]
        if module.proj_size:
            module.proj_size = getattr(module, module._all_weights[0][-1]).shape[0]
    elif isinstance(module, nn.MultiheadAttention):
        module.num_heads = module.out_proj.weight.shape[1] // module.head_dim
    else:
        return False
    return True
