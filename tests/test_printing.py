"""`repr` of tensors, character for character PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import printing

torch = pytest.importorskip("torch")
DTYPES = [d.name for d in mg.dtypes.ALL]
SPECIAL = [0.0, -0.0, float("nan"), float("inf"), -float("inf"), 1e-5, 1e8, 123456.0, -2.0, 1e20]


@st.composite
def arrays(draw):
    """(values as float64 or int64, dtype name): every kind of size and magnitude."""
    name = draw(st.sampled_from(DTYPES))
    shape = draw(
        st.sampled_from(
            [
                (),
                (1,),
                (4,),
                (7,),
                (30,),
                (0,),
                (3, 0),
                (2, 3),
                (1, 1),
                (5, 9),
                (2, 1, 3),
                (2, 2, 2, 2),
            ]
            + [(1001,), (40, 30), (7, 200), (11, 12, 13), (3, 2000), (2, 7, 8, 10)]
        )
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(["unit", "whole", "wide", "small", "large", "special", "zeros"]))
    if name == "bool":
        return rng.random(shape) < 0.5, name
    if "int" in name:
        top = 100 if kind in ("unit", "small") else 2 ** (7 if "8" in name else 14)
        low = 0 if name == "uint8" else -top
        return rng.integers(low, top, shape), name
    values = {
        "unit": lambda: rng.standard_normal(shape),
        "whole": lambda: rng.integers(-50, 50, shape) * 1.0,
        "wide": lambda: rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 7, shape),
        "small": lambda: rng.standard_normal(shape) * 1e-5,
        "large": lambda: rng.standard_normal(shape) * 1e9,
        "special": lambda: rng.choice(SPECIAL, shape),
        "zeros": lambda: np.zeros(shape),
    }[kind]()
    if kind == "unit" and draw(st.booleans()):
        values = np.where(rng.random(shape) < 0.2, rng.choice([np.nan, np.inf], shape), values)
    return np.asarray(values, np.float64), name


def both(values, name):
    with np.errstate(all="ignore"):
        array = np.array(values).astype(mg.dtypes.from_name(name).numpy)
    theirs = torch.from_numpy(np.array(array.astype(np.float64) if "float" in name else array))
    return mg.Tensor._from_array(array), theirs.to(getattr(torch, name))


@settings(
    max_examples=400, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(arrays())
def test_repr_is_pytorchs(case) -> None:
    ours, theirs = both(*case)
    assert repr(ours) == repr(theirs)


@settings(
    max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
@given(
    arrays(),
    st.fixed_dictionaries(
        {},
        optional={
            "precision": st.integers(0, 8),
            "threshold": st.sampled_from([0, 5, 2000]),
            "edgeitems": st.integers(1, 5),
            "linewidth": st.sampled_from([20, 40, 120]),
            "sci_mode": st.booleans(),
            "profile": st.sampled_from(["default", "short"]),
        },
    ),
)
def test_options(case, options) -> None:
    ours, theirs = both(*case)
    torch.set_printoptions(**options)
    try:
        with printing.printoptions(**options):
            assert repr(ours) == repr(theirs)
    finally:
        torch.set_printoptions(profile="default")


def test_suffixes() -> None:
    values = np.linspace(-1, 1, 6).reshape(2, 3).astype(np.float32)
    x = mg.Tensor._from_array(values).requires_grad_()
    y = torch.from_numpy(values.copy()).requires_grad_()
    for f in (
        lambda t: t,
        lambda t: t * 2,
        lambda t: t.double().exp(),
        lambda t: t.sum(),
        lambda t: t[0],
        lambda t: t[:, 1:],
        lambda t: t[[0, 1]],
        lambda t: t.t().reshape(6),
        lambda t: t.unbind()[1],
        lambda t: t[:0],
        lambda t: t.detach(),
        lambda t: t[None, ..., None],
        lambda t: t.squeeze(0),
        lambda t: t.reshape(6).repeat(4),
    ):
        assert repr(f(x)) == repr(f(y))


def test_default_dtype_is_not_named() -> None:
    x = mg.Tensor._from_array(np.ones(2))
    assert repr(x) == "tensor([1., 1.], dtype=torch.float64)"
    mg.set_default_dtype(mg.float64)
    try:
        assert repr(x) == "tensor([1., 1.])"
    finally:
        mg.set_default_dtype(mg.float32)


def test_unknown_profile() -> None:
    with pytest.raises(ValueError, match="profile 'loud' given"):
        printing.set_printoptions(profile="loud")


def test_set_and_get() -> None:
    printing.set_printoptions(precision=2, linewidth=60)
    try:
        assert printing.get_printoptions()["precision"] == 2
        assert repr(mg.Tensor._from_array(np.array([0.125], np.float32))) == "tensor([0.12])"
    finally:
        printing.set_printoptions(profile="default")
