"""minigrad: a small, fast deep-learning trainer with PyTorch's names."""

from . import autograd, dtypes
from .tensor import Tensor

__all__ = ["Tensor", "autograd", "dtypes"]
