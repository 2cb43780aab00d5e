"""Lines of Python that must do the same with minigrad as with PyTorch.

A file in `snippets/` is a preamble, a line of dashes, and one case a line: statements, `;;`, and
the expression whose value is compared; without `;;` the whole line is the expression, or
statements. Compared are values, dtypes, shapes, errors with their messages word for word, and
warnings. `T` is the library; `nn`, `F` and `MM` (nn.modules.module) are its parts.
"""

import copy
import pickle
import re
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import minigrad
from minigrad.nn import functional  # noqa: F401  (both libraries are looked into by name)

torch = pytest.importorskip("torch")

FILES = sorted(Path(__file__).parent.joinpath("snippets").glob("*.txt"))
FAMILIES = {
    "module", "linear", "container", "conv", "activation", "loss", "shape", "parameter",
}  # fmt: skip


def cases():
    for path in FILES:
        preamble, _, lines = path.read_text().partition("\n---\n")
        for line in lines.splitlines():
            if line and not line.startswith("#"):
                yield pytest.param(preamble, line, id=f"{path.stem}: {line}")


def plain(text):
    """A message without what differs by design: the packages' names and layout, and addresses."""
    text = text.replace("minigrad.", "torch.")
    text = re.sub(r"torch\.nn\.(modules\.)?(\w+)\.", lambda m: family(m), text)
    return re.sub(r"0x[0-9a-f]+", "0x", text)


def family(match):
    name = match[2]
    return f"torch.nn.modules.{name}." if name in FAMILIES else match[0]


def comparable(value):
    """`value` with tensors as (kind, dtype, requires_grad, array) and other objects as text."""
    if isinstance(value, (torch.Tensor, minigrad.Tensor)):
        dtype = str(value.dtype).rpartition(".")[2]
        wide = value.detach().float() if dtype == "bfloat16" else value.detach()
        kind = "Parameter" if "Parameter" in type(value).__name__ else "Tensor"
        return (kind, dtype, value.requires_grad, wide.numpy())
    if isinstance(value, (torch.nn.Module, minigrad.nn.Module)):
        return repr(value)
    if isinstance(value, dict):
        kind = OrderedDict if isinstance(value, OrderedDict) else dict
        return (kind.__name__, [(k, comparable(v)) for k, v in value.items()])
    if isinstance(value, (list, tuple)):
        return (type(value).__name__, [comparable(v) for v in value])
    if value is None or isinstance(value, (int, float)):
        return value
    return plain(value if isinstance(value, str) else str(value))


def outcome(lib, preamble, line):
    nn = lib.nn
    names = {
        "T": lib, "nn": nn, "F": nn.functional, "MM": nn.modules.module, "OD": OrderedDict,
        "copy": copy, "pickle": pickle, "np": np,
    }  # fmt: skip
    statements, split, expression = line.rpartition(";;")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            lib.manual_seed(0)
            exec(preamble, names)
            exec(statements, names)
            try:
                code = compile(expression.strip(), "case", "eval")
            except SyntaxError:
                exec(expression.strip(), names)
                result = None
            else:
                result = comparable(eval(code, names))
        except SyntaxError:
            raise
        except Exception as error:
            result = (type(error).__name__, plain(str(error)))
    return result, [(w.category.__name__, plain(str(w.message))) for w in caught]


def same(a, b):
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        rtol = 1e-2 if a.dtype == np.float16 else 1e-4
        return a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=1e-5, equal_nan=True)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return isinstance(b, float) and np.isclose(a, b, equal_nan=True)
    return type(a) is type(b) and a == b


@pytest.mark.parametrize(("preamble", "line"), list(cases()))
def test_snippet(preamble, line):
    ours, our_warnings = outcome(minigrad, preamble, line)
    theirs, their_warnings = outcome(torch, preamble, line)
    assert same(ours, theirs), (ours, theirs)
    assert our_warnings == their_warnings
