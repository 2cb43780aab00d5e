"""`cpu.amp`: PyTorch's older name for `amp.autocast("cpu")`."""

from __future__ import annotations

from .. import amp as _amp
from .. import dtypes


class autocast(_amp.autocast):
    """`amp.autocast("cpu", ...)`."""

    def __init__(
        self,
        enabled: bool = True,
        dtype: dtypes.dtype = dtypes.bfloat16,
        cache_enabled: bool = True,
    ):
        super().__init__("cpu", dtype, enabled, cache_enabled)
