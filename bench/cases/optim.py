"""Optimizer steps over many tensors at once, and what belongs to a step."""

from __future__ import annotations

from cases import Case, normal

FUSED = {"SGD": {"lr": 1e-3, "momentum": 0.9}, "Adam": {"lr": 1e-4}, "AdamW": {"lr": 1e-4}}
PLAIN = {"RMSprop": {"lr": 1e-4}, "Adagrad": {"lr": 1e-4}}
# bytes for each parameter of an update in place: parameter, gradient and state
TRAFFIC = {"SGD": 20.0, "Adam": 28.0, "AdamW": 28.0, "RMSprop": 20.0, "Adagrad": 20.0}


def parameters(t, total, count):
    values = normal(total // count)
    made = []
    for _ in range(count):
        p = t.nn.Parameter(t.from_numpy(values.copy()))
        p.grad = t.from_numpy(values * 0.01)
        made.append(p)
    return made


def step(name, options, total, count, size):
    def of(t):
        made = parameters(t, total, count)
        # PyTorch's fastest: one fused call, where it has one
        fused = {"fused": True} if t.__name__ == "torch" and name in (*FUSED, "Adagrad") else {}
        optimizer = getattr(t.optim, name)(made, **options, **fused)

        def run():
            optimizer.step()
            return made[0].detach()

        return run

    label = f"{total // 1_000_000}M" if total >= 1_000_000 else f"{total:,}"
    return Case(
        f"{name} {label} in {count}", of, size=size, bytes=TRAFFIC[name] * total, tolerance=0.05
    )


def clip(total, count, size):
    def of(t):
        made = parameters(t, total, count)

        def run():
            return t.nn.utils.clip_grad_norm_(made, 1e9)

        return run

    label = f"{total // 1_000_000}M" if total >= 1_000_000 else f"{total:,}"
    return Case(f"clip_grad_norm {label} in {count}", of, size=size, bytes=4.0 * total)


ALL = {**FUSED, **PLAIN}
CASES = [
    *(step(name, options, 10_000, 4, "small") for name, options in ALL.items()),
    *(step(name, options, 1_000_000, 160, "medium") for name, options in ALL.items()),
    *(
        step(name, options, 25_000_000, count, "large")
        for name, options in FUSED.items()
        for count in (1, 160)
    ),
    *(step(name, options, 25_000_000, 160, "large") for name, options in PLAIN.items()),
    clip(10_000, 4, "small"),
    clip(1_000_000, 160, "medium"),
    clip(25_000_000, 160, "large"),
]
