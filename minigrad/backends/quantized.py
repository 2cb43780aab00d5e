"""Engines of quantized operations, of which minigrad has none."""

from __future__ import annotations

engine = "none"
supported_engines: list[str] = ["none"]
