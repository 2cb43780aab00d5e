"""The compiled CUDA module that the tests of its kernels run on."""

import importlib.machinery
import importlib.util
import os
import pathlib

import pytest
from device_arrays import CudaDevice, EmulatedDevice, Module

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = "cmake -S . -B build -DMINIGRAD_EMU=ON && cmake --build build --target _cuda_emu"


def load(path):
    loader = importlib.machinery.ExtensionFileLoader("_cuda_emu", str(path))
    spec = importlib.util.spec_from_loader("_cuda_emu", loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def emulated():
    """`_cuda_emu` from MINIGRAD_CUDA_EMU, a file or a folder, or from the checkout's build*/."""
    given = os.environ.get("MINIGRAD_CUDA_EMU")
    places = [pathlib.Path(given)] if given else sorted(ROOT.glob("build*"))
    for place in places:
        files = [place] if place.is_file() else sorted(place.glob("_cuda_emu*.so"))
        if files:
            return load(files[0])
    if given:
        raise FileNotFoundError(f"MINIGRAD_CUDA_EMU={given}: no _cuda_emu there")
    return None


def at_hand():
    try:
        from minigrad import _cuda
    except ImportError:
        _cuda = None
    if _cuda is not None and _cuda.status()[0] > 0:
        return Module(_cuda, CudaDevice())
    if os.environ.get("MINIGRAD_CUDA_REAL"):  # asked for: no emulation in its place
        raise RuntimeError(f"no GPU for minigrad._cuda: {_cuda and _cuda.status()}")
    module = emulated()
    return module and Module(module, EmulatedDevice())


@pytest.fixture(scope="session")
def cuda():
    """`_cuda` where there is a GPU, else `_cuda_emu`."""
    module = at_hand()
    if module is None:
        pytest.skip(f"neither a GPU nor the emulation; build it: {BUILD}")
    return module
