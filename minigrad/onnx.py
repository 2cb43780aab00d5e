"""`torch.onnx`: the names that training programs import; no ONNX files are written."""

from __future__ import annotations

import enum
from typing import Any, NoReturn


class OnnxExporterError(RuntimeError):
    """A model could not be exported."""


class TrainingMode(enum.Enum):
    """The mode a model is exported in."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


def is_in_onnx_export() -> bool:
    """Whether a model is being exported: never."""
    return False


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """OnnxExporterError: minigrad writes no ONNX files."""
    raise OnnxExporterError(
        "onnx.export: minigrad writes no ONNX files; save the weights with "
        "torch.save(model.state_dict(), path), load them into the same model in PyTorch and "
        "export it there"
    )
