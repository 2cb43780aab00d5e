"""Cutting a model into stages, and a stage's forward and backward for micro-batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Any

from .. import nn
from ..autograd import backward
from ..autograd.variable import Variable
from ..utils._pytree import tree_leaves, tree_map

__all__ = ["Pipe", "PipelineStage", "SplitPoint", "balanced_split_spec", "pipeline"]


class SplitPoint(Enum):
    """Where a model is cut: before a layer (BEGINNING) or after it (END)."""

    BEGINNING = 1
    END = 2


class PipelineStage:
    """One part of a model: it takes what stage `stage_index - 1` returns (a tensor or a tuple).

    `device`: where its inputs are moved to; its parameters have to be there already. `group` is
    there for PyTorch's programs, and has to be None: all stages belong to one process (see
    `ScheduleGPipe`). ValueError for an index that does not exist.
    """

    def __init__(
        self,
        submodule: nn.Module,
        stage_index: int,
        num_stages: int,
        device: Any = "cpu",
        input_args: Any = None,
        output_args: Any = None,
        group: Any = None,
    ) -> None:
        if not 0 <= stage_index < num_stages:
            raise ValueError(
                f"Stage index {stage_index} is out of range of {num_stages}; needed: 0 or more, "
                "and less than the number of stages"
            )
        if group is not None:
            raise ValueError("PipelineStage: a group was given; needed: None (one process has all)")
        self.submod, self.stage_index, self.num_stages = submodule, stage_index, num_stages
        self.device = device
        self._kept: dict[int, tuple[tuple, Any]] = {}

    @property
    def is_first(self) -> bool:
        """Whether the model's input goes here."""
        return self.stage_index == 0

    @property
    def is_last(self) -> bool:
        """Whether its output is the model's."""
        return self.stage_index == self.num_stages - 1

    def __repr__(self) -> str:
        return f"PipelineStage({self.stage_index} of {self.num_stages})"

    # -- micro-batches ---------------------------------------------------------------------------

    def forward_one(
        self, chunk: int, args: tuple, kwargs: dict[str, Any], loss_of: Callable | None, keep: bool
    ) -> tuple[Any, Any]:
        """(output, loss or None) of a micro-batch. `keep`: backward will follow."""
        if self.is_first:
            args = tuple([self._here(a) for a in args])
        else:
            args = tuple([self._leaf(a, keep) for a in args])
        output = self.submod(*args, **kwargs)
        if not self.is_last and not all(
            isinstance(t, Variable) or t is None for t in _tuple_of(output)
        ):
            raise TypeError(
                f"stage {self.stage_index} returned a {type(output).__name__}; needed: a tensor, "
                "or a tuple of tensors, for the next stage"
            )
        loss = None if loss_of is None else loss_of(output)
        if keep:
            self._kept[chunk] = (args, output if loss is None else loss)
        return output, loss

    def backward_one(self, chunk: int, grads: Sequence[Any] | None, weight: float) -> list[Any]:
        """Gradients for what came from the stage before; the last stage begins at its loss."""
        args, result = self._kept.pop(chunk)
        if grads is None:
            (result * weight).backward()
        else:
            pairs = [
                (t, self._here(g))
                for t, g in zip(_tuple_of(result), grads)
                if g is not None and isinstance(t, Variable) and t.requires_grad
            ]
            if pairs:
                backward([t for t, _ in pairs], [g for _, g in pairs])
        return [] if self.is_first else [a.grad if isinstance(a, Variable) else None for a in args]

    def forget(self) -> None:
        """Drops what was kept for backward passes that will not come."""
        self._kept.clear()

    def _here(self, value: Any) -> Any:
        return value.to(self.device) if isinstance(value, Variable) else value

    def _leaf(self, value: Any, learns: bool) -> Any:
        """A tensor of the stage before as the beginning of this one's graph."""
        if not isinstance(value, Variable):
            return value
        value = self._here(value.detach())
        return value.requires_grad_() if learns and value.is_floating_point() else value


def _tuple_of(output: Any) -> tuple:
    return tuple(output) if isinstance(output, (tuple, list)) else (output,)


# -- cutting ---------------------------------------------------------------------------------------


