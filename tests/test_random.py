"""Random numbers against PyTorch's CPU generator: bit for bit, float32 normals to 1 ulp."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from typing import Any

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

SIZES = (1, 2, 3, 7, 8, 15, 16, 17, 20, 31, 32, 33, 100, 623, 624, 625, 1000, 10000)
FLOATS = ("float32", "float64", "float16", "bfloat16")
SEEDS = (0, 1, 42, 2**31, 2**40 + 7, -3)


def both(function: Any, seed: int = 3) -> tuple[list, list]:
    """`function(module)` under PyTorch and under minigrad, as float64 arrays."""
    results = []
    for module in (torch, mg):
        module.manual_seed(seed)
        out = function(module)
        out = list(out) if isinstance(out, (tuple, list)) else [out]
        out.append(module.rand(3))  # and the stream goes on alike
        results.append([to_double(t) for t in out])
    return results[0], results[1]


def to_double(t: Any) -> np.ndarray:
    return t.double().numpy() if isinstance(t, torch.Tensor) else t.numpy().astype(np.float64)


def same(function: Any, seed: int = 3, ulps: float = 0, dtype: str = "float32") -> None:
    expected, got = both(function, seed)
    eps = {"float32": 2.0**-23, "float64": 2.0**-52, "float16": 2.0**-10, "bfloat16": 2.0**-7}
    for e, g in zip(expected, got, strict=True):
        if ulps:
            limit = ulps * eps[dtype] * np.maximum(np.abs(e), 1e-2)
            assert e.shape == g.shape
            assert (np.abs(e - g) <= limit).all(), np.abs(e - g).max()
        else:
            np.testing.assert_array_equal(g, e)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_rand(seed: int, dtype: str) -> None:
    for n in SIZES:
        same(lambda m, n=n: m.rand(n, dtype=getattr(m, dtype)), seed)


@pytest.mark.parametrize("dtype", FLOATS)
def test_randn(dtype: str) -> None:
    for seed in (3, 2**31):
        for n in SIZES:
            same(lambda m, n=n: m.randn(n, dtype=getattr(m, dtype)), seed)


@pytest.mark.parametrize("dtype", FLOATS)
def test_normal_with_mean_and_deviation(dtype: str) -> None:
    for n in (5, 40):
        same(lambda m, n=n: m.empty(n, dtype=getattr(m, dtype)).normal_(1.5, 0.3))


def test_successive_calls_share_the_kept_normal() -> None:
    def calls(m: Any) -> list:
        return [m.randn(1), m.rand(2), m.randn(3), m.randn(20), m.randn(2), m.randn(5)]

    same(calls, ulps=1)


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_bounds(dtype: str) -> None:
    for a, b in ((-1, 1), (0, 5), (2.5, 2.75), (-0.1, 0.2), (-0.0883883, 0.0883883)):
        same(lambda m, a=a, b=b: m.empty(1000, dtype=getattr(m, dtype)).uniform_(a, b), ulps=1,
             dtype=dtype)  # fmt: skip


@pytest.mark.parametrize("dtype", FLOATS)
def test_uniform_and_normal_to_the_last_bit(dtype: str) -> None:
    """Also in large tensors, whose pieces are drawn one after the other, and of tiny numbers."""
    for n in (1000, 1023, 1040, 70_003):
        for a, b in ((-0.1, 0.2), (0.0, 1e-39), (5, 5), (-0.0883883, 0.0883883)):
            same(lambda m, n=n, a=a, b=b: m.empty(n, dtype=getattr(m, dtype)).uniform_(a, b))
        for a, b in ((0, 0.01), (3.3, 0.02), (0.0, 1e-40)):
            same(lambda m, n=n, a=a, b=b: m.empty(n, dtype=getattr(m, dtype)).normal_(a, b))
    same(lambda m: m.empty(30, 40, dtype=getattr(m, dtype)).t().uniform_(-1, 3))


@pytest.mark.parametrize(
    ("dtype", "bounds"),
    [("float32", (-5, 2**27)), ("float32", (2**26 + 3, 2**27 + 5)), ("float32", (-(2**27) - 3, 7)),
     ("float32", (-(2**24) - 1, 2**24 + 1)), ("bfloat16", (-300, 300)), ("float16", (-2049, 2050)),
     ("float64", (0, 2**53 + 1)), ("float64", (5, 2**60))],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:.*out of bounds")
def test_integers_that_a_float_cannot_hold(dtype: str, bounds: tuple) -> None:
    same(lambda m: m.empty(100, dtype=getattr(m, dtype)).random_(*bounds))


def test_memory_that_is_not_aligned_is_filled() -> None:
    aligned, odd = (mg.from_numpy(np.zeros(161, np.uint8)[k : k + 160].view("f4")) for k in (0, 1))
    whole = mg.from_numpy(np.zeros(161, np.uint8)[1:].view("i8"))
    for fill in (lambda t: t.normal_(1, 2), lambda t: t.uniform_(-1, 1), lambda t: t.random_(9)):
        results = []
        for t in (aligned, odd):
            mg.manual_seed(0)
            results.append(fill(t).tolist())
        assert results[0] == results[1]
    mg.manual_seed(0)
    assert whole.random_(9).tolist() == results[0][:20]


def _strided(m: Any, dtype: str = "float32") -> Any:
    return m.empty_strided((10, 6), (1, 30), dtype=getattr(m, dtype))


FILLS = {
    "uniform": lambda t: t.uniform_(-1, 1),
    "normal": lambda t: t.normal_(1, 2),
    "exponential": lambda t: t.exponential_(2.0),
    "cauchy": lambda t: t.cauchy_(1.0, 2.0),
    "log_normal": lambda t: t.log_normal_(0.5, 0.25),
    "geometric": lambda t: t.geometric_(0.3),
    "bernoulli": lambda t: t.bernoulli_(0.3),
    "random": lambda t: t.random_(),
    "random_to": lambda t: t.random_(100),
    "random_from": lambda t: t.random_(-5, 100),
}


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_fills(name: str, dtype: str) -> None:
    fill = FILLS[name]
    ulps = 0 if name in ("bernoulli", "random", "random_to", "random_from", "geometric") else 8
    same(lambda m: fill(m.empty(4, 25, dtype=getattr(m, dtype))), 3, ulps, dtype)
    same(lambda m: fill(_strided(m, dtype)), 3, ulps, dtype)


@pytest.mark.parametrize("dtype", ("int64", "int32", "int16", "int8", "uint8", "bool"))
def test_integer_fills(dtype: str) -> None:
    same(lambda m: m.empty(50, dtype=getattr(m, dtype)).random_())
    same(lambda m: m.empty(50, dtype=getattr(m, dtype)).bernoulli_(0.5))
    if dtype != "bool":
        same(lambda m: m.empty(50, dtype=getattr(m, dtype)).random_(3, 90))
        same(lambda m: m.empty(50, dtype=getattr(m, dtype)).geometric_(0.5))


def test_randint() -> None:
    for seed in SEEDS:
        same(lambda m: m.randint(10, (1000,)), seed)
    same(lambda m: m.randint(-5, 2**31, (7, 5)))
    same(lambda m: m.randint(0, 2**40, (100,)))
    same(lambda m: m.randint(-(2**63), 2**63 - 1, (100,)))
    same(lambda m: m.randint(0, 256, (100,), dtype=m.uint8))
    same(lambda m: m.randint(0, 10, (100,), dtype=m.float32))
    same(lambda m: m.randint(low=0, high=5, size=(3,)))
    same(lambda m: m.randint_like(m.zeros(3, 4), 2, 9))


def test_randperm() -> None:
    for n in (0, *SIZES):
        same(lambda m, n=n: m.randperm(n))
    same(lambda m: m.randperm(20, dtype=m.float32))
    same(lambda m: m.randperm(20, dtype=m.int32))


def test_bernoulli_of_tensors() -> None:
    for dtype in FLOATS:
        same(lambda m, dtype=dtype: m.bernoulli(m.linspace(0, 1, 100, dtype=getattr(m, dtype))))
    same(lambda m: m.empty(100).bernoulli_(m.linspace(0, 1, 100, dtype=m.float64)))
    same(lambda m: m.empty(100).bernoulli(0.3))


def test_normal_forms() -> None:
    def forms(m: Any) -> list:
        return [
            m.normal(m.linspace(0, 1, 20), 0.5),
            m.normal(1.5, m.linspace(0, 1, 20)),
            m.normal(m.linspace(0, 1, 5), m.ones(5)),
            m.normal(m.linspace(0, 1, 4), m.ones(4, dtype=m.float64)),
            m.normal(2, 3, (3, 8)),
        ]

    same(forms, ulps=4)


def test_multinomial() -> None:
    def draws(m: Any) -> list:
        p = m.tensor([0.1, 0.2, 0.0, 0.3, 0.4])
        q = m.linspace(1, 2, 30).numpy().reshape(3, 10)
        rows = m.tensor(q)
        return [
            m.multinomial(p, 3),
            m.multinomial(p, 1),
            m.multinomial(p, 100, True),
            m.multinomial(p, 1, True),
            m.multinomial(rows, 10),
            m.multinomial(rows, 20, replacement=True),
            m.multinomial(m.tensor(q.astype(float)), 9, replacement=True),
        ]

    for seed in range(5):
        same(draws, seed)
    for shape in ((0, 3), (0, 0)):
        for n in (1, 2):
            same(lambda m, shape=shape, n=n: m.multinomial(m.ones(shape), n, True))
    for shape in ((0,), (3, 0)):
        for n in (1, 2):
            with pytest.raises(RuntimeError, match="invalid multinomial distribution"):
                mg.multinomial(mg.ones(shape), n, True)


def test_poisson() -> None:
    same(lambda m: m.poisson(m.tensor([[0.0, 0.5, 2.0], [9.9, 10.0, 1000.0]] * 30)))


def test_like() -> None:
    same(lambda m: m.rand_like(m.zeros(3, 4)))
    same(lambda m: m.randn_like(m.zeros(3, 7), dtype=m.float64))
    same(lambda m: m.randint_like(m.zeros(3, 7), high=9))
    same(lambda m: m.randint_like(m.zeros(3, 7), 2, 9, dtype=m.int8))
    same(lambda m: m.multinomial(m.arange(1.0, 31).reshape(5, 6).t(), 3))
    same(lambda m: m.rand_like(_strided(m)))


def test_states_are_pytorchs() -> None:
    for steps in (lambda m: None, lambda m: m.rand(1), lambda m: m.rand(624), lambda m: m.randn(3)):
        torch.manual_seed(9)
        mg.manual_seed(9)
        steps(torch)
        steps(mg)
        theirs, ours = torch.get_rng_state().numpy(), mg.get_rng_state().numpy()
        record = mg.generator._STATE
        a, b = theirs.view(record)[0], ours.view(record)[0]
        for field in ("seed", "left", "seeded", "next", "words", "normal_valid"):
            np.testing.assert_array_equal(a[field], b[field], err_msg=field)
        torch.set_rng_state(torch.from_numpy(ours.copy()))
        want = torch.randn(5).numpy()
        mg.set_rng_state(mg.from_numpy(theirs.copy()))
        np.testing.assert_allclose(mg.randn(5).numpy(), want, rtol=1e-6)


def test_generators() -> None:
    g = mg.Generator().manual_seed(5)
    first = mg.rand(3, generator=g).numpy()
    assert g.initial_seed() == 5
    twin, copied, pickled = g.clone_state(), copy.deepcopy(g), pickle.loads(pickle.dumps(g))
    state = g.get_state()
    want = mg.randn(5, generator=g).numpy()
    for other in (twin, copied, pickled, mg.Generator().set_state(state)):
        np.testing.assert_array_equal(mg.randn(5, generator=other).numpy(), want)
    np.testing.assert_array_equal(mg.rand(3, generator=g.manual_seed(5)).numpy(), first)
    assert mg.Generator().initial_seed() == torch.Generator().initial_seed()
    assert g.seed() == g.initial_seed()
    assert mg.Generator().manual_seed(-1).initial_seed() == 2**64 - 1


def test_fork_rng() -> None:
    mg.manual_seed(1)
    with mg.random.fork_rng():
        inside = mg.rand(2).numpy()
    np.testing.assert_array_equal(mg.rand(2).numpy(), inside)


def test_seeding_also_starts_the_counters() -> None:
    mg.manual_seed(1)
    assert mg.default_generator.reserve(10) == (1, 0)
    assert mg.default_generator.reserve(1) == (1, 10)
    state = mg.get_rng_state()
    mg.manual_seed(1)
    assert mg.default_generator.reserve(1) == (1, 0)
    mg.set_rng_state(state)
    assert mg.default_generator.reserve(1) == (1, 11)


def test_threads_get_different_numbers() -> None:
    g = mg.Generator().manual_seed(0)
    parts: list = []

    def work() -> None:
        parts.extend(mg.rand(100, dtype=mg.float64, generator=g).numpy() for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(np.unique(np.concatenate(parts))) == 20000


ERRORS = """
Generator().manual_seed(2**64) | manual_seed(2**64) | Generator().manual_seed(1.7)
Generator().set_state(T.zeros(3, dtype=T.uint8)) | Generator().set_state(T.zeros(5056))
Generator().set_state(3) | Generator().set_state(T.zeros(5056, dtype=T.uint8)) | randint(5, 5, (2,))
randint(0, 300, (2,), dtype=T.uint8) | randint(5) | randint(0, 5, 3) | randperm(-1) | randperm(2.5)
randperm(300, dtype=T.uint8) | normal(0, -1, (2,)) | normal(T.zeros(2), -T.ones(2)) | randn(2.5)
normal(T.zeros(2), T.ones(3)) | normal(0.0, 1.0) | randn(2, dtype=T.int64) | rand(2, dtype=T.int64)
zeros(2).normal_(0, -1) | zeros(2).uniform_(2, 1) | zeros(2, dtype=T.int32).uniform_()
zeros(2).bernoulli_(1.5) | bernoulli(T.tensor([1.5])) | bernoulli(T.tensor([1]))
zeros(2).exponential_(0) | zeros(2, dtype=T.int64).exponential_() | zeros(2).geometric_(0)
zeros(2).geometric_(1.0) | zeros(2).cauchy_(0, 0) | zeros(2).log_normal_(0, 0)
zeros(2).random_(5, 5) | zeros(2).random_(0) | zeros(2, dtype=T.uint8).random_(0, 257)
zeros(2, dtype=T.uint8).random_(-1, 5) | zeros(3).random_(3.5) | rand(2, generator=3) | rand(-1)
multinomial(T.tensor([1.0, 2.0]), 3) | multinomial(T.tensor([1.0, -1.0]), 1)
multinomial(T.tensor([0.0, 0.0]), 1) | multinomial(T.tensor([1, 2]), 1) | poisson(T.tensor([-1.0]))
multinomial(T.ones(2, 2, 2), 1) | multinomial(T.tensor([1.0, 2.0]), 0) | rand_like(T.tensor([1]))
tensor([1.0], requires_grad=True).uniform_() | randperm(3, dtype=T.bool) | rand(2, names=None)
zeros(2, dtype=T.bool).geometric_(0.2) | rand_like([1]) | rand_like(T.zeros(2), size=3)
"""


@pytest.mark.parametrize(
    "call", [c.strip() for line in ERRORS.strip().split("\n") for c in line.split(" | ")]
)
def test_errors_are_pytorchs(call: str) -> None:
    found = []
    for module in (torch, mg):
        with warnings.catch_warnings(), pytest.raises(Exception) as caught:  # noqa: PT011
            warnings.simplefilter("ignore")
            eval(f"T.{call}", {"T": module})
        found.append(caught.type)
    assert found[0] is found[1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_binomial_is_pytorchs(dtype):
    rng = np.random.default_rng(0)
    count = np.floor(rng.uniform(-1, 200, 50))
    chance = rng.uniform(-0.1, 1.1, 50).clip(0, 1)
    chance[3] = np.nan
    chance[:20] **= 4
    for seed in range(20):
        torch.manual_seed(seed)
        mg.manual_seed(seed)
        theirs, ours = (
            m.binomial(*(m.tensor(a, dtype=getattr(m, dtype)) for a in (count, chance)))
            for m in (torch, mg)
        )
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_binomial_refuses():
    with pytest.raises(ValueError, match="floating-point dtypes for count, got: Long"):
        mg.binomial(mg.tensor([3]), mg.tensor([0.5]))
    with pytest.raises(RuntimeError, match="Found dtype Float but expected Double"):
        mg.binomial(mg.tensor([3.0]).double(), mg.tensor([0.5]))
    with pytest.raises(NotImplementedError, match="not implemented for 'Half'"):
        mg.binomial(mg.tensor([3.0]).half(), mg.tensor([0.5]).half())
    assert mg.binomial(mg.full((2, 1), 3.0), mg.rand(3)).shape == (2, 3)
