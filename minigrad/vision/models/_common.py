"""What the models share."""

from __future__ import annotations

from typing import Any

from ...nn import BatchNorm2d, Conv2d, GroupNorm, Linear, init


def no_weights(name: str, weights: Any, options: dict[str, Any]) -> None:
    """ValueError if trained weights are asked for: minigrad downloads none."""
    if weights is not None or options.pop("pretrained", False):
        raise ValueError(
            f"{name}: weights={weights!r} were asked for, but minigrad downloads no trained "
            "weights; make the model without them and load a state_dict from a file: "
            "model.load_state_dict(torch.load(path))"
        )


def initialise(model: Any, linear: bool = True) -> None:
    """He's normal numbers for convolutions, 1 and 0 for norms, N(0, 0.01) for linear layers."""
    for m in model.modules():
        if isinstance(m, Conv2d):
            init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            if m.bias is not None:
                init.constant_(m.bias, 0)
        elif isinstance(m, (BatchNorm2d, GroupNorm)):
            init.constant_(m.weight, 1)
            init.constant_(m.bias, 0)
        elif linear and isinstance(m, Linear):
            init.normal_(m.weight, 0, 0.01)
            init.constant_(m.bias, 0)