def _steps(module: nn.Module, prefix: str = "") -> Iterable[tuple[str, nn.Module]]:
    """The layers of a Sequential in order, those of Sequentials in it taken apart."""
    for name, child in module.named_children():
        if type(child) is nn.Sequential and len(child):
            yield from _steps(child, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", child


def _need_sequential(name: str, module: Any) -> list[tuple[str, nn.Module]]:
    if type(module) is not nn.Sequential:
        raise TypeError(
            f"{name}: a {type(module).__name__} was given; needed: a Sequential (what a forward "
            "method does cannot be cut), or a PipelineStage for each part"
        )
    return list(_steps(module))


class Pipe:
    """A model in parts: `stages()` for schedules, `get_stage_module(i)` for one part."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self._modules = modules

    @property
    def num_stages(self) -> int:
        """How many parts there are."""
        return len(self._modules)

    def get_stage_module(self, stage_idx: int) -> nn.Module:
        """The layers of one part, which are the model's own. ValueError for other numbers."""
        if not 0 <= stage_idx < self.num_stages:
            raise ValueError(f"Invalid stage index {stage_idx}!")
        return self._modules[stage_idx]

    def build_stage(self, stage_index: int, device: Any = "cpu", group: Any = None) -> Any:
        """One part as a PipelineStage, moved to `device`."""
        module = self.get_stage_module(stage_index).to(device)
        return PipelineStage(module, stage_index, self.num_stages, device, group=group)

    def stages(self, devices: Sequence[Any] | None = None) -> list[PipelineStage]:
        """All parts, each on its device ("cpu" without `devices`)."""
        devices = ["cpu"] * self.num_stages if devices is None else devices
        if len(devices) != self.num_stages:
            raise ValueError(
                f"Pipe.stages: {len(devices)} devices were given; needed: {self.num_stages}"
            )
        return [self.build_stage(i, device) for i, device in enumerate(devices)]


def pipeline(
    module: nn.Module,
    mb_args: tuple = (),
    mb_kwargs: dict[str, Any] | None = None,
    split_spec: dict[str, SplitPoint] | None = None,
) -> Pipe:
    """Cuts a Sequential (of Sequentials) where `split_spec` says: {"3": SplitPoint.BEGINNING}.

    The parts hold the model's own layers: their parameters and gradients are the model's. With an
    example micro-batch `mb_args` the parts are tried on it. TypeError for other modules, ValueError
    for names of layers that are not there and for parts without layers.
    """
    steps = _need_sequential("pipeline", module)
    spec = split_spec or {}
    names = [name for name, _ in steps]
    parts: list[list[nn.Module]] = [[]]
    found = set()
    for name, layer in steps:
        # A Sequential that is taken apart begins with its first layer and ends with its last.
        for key, point in spec.items():
            inside = [n for n in names if n == key or n.startswith(f"{key}.")]
            if inside:
                found.add(key)
            if point is SplitPoint.BEGINNING and inside[:1] == [name]:
                parts.append([])
        parts[-1].append(layer)
        for key, point in spec.items():
            inside = [n for n in names if n == key or n.startswith(f"{key}.")]
            if point is SplitPoint.END and inside[-1:] == [name]:
                parts.append([])
    if missing := [key for key in spec if key not in found]:
        raise ValueError(f"pipeline: no layer {missing[0]!r}; there are: {', '.join(names)}")
    if not all(parts):
        raise ValueError(f"pipeline: {spec} leaves a part without layers")
    pipe = Pipe([nn.Sequential(*layers) for layers in parts])
    for part in pipe._modules:
        part.training = module.training
    if mb_args:
        value: Any = mb_args
        for part in pipe._modules:
            value = _tuple_of(part(*value))
    return pipe


def balanced_split_spec(
    module: nn.Module, num_stages: int, mb_args: tuple, repeats: int = 5
) -> dict[str, SplitPoint]:
    """Cuts that make the slowest of `num_stages` parts as fast as can be, by measurement.

    Each layer's forward and backward are timed on the micro-batch `mb_args` (in training mode;
    buffers such as batch norms' statistics are restored). TypeError and ValueError as `pipeline`.
    """
    steps = _need_sequential("balanced_split_spec", module)
    if not 1 <= num_stages <= len(steps):
        raise ValueError(
            f"balanced_split_spec: {num_stages} stages of {len(steps)} layers were asked for; "
            "needed: one layer at least for each"
        )
    buffers = [(b, b.clone()) for b in module.buffers()]
    grads = [(p, p.grad) for p in module.parameters()]
    best = [float("inf")] * len(steps)
    cuttable = [True] * len(steps)  # between layers that hand on one tensor
    for _ in range(repeats):
        value: Any = mb_args
        for i, (_, layer) in enumerate(steps):
            value = tree_map(_fresh, value)
            cuttable[i] = i > 0 and isinstance(value, Variable)
            started = time.perf_counter()
            value = layer(*value) if i == 0 else layer(value)
            ends = [t for t in tree_leaves(value) if isinstance(t, Variable) and t.requires_grad]
            if ends:
                backward(ends, [t.detach() for t in ends])
            best[i] = min(best[i], time.perf_counter() - started)
    for b, saved in buffers:
        b.copy_(saved)
    for p, grad in grads:
        p.grad = grad
    starts = [0, *(i for i in range(1, len(steps)) if cuttable[i])]
    if len(starts) < num_stages:
        raise ValueError(
            f"balanced_split_spec: {num_stages} stages were asked for, but the model hands on a "
            f"single tensor, where it can be cut, {len(starts) - 1} times"
        )
    costs = [sum(best[a:b]) for a, b in zip(starts, [*starts[1:], len(steps)])]
    return {steps[starts[i]][0]: SplitPoint.BEGINNING for i in _balanced(costs, num_stages)}


def _fresh(value: Any) -> Any:
    """A tensor as the beginning of a graph."""
    if not isinstance(value, Variable):
        return value
    return value.detach().requires_grad_(value.is_floating_point())


def _balanced(costs: list[float], parts: int) -> list[int]:
    """First places of parts 1, 2, ... of a list cut so that the greatest sum is least."""
    n = len(costs)
    sums = [0.0]
    for cost in costs:
        sums.append(sums[-1] + cost)
    # worst[k][i]: the least greatest sum of the first i costs in k parts, and its last cut
    worst: list[list[tuple[float, int]]] = [[(sums[i] if i else 0.0, 0) for i in range(n + 1)]]
    for k in range(1, parts):
        row = [(float("inf"), 0)] * (n + 1)
        for i in range(k + 1, n + 1):
            row[i] = min((max(worst[k - 1][j][0], sums[i] - sums[j]), j) for j in range(k, i))
        worst.append(row)
    cuts, end = [], n
    for k in range(parts - 1, 0, -1):
        end = worst[k][end][1]
        cuts.append(end)
    return cuts[::-1]
