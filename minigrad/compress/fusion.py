"""Batch norms that are computed by the layers before them: whole models for evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import nn
from ..nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval
from ..overrides import TorchFunctionMode
from ._run import arguments, copied, evaluating, owners, tensors_in

__all__ = ["fuse_conv_bn"]

_LAYERS = (
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
    nn.Linear,
)  # fmt: skip
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


class _Uses(TorchFunctionMode):
    """Who made a batch norm's input, and how often each tensor is used."""

    def __init__(self, model: Any):
        self.owners = owners(model)
        self.made: dict[int, Any] = {}
        self.uses: dict[int, int] = {}
        self.calls: dict[int, int] = {}
        self.pairs: list[tuple[Any, Any, int]] = []
        self.kept: list[Any] = []

    def __torch_function__(
        self, func: Callable, types: Any, args: tuple = (), kwargs: dict | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        results = list(tensors_in(out))
        if not results:
            return out
        given = list(tensors_in([args, kwargs]))
        for t in given:
            self.uses[id(t)] = self.uses.get(id(t), 0) + 1
        modules = {id(m): m for t in given if id(t) in self.owners
                   for m in [self.owners[id(t)][0]]}  # fmt: skip
        self.kept += [*results, *given]  # no other tensor gets their `id`
        if len(modules) == 1:
            (module,) = modules.values()
            self.calls[id(module)] = self.calls.get(id(module), 0) + 1
            if isinstance(module, _LAYERS):
                self.made[id(results[0])] = module
            elif isinstance(module, _NORMS) and id(args[0]) in self.made:
                layer = self.made[id(args[0])]
                if not isinstance(layer, nn.Linear) or args[0].ndim == 2:  # channels are last, too
                    self.pairs.append((layer, module, id(args[0])))
        return out


def _hooked(module: Any) -> bool:
    """Whether somebody watches or changes the module's calls, as masks do."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def _fused(layer: Any, norm: Any) -> Any:
    if isinstance(layer, nn.Linear):
        return fuse_linear_bn_eval(layer, norm)
    if "Transpose" not in type(layer).__name__:
        return fuse_conv_bn_eval(layer, norm)
    if layer.groups == 1:
        return fuse_conv_bn_eval(layer, norm, transpose=True)
    return None


def fuse_conv_bn(model: Any, example_inputs: Any) -> tuple[Any, list[tuple[str, str]]]:
    """A copy for evaluation in which layers compute the batch norms behind them, and their names.

    One run on `example_inputs` shows which Linear, Conv or ConvTranspose layer's result goes into
    a batch norm and nowhere else; the norm becomes an Identity. Norms without running statistics,
    layers that are called more than once, and those with hooks or masks, stay. The copy computes
    the same up to rounding, which is tried on the example (RuntimeError if not). It is for
    evaluation: it has no statistics to train.
    """
    fused = copied(model).eval()
    uses = _Uses(fused)
    args = arguments(example_inputs)
    with evaluating(fused), uses:
        before = list(tensors_in(fused(*args)))
    outputs = {id(t) for t in before}
    names = {id(m): name for name, m in fused.named_modules()}
    done: list[tuple[str, str]] = []
    for layer, norm, between in uses.pairs:
        once = uses.calls[id(layer)] == uses.calls[id(norm)] == uses.uses[between] == 1
        if not once or between in outputs or norm.running_mean is None:
            continue
        if any(nn.utils.parametrize.is_parametrized(m) or _hooked(m) for m in (layer, norm)):
            continue
        new = _fused(layer, norm)
        if new is None:
            continue
        for place, module in list(fused.named_modules(remove_duplicate=False)):
            if module is layer:
                fused.set_submodule(place, new)
            elif module is norm:
                fused.set_submodule(place, nn.Identity())
        done.append((names[id(layer)], names[id(norm)]))
    with evaluating(fused):
        after = list(tensors_in(fused(*args)))
    for a, b in zip(before, after, strict=True):
        if not a.allclose(b, rtol=1e-3, atol=1e-3 * max(float(a.abs().max()), 1e-6)):
            raise RuntimeError("fuse_conv_bn: the fused model computes something else")
    return fused, done
