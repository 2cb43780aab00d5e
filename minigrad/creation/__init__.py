"""Making tensors: from data, of one value, evenly spaced, and by PyTorch's old constructors."""

from .data import *  # noqa: F403
from .data import __all__ as _data
from .files import *  # noqa: F403
from .files import __all__ as _files
from .filled import *  # noqa: F403
from .filled import __all__ as _filled
from .legacy import *  # noqa: F403
from .legacy import __all__ as _legacy
from .ranges import *  # noqa: F403
from .ranges import __all__ as _ranges
from .windows import *  # noqa: F403
from .windows import __all__ as _windows

__all__ = [*_data, *_files, *_filled, *_legacy, *_ranges, *_windows]
