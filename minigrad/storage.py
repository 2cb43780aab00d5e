"""The memory of tensors under PyTorch's names."""

from .attributes import Storage as UntypedStorage

__all__ = ["UntypedStorage"]
