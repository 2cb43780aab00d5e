"""The op table: one file of rows for each family of `minigrad.ops`."""

import importlib
import pkgutil

from .row import Row

ROWS: list[Row] = []
for _module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
    if _module != "row":
        ROWS.extend(importlib.import_module(f"{__name__}.{_module}").ROWS)
