"""Whole training steps with Adam: launched by Python, and captured once in a graph and replayed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from cases import Case, networks, tensor
from cases.models import integers

from gpu.work import Run, Work

WARM = 3  # steps before a capture: they make gradients, the optimizer's state, workspaces
EAGER, GRAPH = "eager", "graph"


def _step(t: Any, model: Any, x: Any, y: Any, half: bool) -> Run:
    """A training step; its answer is the loss before it."""
    fused = {"fused": True} if t.__name__ == "torch" else {}
    on_gpu = t.place.startswith("cuda")
    optimizer = t.optim.Adam(model.parameters(), lr=1e-4, capturable=on_gpu, **fused)
    kind = t.place.partition(":")[0]

    def precision() -> Any:
        return t.autocast(kind, t.bfloat16) if half else contextlib.nullcontext()

    def run() -> Any:
        optimizer.zero_grad(set_to_none=False)
        with precision():
            logits = model(x)
            loss = t.nn.functional.cross_entropy(
                logits.reshape(-1, logits.shape[-1]).float(), y.reshape(-1)
            )
        loss.backward()
        optimizer.step()
        return loss.detach()

    return run


def _captured(t: Any, run: Run) -> Run | None:
    """The step as one launch of a graph; None where the library has no GPU."""
    if not t.place.startswith("cuda"):
        return None
    side = t.cuda.Stream()
    side.wait_stream(t.cuda.current_stream())
    with t.cuda.stream(side):
        for _ in range(WARM):
            run()
    t.cuda.current_stream().wait_stream(side)
    graph = t.cuda.CUDAGraph()
    with t.cuda.graph(graph):
        result = run()

    def replay() -> Any:
        graph.replay()
        return result

    return replay


def _work(name: str, data: Callable[[Any], tuple], how: str, half: bool) -> Work:
    def of(t: Any) -> Run | None:
        t.manual_seed(0)
        run = _step(t, *data(t), half)
        return _captured(t, run) if how == GRAPH else run

    precision = "bf16" if half else "tf32"
    case = Case(f"{name} {precision} {how}", of, size="large", precision=precision, tolerance=2e-2)
    return Work(case, whole=True)


def works(tiny: bool) -> list[Work]:
    """The networks of `bench/cases`, each by launches and by a graph."""
    batch, extent = (2, 8) if tiny else (256, 32)
    context, width, depth, heads = (8, 16, 1, 2) if tiny else (256, 384, 6, 6)

    def images(make: Callable[[Any], Any], count: int) -> Callable[[Any], tuple]:
        return lambda t: (
            make(t), tensor(t, count, 3, extent, extent), integers(t, 10, count))  # fmt: skip

    def text(t: Any) -> tuple:
        model = networks.gpt(t, depth, width, heads, context, 65)
        count = 2 if tiny else 32
        ids, targets = integers(t, 65, count, context), integers(t, 65, count, context)
        return model, ids, targets

    small = (lambda t: networks.mlp(t, 3 * extent**2, 8, 10)) if tiny else networks.cnn
    if tiny:
        named = {"CNN": (images(lambda t: _flat(t, small(t)), batch), (False,))}
    else:
        named = {
            f"CNN batch {batch}": (images(small, batch), (False,)),
            f"ResNet-18 batch {batch}": (images(networks.resnet18, batch), (False, True)),
        }
    named[f"GPT {depth}x{width} T{context}"] = (text, (False,) if tiny else (False, True))
    return [
        _work(name, data, how, half)
        for name, (data, halves) in named.items()
        for half in halves
        for how in (EAGER, GRAPH)
    ]


def _flat(t: Any, model: Any) -> Any:
    return t.nn.Sequential(t.nn.Conv2d(3, 3, 3, padding=1), t.nn.ReLU(), t.nn.Flatten(), model)
