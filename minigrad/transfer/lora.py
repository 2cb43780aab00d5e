"""LoRA: fine-tuning by low-rank changes of frozen weights (Hu et al. 2021)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .. import nn
from ._adapters import (
    Adapter,
    LoRAConv1d,
    LoRAConv2d,
    LoRAConv3d,
    LoRAEmbedding,
    LoRALinear,
    LoRAMultiheadAttention,
    LoRAWeight,
)
from .freezing import _fits, _need_known

__all__ = [
    "add_lora", "load_lora_state_dict", "lora_state_dict", "mark_only_lora_as_trainable",
    "merge_lora", "remove_lora", "unmerge_lora",
]  # fmt: skip

_CLASSES: dict[type, type] = {
    nn.Linear: LoRALinear,
    nn.Conv1d: LoRAConv1d,
    nn.Conv2d: LoRAConv2d,
    nn.Conv3d: LoRAConv3d,
    nn.Embedding: LoRAEmbedding,
    nn.MultiheadAttention: LoRAMultiheadAttention,
}
_OUTPUT: type = nn.modules.linear.NonDynamicallyQuantizableLinear  # of MultiheadAttention
_PROJECTIONS = {"in_proj_weight": 3, "q_proj_weight": 1, "k_proj_weight": 1, "v_proj_weight": 1}


def _chosen(model: Any, target_modules: Any) -> list[tuple[str, Any]]:
    """The layers that patterns name and that can have adapters."""
    able = [
        (name, m) for name, m in model.named_modules() if type(m) in _CLASSES or type(m) is _OUTPUT
    ]
    if target_modules is None:
        return [(name, m) for name, m in able if not isinstance(m, nn.Embedding)]
    patterns = [target_modules] if isinstance(target_modules, str) else list(target_modules)
    every = {name: m for name, m in model.named_modules() if name}
    chosen = []
    for pattern in patterns:
        # The last part of a name is enough: "q_proj" means every module of this name.
        found = [(n, m) for n, m in able if _fits(n, pattern) or _fits(n.split(".")[-1], pattern)]
        if not found:
            if pattern in every:
                raise ValueError(
                    f"add_lora: {pattern} is a {type(every[pattern]).__name__}; Linear, Conv1d, "
                    "Conv2d, Conv3d, Embedding or MultiheadAttention is needed"
                )
            _need_known("add_lora", pattern, [name for name, _ in able])
        chosen += [pair for pair in found if pair not in chosen]
    return chosen


def add_lora(
    model: Any,
    r: int = 8,
    lora_alpha: float | None = None,
    *,
    target_modules: str | Iterable[str] | None = None,
    lora_dropout: float = 0.0,
    use_rslora: bool = False,
    bias: str = "none",
    modules_to_save: str | Iterable[str] = (),
) -> list[str]:
    """Gives layers of a model adapters of rank `r`, in place, and freezes everything else.

    Returns the names of the layers. `lora_alpha` (by default r): the change counts lora_alpha / r,
    with `use_rslora` lora_alpha / sqrt(r). `target_modules`: names or patterns of layers, or the
    last parts of their names; by default all Linear, Conv1d to Conv3d and MultiheadAttention.
    Embeddings are adapted when they are named. `lora_dropout`: of the adapters' inputs (not in
    attention and grouped convolutions). `bias`: which biases learn, "none", "all" or "lora_only".
    `modules_to_save`: patterns of what learns whole, such as a new head. Layers keep their names,
    so that old weights still fit; at first the model computes what it did. ValueError for names
    that fit nothing or cannot have adapters, and for layers that have one.
    """
    if not isinstance(r, int) or r < 1:
        raise ValueError(f"add_lora: r={r!r} was given; a whole number from 1 on is needed")
    if not 0 <= lora_dropout < 1:
        raise ValueError(f"add_lora: lora_dropout={lora_dropout} was given; 0 <= p < 1 is needed")
    whole = (modules_to_save,) if isinstance(modules_to_save, str) else tuple(modules_to_save)
    for pattern in whole:
        _need_known("add_lora", pattern, [name for name, _ in model.named_parameters()])
    if any(isinstance(m, Adapter) for m in model.modules()):
        raise ValueError("add_lora: the model has adapters; remove_lora(model) is needed first")
    layers = [
        (name, m)
        for name, m in _chosen(model, target_modules)
        if not any(_fits(name, pattern) for pattern in whole)
    ]
    if not layers:
        raise ValueError("add_lora: the model has no layer that can have an adapter")
    alpha = r if lora_alpha is None else lora_alpha
    scaling = alpha / (math.sqrt(r) if use_rslora else r)
    owners: dict[int, int] = {}
    for module in model.modules():
        for p in module._parameters.values():
            owners[id(p)] = owners.get(id(p), 0) + 1
    for name, module in layers:
        if nn.utils.parametrize.is_parametrized(module):
            raise ValueError(f"add_lora: {name} has parametrized weights; plain ones are needed")
        if any(owners[id(module._parameters.get(w))] > 1 for w in _weights(module)):
            raise ValueError(f"add_lora: the weight of {name} is also another layer's")
        before = type(module)
        blocks = _weights(module)
        module.__class__ = LoRAWeight if before is _OUTPUT else _CLASSES[before]
        module.lora_set_up(blocks, r, scaling, float(lora_dropout))
    mark_only_lora_as_trainable(model, bias)
    for name, p in model.named_parameters():
        if any(_fits(name, pattern) for pattern in whole):
            p.requires_grad_(True)
    return [name for name, _ in layers]


def _weights(module: Any) -> dict[str, int]:
    """The weights of a layer that get an adapter, and how many blocks of rows each has."""
    if type(module) is not nn.MultiheadAttention:
        return {"weight": 1}
    return {n: c for n, c in _PROJECTIONS.items() if module._parameters[n] is not None}


def _is_lora(name: str) -> bool:
    return name.rpartition(".")[2].startswith("lora_")


def mark_only_lora_as_trainable(model: Any, bias: str = "none") -> None:
    """Freezes all parameters but those of adapters, and biases: "none", "all", "lora_only"."""
    if bias not in ("none", "all", "lora_only"):
        raise ValueError(f"bias={bias!r} was given; 'none', 'all' or 'lora_only' is needed")
    adapted = {id(p) for m in model.modules() if isinstance(m, Adapter)
               for n, p in m._parameters.items() if p is not None and "bias" in n}  # fmt: skip
    for name, p in model.named_parameters():
        is_bias = name.rpartition(".")[2].endswith("bias")
        learns = _is_lora(name) or (is_bias and bias == "all")
        p.requires_grad_(learns or (bias == "lora_only" and id(p) in adapted))


def _adapters(model: Any) -> list[Any]:
    found = [m for m in model.modules() if isinstance(m, Adapter)]
    if not found:
        raise ValueError("the model has no LoRA adapters; add_lora(model) is needed first")
    return found


def merge_lora(model: Any) -> Any:
    """Adds the adapters' changes to the weights, so that they cost nothing; returns the model."""
    for module in _adapters(model):
        module.lora_merge()
    return model


