"""Fixtures for all tests."""

import pytest

from minigrad.kernels.cpu import _C

try:
    import hypothesis
except ImportError:
    pass
else:  # how long an example takes says something of the machine, and nothing of the program
    hypothesis.settings.register_profile(
        "minigrad", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("minigrad")


@pytest.fixture(params=_C.available_isas())
def isa(request):
    """Runs the test once for each instruction set that this machine has."""
    before = _C.isa()
    _C.set_isa(request.param)
    yield request.param
    _C.set_isa(before)


@pytest.fixture
def num_threads():
    """A function that sets the number of threads; what it was comes back afterwards."""
    before = _C.get_num_threads()
    yield _C.set_num_threads
    _C.set_num_threads(before)
