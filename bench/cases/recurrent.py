"""Recurrent layers over whole sequences, and cells, forward and with backward."""

from __future__ import annotations

from cases import Case, tensor, with_backward

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def layer(kind, steps, batch, inputs, hidden, size, **options):
    """A layer with gradients of its input and parameters."""

    def of(t):
        t.manual_seed(0)
        made = getattr(t.nn, kind)(inputs, hidden, **options)
        x = tensor(t, steps, batch, inputs, grad=True)
        return with_backward(t, lambda: made(x)[0], [x, *made.parameters()])

    name = f"{kind} fwd+bwd T{steps} B{batch} I{inputs} H{hidden}"
    name += "".join(f" {k}" for k in options)
    directions = 2 if options.get("bidirectional") else 1
    work = 6.0 * steps * batch * GATES[kind] * hidden * (inputs + hidden) * directions
    return Case(name, of, size=size, flops=work, tolerance=1e-3)


def forward(kind, steps, batch, inputs, hidden, size):
    def of(t):
        t.manual_seed(0)
        made = getattr(t.nn, kind)(inputs, hidden)
        x = tensor(t, steps, batch, inputs)

        def run():
            with t.no_grad():
                return made(x)[0]

        return run

    name = f"{kind} T{steps} B{batch} I{inputs} H{hidden}"
    work = 2.0 * steps * batch * GATES[kind] * hidden * (inputs + hidden)
    return Case(name, of, size=size, flops=work, tolerance=1e-3)


def cell(kind, batch, inputs, hidden):
    def of(t):
        t.manual_seed(0)
        made = getattr(t.nn, kind)(inputs, hidden)
        x = tensor(t, batch, inputs, grad=True)

        def run():
            out = made(x)
            return out[0] if kind == "LSTMCell" else out

        return with_backward(t, run, [x, *made.parameters()])

    return Case(f"{kind} fwd+bwd B{batch} I{inputs} H{hidden}", of, size="small", tolerance=1e-3)


CASES = [
    *(
        make(kind, *shape, size)
        for kind in ("RNN", "LSTM", "GRU")
        for shape, size in {
            (16, 1, 16, 16): "small",
            (16, 16, 32, 64): "small",
            (64, 32, 128, 128): "medium",
        }.items()
        for make in (forward, layer)
    ),
    *(cell(kind, 16, 32, 64) for kind in ("RNNCell", "LSTMCell", "GRUCell")),
    layer("LSTM", 32, 32, 128, 128, "medium", num_layers=2, bidirectional=True),
    layer("LSTM", 32, 64, 256, 512, "large"),
]
