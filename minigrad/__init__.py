"""minigrad: a small, fast deep-learning trainer with PyTorch's names, over NumPy arrays."""

from . import autograd, dtypes
from .config import show_config
from .tensor import Tensor
from .version import __version__

__all__ = ["Tensor", "__version__", "autograd", "dtypes", "show_config"]
