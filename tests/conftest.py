"""Fixtures for all tests."""

import pytest

from minigrad.kernels.cpu import _C


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


# Files that look at functions as they are while no class overrides operations; other test files
# define such classes when they are imported, which arms the functions of the whole process.
_UNARMED = {
    "test_exchange.py", "test_function_shapes.py", "test_functional.py", "test_interop.py",
    "test_reductions.py",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _unarmed(request):  # type: ignore[no-untyped-def]
    if request.path.name not in _UNARMED:
        yield
        return
    from minigrad import Tensor, dispatch

    needed, dispatch._needed = dispatch._needed, 0
    dispatch._disarm()
    yield
    dispatch._needed += needed
    if needed:
        dispatch.arm(Tensor)
        dispatch.release()
