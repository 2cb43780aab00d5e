"""minigrad: a small, fast deep-learning trainer with PyTorch's names, over NumPy arrays."""

import importlib
import sys
from math import e as e
from math import inf as inf
from math import nan as nan
from math import pi as pi
from typing import TYPE_CHECKING, Any

from . import autograd as autograd
from . import deferred as _deferred
from . import dispatch as _dispatch
from . import dtypes as dtypes
from . import einops_backend as _einops_backend
from . import nn as nn
from . import ops as ops
from . import optim as optim
from . import random as random
from .attributes import *  # noqa: F403
from .autograd import enable_grad as enable_grad
from .autograd import inference_mode as inference_mode
from .autograd import is_anomaly_check_nan_enabled as is_anomaly_check_nan_enabled
from .autograd import is_anomaly_enabled as is_anomaly_enabled
from .autograd import is_grad_enabled as is_grad_enabled
from .autograd import is_inference_mode_enabled as is_inference_mode_enabled
from .autograd import no_grad as no_grad
from .autograd import set_grad_enabled as set_grad_enabled
from .backend import channels_last as channels_last
from .backend import channels_last_3d as channels_last_3d
from .backend import contiguous_format as contiguous_format
from .backend import device as device
from .backend import layout as layout
from .backend import memory_format as memory_format
from .backend import preserve_format as preserve_format
from .backend import sparse_coo as sparse_coo
from .backend import sparse_csr as sparse_csr
from .backend import strided as strided
from .config import get_num_threads as get_num_threads
from .config import set_flush_denormal as set_flush_denormal
from .config import set_num_threads as set_num_threads
from .config import show_config as show_config
from .creation import *  # noqa: F403
from .creation import tensor as _tensor
from .dtypes import bfloat16 as bfloat16
from .dtypes import bool_ as bool_
from .dtypes import complex32 as complex32
from .dtypes import complex64 as complex64
from .dtypes import complex128 as complex128
from .dtypes import dtype as dtype
from .dtypes import finfo as finfo
from .dtypes import float8_e4m3fn as float8_e4m3fn
from .dtypes import float8_e4m3fnuz as float8_e4m3fnuz
from .dtypes import float8_e5m2 as float8_e5m2
from .dtypes import float8_e5m2fnuz as float8_e5m2fnuz
from .dtypes import float8_e8m0fnu as float8_e8m0fnu
from .dtypes import float16 as float16
from .dtypes import float32 as float32
from .dtypes import float64 as float64
from .dtypes import get_default_dtype as get_default_dtype
from .dtypes import iinfo as iinfo
from .dtypes import int8 as int8
from .dtypes import int16 as int16
from .dtypes import int32 as int32
from .dtypes import int64 as int64
from .dtypes import promote_types as promote_types
from .dtypes import qint8 as qint8
from .dtypes import qint32 as qint32
from .dtypes import quint4x2 as quint4x2
from .dtypes import quint8 as quint8
from .dtypes import set_default_dtype as set_default_dtype
from .dtypes import uint8 as uint8
from .dtypes import uint16 as uint16
from .dtypes import uint32 as uint32
from .dtypes import uint64 as uint64
from .foreach import *  # noqa: F403
from .in_place import *  # noqa: F403
from .nn.recurrence import *  # noqa: F403
from .ops import *  # noqa: F403

# isort: split
# Some functions of `torch` differ from those of `nn.functional` that the operations are.
from .native import *  # noqa: F403
from .nn.functional import rrelu as rrelu
from .nn.functional import rrelu_ as rrelu_

# isort: split
from .printing import *  # noqa: F403
from .queries import *  # noqa: F403
from .random import *  # noqa: F403
from .random_counts import *  # noqa: F403
from .samplers import _sample_dirichlet as _sample_dirichlet
from .samplers import _standard_gamma as _standard_gamma
from .size import Size as Size
from .symbolic import *  # noqa: F403
from .tensor import Tensor as Tensor
from .version import __version__ as __version__

if TYPE_CHECKING:  # loaded when first used
    from .serialization import load as load
    from .serialization import load_safetensors as load_safetensors
    from .serialization import save as save
    from .serialization import save_safetensors as save_safetensors

# The name of a module of ours belongs to PyTorch's function.
tensor = _tensor
bool = bool_
half, float, double = float16, float32, float64
short, int, long = int16, int32, int64
chalf, cfloat, cdouble = complex32, complex64, complex128
newaxis = None

_einops_backend.watch()

# Packages that are loaded when first asked for: a program that does not use them does not pay.
_LAZY = frozenset(
    {
        "__config__", "__future__", "_dynamo", "_inductor", "accelerator", "amp", "ao", "backends",
        "compiler", "compress", "cpu", "cuda", "distributed", "distributions", "fft", "func", "hub",
        "jit", "library", "linalg", "monitor", "mps", "multiprocessing", "onnx", "overrides",
        "pipelining", "profiler", "runner", "secure", "serialization", "signal", "sparse",
        "special", "storage", "testing", "torch_version", "train", "transfer", "types", "utils",
        "version", "vision", "xpu",
    }
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        module = importlib.import_module(f"{__name__}.{name}")
        _dispatch.namespace_loaded(Tensor)
        return module
    if name == "vmap":
        return importlib.import_module(f"{__name__}.func").vmap
    if name == "functional":  # a module of PyTorch, all of whose functions are here
        return sys.modules[__name__]
    if name == "windows":
        return importlib.import_module(f"{__name__}.signal").windows
    if name == "install_as_torch":
        return importlib.import_module(f"{__name__}.runner").install_as_torch
    if name in _deferred.NAMES:
        value = globals()[name] = _deferred.resolve(name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(
        {*globals(), *_LAZY, *_deferred.NAMES, "functional", "install_as_torch", "vmap", "windows"}
    )
