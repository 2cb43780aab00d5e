"""Following channels through one run of a model: which parameters' slices belong together.

Every tensor of the run has a shadow: an array of its shape with the label of the channel that each
element belongs to. Layers make new labels, movements of data move the shadow in the same way,
elementwise functions join the labels that meet, and whatever is not understood pins them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import nn
from ..autograd.variable import Variable
from ..overrides import TorchFunctionMode
from ._channels import Channels
from ._run import arguments, evaluating, owners, tensors_in


class Tracer(TorchFunctionMode):
    """The shadows of a run, and the labels along the dimensions of each parameter and buffer."""

    def __init__(self, model: Any, rules: dict[str, Callable]):
        self.channels = Channels()
        self.owners = owners(model)
        self.rules = rules
        self.dims: dict[str, dict[int, np.ndarray]] = {}
        # (name, dim) of weights whose dimension makes channels, and of scales of norms
        self.made: list[tuple[str, int]] = []
        self.scales: list[str] = []
        self.inside = False  # a layer that is followed as a whole
        # Tensors are kept, so that no other one gets their `id`.
        self._shadows: dict[int, tuple[Any, np.ndarray]] = {}

    def shadow(self, t: Any) -> np.ndarray:
        """The labels of a tensor's elements."""
        known = self._shadows.get(id(t))
        if known is not None:
            return known[1]
        shape = tuple(t.shape)
        long = [d for d, n in enumerate(shape) if n > 1]
        if len(long) == 1 and id(t) in self.owners:
            own = [1] * len(shape)
            own[long[0]] = shape[long[0]]
            ids = np.broadcast_to(self.along(t, long[0]).reshape(own), shape)
        else:
            ids = np.broadcast_to(np.zeros((), np.int64), shape)
        self._shadows[id(t)] = (t, ids)
        return ids

    def set(self, t: Any, ids: np.ndarray) -> None:
        """Gives a result its labels."""
        self._shadows[id(t)] = (t, np.broadcast_to(ids, tuple(t.shape)))

    def owned(self, t: Any) -> bool:
        """Whether a tensor is a parameter or buffer of the model."""
        return t is not None and id(t) in self.owners

    def along(self, t: Any, dim: int) -> np.ndarray:
        """The labels along a dimension of a parameter or buffer, made when first asked for."""
        known = self.dims.setdefault(self.owners[id(t)][2], {})
        if dim not in known:
            known[dim] = self.channels.new(t.shape[dim])
        return known[dim]

    def made_by(self, t: Any, dim: int) -> np.ndarray:
        """The labels of the channels that a layer with weight `t` makes."""
        entry = (self.owners[id(t)][2], dim)
        if entry not in self.made:
            self.made.append(entry)
        return self.along(t, dim)

    def pin(self, t: Any, reason: str) -> None:
        """Says that the channels in a tensor have to stay."""
        self.channels.pin(self.shadow(t), reason)

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.inside:
            return func(*args, **kwargs)
        name = func.__name__
        if name == "method" and func.__module__.endswith("._operators"):
            name = "operator"  # a comparison, or one with the operands the other way round
        plain = name[:-1] if name.endswith("_") and not name.endswith("__") else name
        rule = self.rules.get(plain)
        # In-place functions change what stands in their arguments: labels are read before.
        parts = [(t, self.shadow(t)) for t in tensors_in([args, kwargs])]
        out = func(*args, **kwargs)
        results = list(tensors_in(out))
        if not results:
            return out
        if rule is not None and (plain == name or out is args[0]):
            try:
                rule(self, func, args, kwargs, out)
                return out
            except Exception:  # a form of the call that the rule does not know
                pass
        for t, ids in parts:
            if not (self.owned(t) and t.ndim != 1):
                self.channels.pin(ids, f"goes through {name}(), which is not traced")
        for t in results:
            if not any(t is inner for inner, _ in parts):
                self.set(t, np.zeros((), np.int64))
        return out


def _pin_inputs(tracer: Tracer) -> Callable:
    def hook(module: Any, inputs: Any) -> None:
        for t in tensors_in(inputs):
            tracer.pin(t, f"goes into {type(module).__name__}, which is not traced")

    return hook


def _followed(tracer: Tracer, module: Any, rule: Callable) -> Callable:
    """The module's `forward`, whose calls are not traced one by one but told to `rule`."""
    forward = module.forward

    def whole(*args: Any, **kwargs: Any) -> Any:
        shadows = [(t, tracer.shadow(t)) for t in tensors_in([args, kwargs])]
        tracer.inside = True
        try:
            out = forward(*args, **kwargs)
        finally:
            tracer.inside = False
        for t in tensors_in(out):
            tracer.set(t, np.zeros((), np.int64))
        for t, ids in shadows:
            tracer.set(t, ids)
        rule(tracer, module, args, kwargs, out)
        return out

    return whole


def trace(model: Any, example_inputs: Any, rules: dict[str, Callable], rule_of: Callable) -> Tracer:
    """Runs the model on `example_inputs` and returns what was found.

    `rules` are those of functions; `rule_of` has that of a module that is followed as a whole, or
    None.
    """
    tracer = Tracer(model, rules)
    hooks, whole = [], []
    for module in model.modules():
        rule = rule_of(module)
        if rule is not None and "forward" not in module.__dict__:
            module.__dict__["forward"] = _followed(tracer, module, rule)
            whole.append(module)
        elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            hooks.append(module.register_forward_pre_hook(_pin_inputs(tracer)))
    try:
        with evaluating(model), tracer:
            out = model(*arguments(example_inputs))
    finally:
        for hook in hooks:
            hook.remove()
        for module in whole:
            del module.__dict__["forward"]
    found = list(tensors_in(out))
    if not found:
        raise TypeError(
            f"trace: the model returned {type(out).__name__}; tensors in lists, tuples or "
            "dictionaries are needed"
        )
    for t in found:
        assert isinstance(t, Variable)
        tracer.pin(t, "is an output of the model")
    return tracer