def unmerge_lora(model: Any) -> Any:
    """Undoes `merge_lora`, bit for bit; returns the model."""
    for module in _adapters(model):
        module.lora_unmerge()
    return model


def remove_lora(model: Any, merge: bool = True) -> Any:
    """Turns adapted layers into plain ones, with the changes (`merge`) or without.

    Returns the model. All parameters learn again.
    """
    for module in _adapters(model):
        module.lora_merge() if merge else module.lora_unmerge()
        for name in module.lora_blocks:
            for part in module.lora_names(name):
                delattr(module, part)
        for name in [n for n in vars(module) if n.startswith("lora_")]:
            object.__delattr__(module, name)
        plain = _OUTPUT if type(module) is LoRAWeight else None
        module.__class__ = plain or next(c for c, a in _CLASSES.items() if a is type(module))
    model.requires_grad_(True)
    return model


def lora_state_dict(model: Any, bias: str = "none") -> dict[str, Any]:
    """The part of the state that add_lora's training changes: adapters, and what else learns.

    `bias`: "none", "all" or "lora_only", the biases that are saved besides what learns.
    """
    if bias not in ("none", "all", "lora_only"):
        raise ValueError(f"bias={bias!r} was given; 'none', 'all' or 'lora_only' is needed")
    adapted = {id(p) for m in _adapters(model) for n, p in m._parameters.items()
               if p is not None and "bias" in n}  # fmt: skip
    kept = {}
    for name, p in model.named_parameters():
        is_bias = name.rpartition(".")[2].endswith("bias")
        wanted = bias == "all" or (bias == "lora_only" and id(p) in adapted)
        if _is_lora(name) or p.requires_grad or (is_bias and wanted):
            kept[name] = p.detach()
    return kept


def load_lora_state_dict(model: Any, state_dict: dict[str, Any]) -> Any:
    """Loads what `lora_state_dict` saved into a model with the same adapters; returns it.

    RuntimeError for adapters that the model has not, that are not given, or of another shape, and
    while the adapters are merged.
    """
    if any(module.lora_merged for module in _adapters(model)):
        raise RuntimeError("load_lora_state_dict: unmerge_lora(model) is needed first")
    result = model.load_state_dict(state_dict, strict=False)
    missing = [name for name in result.missing_keys if _is_lora(name)]
    if missing or result.unexpected_keys:
        raise RuntimeError(
            f"load_lora_state_dict: missing {missing}, unexpected {result.unexpected_keys}"
        )
    return model
