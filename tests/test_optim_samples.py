"""PyTorch's own list of optimizers, options and errors: every sample in both libraries."""

import copy
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")
optimizers = pytest.importorskip("torch.testing._internal.common_optimizers")

DENSE = [info for info in optimizers.optim_db if info.optim_cls.__name__ != "SparseAdam"]
SAMPLES = [
    pytest.param(info.optim_cls.__name__, {**extra, **sample.kwargs}, id=f"{name}-{i}-{how}")
    for info in DENSE
    for name in [info.optim_cls.__name__]
    for i, sample in enumerate(info.optim_inputs_func(device="cpu"))
    for how, extra in [("plain", {})] + [
        (s, {s: True}) for s in info.supported_impls if s in ("foreach", "fused")
    ]
]  # fmt: skip
ERRORS = [
    pytest.param(info.optim_cls.__name__, error, id=f"{info.optim_cls.__name__}-{i}")
    for info in optimizers.optim_db
    for i, error in enumerate(info.optim_error_inputs_func("cpu", torch.float32))
]


def ported(value, lib, seen=None):
    """The same value in the library's own tensors; what was one object stays one."""
    seen = {} if seen is None else seen
    if isinstance(value, (torch.Tensor, mg.Tensor)):
        if id(value) not in seen:
            made = lib.from_numpy(np.array(value.detach().numpy()))
            is_parameter = type(value).__name__ == "Parameter"
            seen[id(value)] = lib.nn.Parameter(made) if is_parameter else made
        return seen[id(value)]
    if isinstance(value, dict):
        return {k: ported(v, lib, seen) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(ported(v, lib, seen) for v in value)
    return copy.deepcopy(value)


class Problem:
    """A small regression: `run` takes steps and notes the losses."""

    def __init__(self, lib, name, options):
        rng = np.random.default_rng(0)
        self.lib = lib
        self.params = [
            lib.nn.Parameter(lib.from_numpy(rng.standard_normal(shape)))
            for shape in ((5, 4), (3, 5), (2, 3))
        ]
        self.x = lib.from_numpy(rng.standard_normal((8, 4)))
        self.y = lib.from_numpy(rng.standard_normal((8, 2)))
        groups = [{"params": self.params[:2]}, {"params": self.params[2:]}]
        given = self.params if name == "LBFGS" else groups
        self.optimizer = getattr(lib.optim, name)(given, **ported(options, lib))

    def closure(self):
        self.optimizer.zero_grad()
        a, b, c = self.params
        loss = (((self.x @ a.t()).tanh() @ b.t()).tanh() @ c.t() - self.y).pow(2).mean()
        loss.backward()
        return loss

    def run(self, steps):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # LBFGS makes a number of the loss
            return [self.optimizer.step(self.closure).item() for _ in range(steps)]

    def take(self, other):
        """Goes on where a run of the other library stands."""
        with self.lib.no_grad():
            for p, q in zip(self.params, other.params, strict=True):
                p.copy_(ported(q.detach(), self.lib))
        self.optimizer.load_state_dict(ported(other.optimizer.state_dict(), self.lib))


def same(mine, theirs, tolerance=1e-6):
    if isinstance(theirs, dict):
        assert list(mine) == list(theirs)
        for key, value in theirs.items():
            same(mine[key], value, tolerance)
    elif isinstance(theirs, (list, tuple)):
        assert type(mine) is type(theirs) and len(mine) == len(theirs)
        for a, b in zip(mine, theirs, strict=True):
            same(a, b, tolerance)
    elif isinstance(theirs, (torch.Tensor, mg.Tensor)):
        assert str(mine.dtype) == str(theirs.dtype) and tuple(mine.shape) == tuple(theirs.shape)
        np.testing.assert_allclose(
            mine.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=1e-2 * tolerance
        )
    elif isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=tolerance)
    else:
        assert mine == theirs


@pytest.mark.parametrize(("name", "options"), SAMPLES)
def test_sample(name, options):
    mine, theirs = (Problem(lib, name, options) for lib in (mg, torch))
    steps = 1 if name == "LBFGS" else 25  # of 20 iterations, which magnify rounding
    # PyTorch keeps some numbers in float32: with foreach=True, and if lr is a tensor of that dtype.
    narrow = options.get("foreach") or isinstance(options.get("lr"), torch.Tensor)
    np.testing.assert_allclose(mine.run(steps), theirs.run(steps), rtol=1e-5 if narrow else 1e-8)
    tolerance = 1e-3 if name == "LBFGS" else 1e-5 if narrow else 1e-7  # its sums cancel
    same(mine.params, theirs.params, tolerance)
    same(mine.optimizer.state_dict(), theirs.optimizer.state_dict(), tolerance)
    # Each goes on with the state of the other.
    after = [Problem(lib, name, options) for lib in (mg, torch)]
    after[0].take(theirs)
    after[1].take(mine)
    losses = [problem.run(steps) for problem in (mine, theirs, *after)]
    for other in losses[1:]:
        np.testing.assert_allclose(other, losses[0], rtol=1e-5)
    same(after[0].params, after[1].params, max(tolerance, 1e-5))
    copies = copy.deepcopy(after[0].optimizer)
    same(copies.state_dict(), after[0].optimizer.state_dict())
    assert repr(mine.optimizer).replace(", dtype=torch.float64", "") == repr(
        theirs.optimizer
    ).replace(", dtype=torch.float64", "")


@pytest.mark.parametrize(("name", "error"), ERRORS)
def test_error(name, error):
    given = error.optimizer_error_input
    params = [torch.nn.Parameter(torch.randn(2, 3))] if given.params is None else given.params
    complex_or_sparse = [
        t
        for group in (params if isinstance(params, list) else [])
        for t in (group["params"] if isinstance(group, dict) else [group])
        if isinstance(t, torch.Tensor) and (t.is_complex() or t.is_sparse)
    ]
    if complex_or_sparse:
        pytest.skip("neither complex nor sparse parameters here")
    construct = error.error_on is optimizers.OptimizerErrorEnum.CONSTRUCTION_ERROR
    params, options = ported(params, mg), ported(given.kwargs, mg)
    make = getattr(mg.optim, name)
    if issubclass(error.error_type, Warning):
        with pytest.warns(error.error_type, match=error.error_regex):
            make(params, **options)
        return
    if construct:
        with pytest.raises(error.error_type, match=error.error_regex):
            make(params, **options)
        return
    optimizer = make(params, **options)
    with pytest.raises(error.error_type, match=error.error_regex):
        optimizer.step()
