"""What is removed from a model's parameters, as numbers that can be kept and applied again."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from .. import nn
from ..autograd.modes import no_grad
from ..creation import from_numpy, tensor
from ._layers import set_sizes

__all__ = ["ChannelPlan"]


class ChannelPlan:
    """Which indices of which parameters' dimensions go: `removed[name][dim]`, sorted.

    `refused`: layers whose channels had to stay, with the reason. A plan can be saved
    (`state_dict`), so that a model that is built anew gets the shape of a pruned one:
    `ChannelPlan.from_state_dict(state).apply(model)`, then `model.load_state_dict`.
    """

    def __init__(
        self, removed: dict[str, dict[int, list[int]]], refused: dict[str, str] | None = None
    ):
        self.removed = removed
        self.refused = refused or {}

    def state_dict(self) -> dict[str, Any]:
        """Plain numbers and names."""
        return {"removed": copy.deepcopy(self.removed), "refused": dict(self.refused)}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> ChannelPlan:
        """The plan that `state_dict` described."""
        return cls(copy.deepcopy(state["removed"]), dict(state["refused"]))

    def mask(self, model: Any) -> Any:
        """Sets to zero, in place, all that `apply` removes; returns the model."""
        names = dict(model.named_parameters())
        with no_grad():
            for name, by_dim in self.removed.items():
                for dim, indices in by_dim.items() if name in names else ():
                    names[name].index_fill_(dim, tensor(indices), 0)
        return model

    def apply(self, model: Any) -> Any:
        """Removes, in place; returns the model. Make optimizers afterwards.

        ValueError if a parameter is missing or too small.
        """
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        for name, by_dim in self.removed.items():
            t = tensors.get(name)
            if t is None or any(max(i) >= t.shape[d] for d, i in by_dim.items()):
                shape = "missing" if t is None else f"of shape {tuple(t.shape)}"
                raise ValueError(f"ChannelPlan: {name} is {shape}, which does not fit the plan")
            for dim, indices in by_dim.items():
                kept = np.setdiff1d(np.arange(t.shape[dim]), indices)
                t.data = t.detach().index_select(dim, from_numpy(kept)).contiguous()
            t.grad = None
        for module in model.modules():
            _set_sizes(module)
        return model

    def __len__(self) -> int:
        """How many indices go, over all parameters."""
        return sum(len(i) for by_dim in self.removed.values() for i in by_dim.values())

    def __str__(self) -> str:
        lines = [
            f"{name}: " + ", ".join(f"{len(i)} along dim {d}" for d, i in by_dim.items())
            for name, by_dim in self.removed.items()
        ]
        return "\n".join(lines + [f"kept {name}: {why}" for name, why in self.refused.items()])


def _set_sizes(module: Any) -> None:
    """Makes the numbers that a layer knows its sizes by those of its weight."""
    if set_sizes(module):
        return
    weight = module._parameters.get("weight")
    if weight is None and isinstance(module, nn.modules.batchnorm._NormBase):
        weight = module._buffers.get("running_mean")
    if weight is None:
        return
    shape = weight.shape
    if isinstance(module, nn.Linear):
        module.out_features, module.in_features = shape
    elif isinstance(module, nn.modules.conv._ConvTransposeNd):
        module.in_channels, module.out_channels = shape[0], shape[1] * module.groups
    elif isinstance(module, nn.modules.conv._ConvNd):
        if module.groups > 1 and shape[1] == 1:  # a group for each channel
            module.groups = module.groups * shape[0] // module.out_channels
        module.out_channels, module.in_channels = shape[0], shape[1] * module.groups
    elif isinstance(module, nn.modules.batchnorm._NormBase):
        module.num_features = shape[0]
    elif isinstance(module, nn.GroupNorm):
        module.num_groups = module.num_groups * shape[0] // module.num_channels
        module.num_channels = shape[0]
    elif isinstance(module, nn.PReLU):
        module.num_parameters = shape[0]
    elif isinstance(module, nn.Embedding):
        module.embedding_dim = shape[1]
