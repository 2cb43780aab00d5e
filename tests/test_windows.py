"""Window functions beside PyTorch's: values, types, and errors."""

from __future__ import annotations

import numpy as np
import pytest
from pair import torch

import minigrad as mg

_SIGNAL: dict[str, list[dict]] = {
    "bartlett": [{}],
    "blackman": [{}],
    "cosine": [{}],
    "exponential": [{}, {"tau": 3.0}, {"center": 1.5}, {"tau": 0}],
    "gaussian": [{}, {"std": 2.0}, {"std": -1}],
    "general_cosine": [{"a": (0.2, 0.3, 0.5)}, {"a": []}, {"a": 3}],
    "general_hamming": [{}, {"alpha": 0.7}],
    "hamming": [{}],
    "hann": [{}],
    "kaiser": [{}, {"beta": 3.0}, {"beta": -1}],
    "nuttall": [{}],
}
_TOLERANCE = {"float16": 2e-2, "bfloat16": 0.1, "float32": 3e-6, "float64": 1e-14}


def _same(name: str, owners: tuple, *args, dtype: str | None = None, **kwargs) -> None:
    """Both libraries give the same window, or an error of the same class."""
    results = []
    for m, owner in zip((torch, mg), owners, strict=True):
        try:
            kind = None if dtype is None else getattr(m, dtype)
            results.append(getattr(owner, name)(*args, dtype=kind, **kwargs))
        except Exception as error:  # noqa: BLE001
            results.append(error)
    expected, got = results
    if isinstance(expected, Exception):
        assert type(got) is type(expected), (args, kwargs, got)
        return
    assert str(got.dtype) == str(expected.dtype)
    np.testing.assert_allclose(
        got.double().numpy(), expected.double().numpy(), atol=_TOLERANCE[got.dtype.name]
    )


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
@pytest.mark.parametrize("dtype", [None, *_TOLERANCE, "int64"])
def test_functions_of_torch(name, dtype):
    for count in (-1, 0, 1, 2, 3, 4, 7, 100, 3.5):
        for periodic in (True, False):
            _same(f"{name}_window", (torch, mg), count, periodic, dtype=dtype)


def test_parameters_of_windows():
    _same("hamming_window", (torch, mg), 9, False, 0.6, 0.3)
    _same("kaiser_window", (torch, mg), 9, True, 3.5)
    assert mg.hann_window(4, requires_grad=True).requires_grad


@pytest.mark.parametrize("name", _SIGNAL)
@pytest.mark.parametrize("dtype", [None, "float16", "float32", "float64", "int64"])
def test_signal(name, dtype):
    for count in (-1, 0, 1, 2, 3, 4, 7, 100):
        for symmetric in (True, False):
            for options in _SIGNAL[name]:
                owners = torch.signal.windows, mg.signal.windows
                _same(name, owners, count, sym=symmetric, dtype=dtype, **options)
