"""The names of `torch.onnx` that training programs import."""

from __future__ import annotations

import pytest

from minigrad import onnx


def test_nothing_is_exported() -> None:
    assert not onnx.is_in_onnx_export()
    with pytest.raises(onnx.OnnxExporterError, match="no ONNX files"):
        onnx.export(None, (), "model.onnx")
    assert issubclass(onnx.OnnxExporterError, RuntimeError)
