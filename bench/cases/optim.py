"""Optimizer steps over many tensors at once, and what belongs to a step."""

from __future__ import annotations

from cases import Case, normal

FUSED = {"SGD": {"lr": 1e-3, "momentum": 0.9}, "Adam": {"lr": 1e-4}, "AdamW": {"lr": 1e-4}}
PLAIN = {"RMSprop": {"lr": 1e-4}, "Adagrad": {"lr": 1e-4}}
# PyTorch has these only as calls for each tensor or each operation (foreach).
FOREACH = {"NAdam": {}, "RAdam": {}, "Adamax": {}, "Adadelta": {}, "ASGD": {}, "Rprop": {}}
MATRICES = {"Adafactor": {}}
# bytes for each parameter of an update in place: parameter, gradient and state
TRAFFIC = {
    "SGD": 20.0,
    "Adam": 28.0,
    "AdamW": 28.0,
    "RMSprop": 20.0,
    "Adagrad": 20.0,
    "NAdam": 28.0,
    "RAdam": 28.0,
    "Adamax": 28.0,
    "Adadelta": 28.0,
    "ASGD": 20.0,
    "Rprop": 28.0,
    "Adafactor": 24.0,
}


def parameters(t, total, count, matrices=False):
    values = normal(total // count)
    if matrices:
        values = values.reshape(50, -1)
    made = []
    for _ in range(count):
        p = t.nn.Parameter(t.from_numpy(values.copy()))
        p.grad = t.from_numpy(values * 0.01)
        made.append(p)
    return made


def step(name, options, total, count, size):
    def of(t):
        made = parameters(t, total, count, name in MATRICES)
        # PyTorch's fastest: one fused call, where it has one
        fused = {"fused": True} if t.__name__ == "torch" and name in (*FUSED, "Adagrad") else {}
        if t.__name__ == "torch" and name in (*FOREACH, *MATRICES):
            fused = {"foreach": True}
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


def average(total, count, size):
    """An exponential moving average of all parameters."""

    def of(t):
        current, averages = parameters(t, total, count), parameters(t, total, count)
        update = t.optim.swa_utils.get_ema_multi_avg_fn(0.999)
        lists = [[p.detach() for p in made] for made in (averages, current)]

        def run():
            update(*lists, 1)
            return lists[0][0]

        return run

    label = f"{total // 1_000_000}M"
    return Case(f"EMA {label} in {count}", of, size=size, bytes=12.0 * total)


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
    *(
        step(name, options, 1_000_000, 160, "medium")
        for name, options in {**FOREACH, **MATRICES}.items()
    ),
    *(
        step(name, options, 25_000_000, 1, "large")
        for name, options in {**FOREACH, **MATRICES}.items()
    ),
    average(1_000_000, 160, "medium"),
    average(25_000_000, 1, "large"),
    clip(10_000, 4, "small"),
    clip(1_000_000, 160, "medium"),
    clip(25_000_000, 160, "large"),
]
