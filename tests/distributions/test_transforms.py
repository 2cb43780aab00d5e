"""Transforms, constraints and the registry beside PyTorch's."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


def _vector(n: int) -> np.ndarray:
    return RNG.normal(size=(4, n))


TRANSFORMS: dict[str, tuple[Any, np.ndarray]] = {
    "abs": (lambda m, t: t.AbsTransform(), _vector(3)),
    "affine": (lambda m, t: t.AffineTransform(1.0, -2.0), _vector(3)),
    "affine tensor": (
        lambda m, t: t.AffineTransform(m.tensor([1.0, 2, 3]), m.tensor([1.0, -2, 3]), event_dim=1),
        _vector(3),
    ),
    "exp": (lambda m, t: t.ExpTransform(), _vector(3)),
    "power": (lambda m, t: t.PowerTransform(m.tensor(2.5)), np.abs(_vector(3))),
    "sigmoid": (lambda m, t: t.SigmoidTransform(), _vector(3)),
    "softplus": (lambda m, t: t.SoftplusTransform(), _vector(3)),
    "tanh": (lambda m, t: t.TanhTransform(), _vector(3)),
    "softmax": (lambda m, t: t.SoftmaxTransform(), _vector(3)),
    "stick": (lambda m, t: t.StickBreakingTransform(), _vector(3)),
    "corr": (lambda m, t: t.CorrCholeskyTransform(), _vector(6)),
    "lower": (lambda m, t: t.LowerCholeskyTransform(), RNG.normal(size=(2, 3, 3))),
    "definite": (lambda m, t: t.PositiveDefiniteTransform(), RNG.normal(size=(2, 3, 3))),
    "reshape": (lambda m, t: t.ReshapeTransform((6,), (2, 3)), _vector(6)),
    "independent": (lambda m, t: t.IndependentTransform(t.ExpTransform(), 1), _vector(3)),
    "inverse": (lambda m, t: t.ExpTransform().inv, np.abs(_vector(3))),
    "compose": (
        lambda m, t: t.ComposeTransform(
            [t.AffineTransform(1.0, 2.0), t.SigmoidTransform(), t.AffineTransform(0.0, -3.0)]
        ),
        _vector(3),
    ),
    "compose vector": (
        lambda m, t: t.ComposeTransform([t.AffineTransform(1.0, 2.0), t.StickBreakingTransform()]),
        _vector(3),
    ),
    "empty": (lambda m, t: t.ComposeTransform([]), _vector(3)),
    "cat": (
        lambda m, t: t.CatTransform([t.ExpTransform(), t.TanhTransform()], dim=-1, lengths=[1, 2]),
        _vector(3),
    ),
    "stack": (
        lambda m, t: t.StackTransform([t.ExpTransform(), t.TanhTransform()], dim=1),
        _vector(2),
    ),
    "cdf": (
        lambda m, t: t.CumulativeDistributionTransform(m.distributions.Normal(0.0, 1.0)),
        _vector(3),
    ),
}
both = pytest.mark.parametrize("lib", [torch, mg], ids=["torch", "minigrad"])


def outcome(function: Any) -> Any:
    try:
        return function()
    except Exception as error:
        return type(error).__name__


def agree(a: Any, b: Any, tolerance: float = 1e-6) -> None:
    if isinstance(a, str) or isinstance(b, str):
        assert a == b
        return
    assert a.shape == b.shape and str(a.dtype).split(".")[-1] == str(b.dtype).split(".")[-1]
    np.testing.assert_allclose(
        b.detach().numpy(), a.detach().numpy(), rtol=tolerance, atol=tolerance
    )


def run(lib: Any, name: str) -> dict[str, Any]:
    make, array = TRANSFORMS[name]
    t = make(lib, lib.distributions.transforms)
    x = lib.tensor(array.tolist(), dtype=lib.float64).requires_grad_()
    y = t(x)
    out = {"y": y}
    out["x"] = outcome(lambda: t.inv(y))
    out["jacobian"] = outcome(lambda: t.log_abs_det_jacobian(x, y))
    y.sum().backward()
    out["gradient"] = x.grad
    if not isinstance(out["jacobian"], str) and out["jacobian"].requires_grad:
        z = x.detach().clone().requires_grad_()
        t.log_abs_det_jacobian(z, t(z)).sum().backward()
        out["jacobian's gradient"] = z.grad
    for what in ("bijective", "event_dim"):
        out[what] = str(outcome(lambda what=what: getattr(t, what)))
    sign = outcome(lambda: t.sign)
    out["sign"] = str(np.asarray(sign.tolist() if hasattr(sign, "tolist") else sign))
    for what in ("domain", "codomain"):
        kind = getattr(t, what)
        out[what] = f"{type(kind).__name__} {kind.event_dim} {kind.is_discrete}"
    out["check"] = outcome(lambda: t.codomain.check(y))
    out["shapes"] = f"{tuple(t.forward_shape(x.shape))} {tuple(t.inverse_shape(y.shape))}"
    out["repr"] = repr(t)
    out["inverse repr"] = repr(t.inv)
    return out


@pytest.mark.parametrize("name", TRANSFORMS)
def test_beside_pytorch(name: str) -> None:
    theirs, ours = run(torch, name), run(mg, name)
    assert theirs.keys() == ours.keys()
    for key, value in theirs.items():
        agree(value, ours[key])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_with_cache(name: str) -> None:
    make, array = TRANSFORMS[name]
    t = make(mg, mg.distributions.transforms)
    cached = t.with_cache()
    x = mg.tensor(array.tolist(), dtype=mg.float64)
    y = cached(x)
    assert cached.inv(y) is x or name in ("empty", "reshape", "inverse", "compose vector")
    assert (y == t(x)).all()
    assert (pickle.loads(pickle.dumps(cached))(x) == y).all()


@both
def test_equality(lib: Any) -> None:
    t = lib.distributions.transforms
    one = lib.tensor(1.0)
    assert t.ExpTransform() == t.ExpTransform() != t.TanhTransform()
    assert t.AffineTransform(0, 1) == t.AffineTransform(0.0, one) != t.AffineTransform(1, 1)
    assert t.PowerTransform(one) == t.PowerTransform(one) != t.PowerTransform(2 * one)
    assert t.ExpTransform().inv == t.ExpTransform().inv
    assert t.ComposeTransform([t.ExpTransform()]) == t.ComposeTransform([t.ExpTransform()])
    assert t.StickBreakingTransform() != t.SoftmaxTransform()
    with pytest.raises(ValueError):
        t.ExpTransform(cache_size=2)
    with pytest.raises(ValueError):
        t.ReshapeTransform((2,), (3,))


CONSTRAINTS = [
    "boolean", "corr_cholesky", "lower_cholesky", "lower_triangular", "nonnegative",
    "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer",
    "positive_semidefinite", "real", "real_vector", "simplex", "square", "symmetric",
    "unit_interval",
]  # fmt: skip
BOUNDED = {
    "greater_than": (0.5,), "greater_than_eq": (0.5,), "less_than": (0.5,),
    "interval": (-0.5, 1.0), "half_open_interval": (-0.5, 1.0), "integer_interval": (-1, 2),
    "multinomial": (3,),
}  # fmt: skip
VALUES = [
    RNG.normal(size=(3, 3)), np.eye(3), np.zeros((3, 3)), -np.eye(3), np.full((3, 3), np.nan),
    np.tril(np.ones((3, 3))), np.full((2, 3), 1 / 3), np.ones((2, 3)), np.full((3, 3), 0.5),
    np.array([[1.0, 0.0], [0.6, 0.8]]), np.array([[2.0, 0.5], [0.5, 1.0]]),
    np.stack([np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]])]),
]  # fmt: skip


@pytest.mark.parametrize("name", [*CONSTRAINTS, *BOUNDED])
def test_constraints(name: str) -> None:
    results = []
    for lib in (torch, mg):
        kind = getattr(lib.distributions.constraints, name)
        if name in BOUNDED:
            kind = kind(*BOUNDED[name])
        tensors = [lib.tensor(v.tolist()) for v in VALUES]
        checks = [outcome(lambda k=kind, v=v: k.check(v)) for v in tensors]
        results.append((repr(kind), kind.event_dim, kind.is_discrete, checks))
    (*theirs, a), (*ours, b) = results
    assert theirs == ours
    for v, s, t in zip(VALUES, a, b):
        if name in ("positive_definite", "positive_semidefinite") and np.isnan(v).any():
            continue
        agree(s, t)


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("name", [*CONSTRAINTS, *BOUNDED])
def test_registry(registry: str, name: str) -> None:
    made = []
    for lib in (torch, mg):
        kind = getattr(lib.distributions.constraints, name)
        if name in BOUNDED:
            kind = kind(*BOUNDED[name])
        find = getattr(lib.distributions, registry)
        made.append(outcome(lambda f=find, k=kind: repr(f(k))))
    assert made[0] == made[1]


@both
def test_registry_of_parts(lib: Any) -> None:
    d = lib.distributions
    c = d.constraints
    x = lib.tensor([[0.5, -1.0, 2.0], [1.0, 0.0, -1.0]])
    y = d.biject_to(c.cat([c.positive, c.unit_interval], 1, [1, 2]))(x)
    assert (y > 0).all() and (y[:, 1:] < 1).all()
    z = d.transform_to(c.stack([c.positive, c.real], 0))(x)
    assert (z[0] > 0).all() and (z[1] == x[1]).all()
    assert c.cat([c.positive, c.real], 1, [1, 2]).check(z).tolist() == [[True] * 3] * 2
    assert d.biject_to(c.independent(c.positive, 1)).event_dim == 1
    with pytest.raises(TypeError):
        d.biject_to.register(int, lambda c: None)

    class Even(c.Constraint):
        def check(self, value: Any) -> Any:
            return value % 2 == 0

    d.biject_to.register(Even())(lambda c: d.ExpTransform())
    assert isinstance(d.biject_to(Even()), d.ExpTransform)


@both
def test_transformed_distribution(lib: Any) -> None:
    d = lib.distributions
    base = d.Normal(lib.zeros(3), lib.ones(3))
    t = d.TransformedDistribution(base, [d.StickBreakingTransform()])
    assert tuple(t.batch_shape) == () and tuple(t.event_shape) == (4,)
    assert d.constraints.simplex.check(t.sample((5,))).all()
    assert tuple(t.expand((2,)).sample().shape) == (2, 4)
    down = d.TransformedDistribution(base, [d.AffineTransform(0.0, -2.0)])
    v = lib.tensor([1.0, 0.0, -2.0])
    np.testing.assert_allclose(down.cdf(down.icdf(down.cdf(v))).numpy(), down.cdf(v).numpy())
    assert down.cdf(v)[0] > 0.5 > down.cdf(v)[2]
    with pytest.raises(ValueError):
        d.TransformedDistribution(base, [1])
    with pytest.raises(ValueError):
        d.TransformedDistribution(base, 1)
    with pytest.raises(ValueError):
        d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform())


@both
def test_mixture(lib: Any) -> None:
    d = lib.distributions
    weights = d.Categorical(lib.tensor([[0.3, 0.7], [0.5, 0.5]]))
    parts = d.Normal(lib.tensor([[0.0, 3.0], [1.0, -1.0]]), lib.tensor(1.0))
    m = d.MixtureSameFamily(weights, parts)
    v = lib.tensor([0.5, 0.25])
    expected = {"mean": [2.1, 0.0], "variance": [2.89, 2.0]}
    for name, values in expected.items():
        np.testing.assert_allclose(getattr(m, name).numpy(), values, rtol=1e-5)
    z = np.array([[0.5, -2.5], [-0.75, 1.25]])
    density = (np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi) * [[0.3, 0.7], [0.5, 0.5]]).sum(1)
    np.testing.assert_allclose(m.log_prob(v).numpy(), np.log(density), rtol=1e-5)
    assert tuple(m.sample((5,)).shape) == (5, 2)
    assert tuple(m.expand((3, 2)).sample().shape) == (3, 2)
    vector = d.MixtureSameFamily(
        d.Categorical(lib.ones(4)), d.Independent(d.Normal(lib.zeros(4, 2), lib.ones(4, 2)), 1)
    )
    assert tuple(vector.mean.shape) == (2,) and tuple(vector.sample((3,)).shape) == (3, 2)
    assert repr(m).startswith("MixtureSameFamily(\n  Categorical(probs: ")
    with pytest.raises(ValueError):
        d.MixtureSameFamily(d.Categorical(lib.ones(3)), parts)
    with pytest.raises(ValueError):
        d.MixtureSameFamily(parts, parts)


def test_mixture_beside_pytorch() -> None:
    results = []
    for lib in (torch, mg):
        d = lib.distributions
        w = lib.tensor([0.3, 0.7]).requires_grad_()
        loc = lib.tensor([[0.0, 3.0], [1.0, -1.0]]).requires_grad_()
        m = d.MixtureSameFamily(d.Categorical(w.expand(2, 2)), d.Normal(loc, lib.tensor(1.0)))
        lib.manual_seed(0)
        drawn = m.sample((4,))
        log_prob = m.log_prob(drawn)
        log_prob.sum().backward()
        results.append([drawn, log_prob, m.cdf(drawn), w.grad, loc.grad])
    for a, b in zip(*results):
        agree(a, b, 1e-5)


@both
def test_independent(lib: Any) -> None:
    d = lib.distributions
    p = d.Independent(d.Bernoulli(lib.full((2, 3), 0.5)), 1)
    assert repr(p) == "Independent(Bernoulli(probs: torch.Size([2, 3])), 1)"
    assert tuple(p.entropy().shape) == (2,) and not p.has_enumerate_support
    with pytest.raises(NotImplementedError):
        p.enumerate_support()
    with pytest.raises(ValueError):
        d.Independent(d.Bernoulli(0.5), 1)


@both
def test_subclasses(lib: Any) -> None:
    d = lib.distributions

    class Mine(d.Normal):
        def __init__(self, x: Any):
            super().__init__(x, 1.0)

    with pytest.raises(NotImplementedError, match="custom .expand"):
        Mine(0.0).expand((2,))

    class Odd(d.Distribution):
        def __init__(self) -> None:
            super().__init__(validate_args=False)

    with pytest.raises(NotImplementedError):
        Odd().sample()
    with pytest.raises(NotImplementedError):
        Odd().expand((2,))
    with pytest.warns(FutureWarning):
        d.Normal(0.0, 1.0).sample_n(2)


@both
def test_validation_is_switched(lib: Any) -> None:
    d = lib.distributions
    before = d.Distribution._validate_args
    try:
        d.Distribution.set_default_validate_args(False)
        d.Normal(0.0, -1.0)
        d.Distribution.set_default_validate_args(True)
        with pytest.raises(ValueError, match="parameter scale"):
            d.Normal(0.0, -1.0)
        with pytest.raises(ValueError):
            d.Distribution.set_default_validate_args(2)
    finally:
        d.Distribution._validate_args = before


@both
def test_subclasses_that_expand_themselves(lib: Any) -> None:
    d = lib.distributions

    class Shifted(d.Normal):
        def __init__(self, loc: Any, scale: Any, shift: Any):
            self.shift = shift
            super().__init__(loc, scale)

        def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
            new = self._get_checked_instance(Shifted, _instance)
            new.shift = self.shift
            return super().expand(batch_shape, _instance=new)

    p = Shifted(lib.zeros(3), lib.ones(3), lib.tensor([1.0, 2.0])).expand((2, 3))
    assert tuple(p.loc.shape) == (2, 3) and tuple(p.shift.shape) == (2,)
    assert tuple(p.sample((4,)).shape) == (4, 2, 3)


def test_copies_and_pickles() -> None:
    d = mg.distributions
    parts = d.Normal(mg.zeros(2), mg.ones(2))
    for p in (
        parts,
        d.Beta(2.0, 3.0),
        d.Gumbel(0.0, 1.0),
        d.Independent(parts, 1),
        d.MixtureSameFamily(d.Categorical(mg.ones(2)), parts),
        d.MultivariateNormal(mg.zeros(2), mg.eye(2)),
    ):
        for made in (copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
            assert repr(made) == repr(p)
            x = p.sample()
            assert (made.log_prob(x) == p.log_prob(x)).all()
