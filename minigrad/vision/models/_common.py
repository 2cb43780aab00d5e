"""What the models share."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

from ...nn import BatchNorm2d, Conv2d, GroupNorm, Linear, init


def takes_pretrained(build: Callable) -> Callable:
    """`build(*, weights, progress, ...)` that takes what it took before torchvision 0.13, too.

    These are `weights` and `progress` by position, and `pretrained` (a truth value) for `weights`.
    Each comes with torchvision's warning.
    """

    @functools.wraps(build)
    def taking(*args: Any, **kwargs: Any) -> Any:
        if args:
            if len(args) > 2:
                raise TypeError(
                    f"{build.__name__}() takes at most 2 positional arguments ({len(args)} given)"
                )
            given = dict(zip(("weights", "progress"), args))
            for key in given:
                if key in kwargs:
                    raise TypeError(f"{build.__name__}() got multiple values for argument '{key}'")
            names = " and ".join(f"'{key}'" for key in given)
            warnings.warn(
                f"Using {names} as positional parameter(s) is deprecated since 0.13 and may be "
                "removed in the future. Please use keyword parameter(s) instead.",
                stacklevel=2,
            )
            kwargs.update(given)
        weights = kwargs.get("weights")
        if isinstance(weights, (bool, int)):
            pretrained = bool(weights)
        elif "pretrained" in kwargs and weights is None:
            pretrained = bool(kwargs.pop("pretrained"))
            warnings.warn(
                "The parameter 'pretrained' is deprecated since 0.13 and may be removed in the "
                "future, please use 'weights' instead.",
                stacklevel=2,
            )
        else:
            return build(**kwargs)
        kwargs["weights"] = "DEFAULT" if pretrained else None
        warnings.warn(
            "Arguments other than a weight enum or `None` for 'weights' are deprecated since 0.13 "
            "and may be removed in the future. The current behavior is equivalent to passing "
            f"`weights={kwargs['weights']}`.",
            stacklevel=2,
        )
        return build(**kwargs)

    return taking


def no_weights(name: str, weights: Any) -> None:
    """ValueError if trained weights are asked for: minigrad downloads none."""
    if weights is not None:
        raise ValueError(
            f"{name}: weights={weights!r} were asked for, but minigrad downloads no trained "
            "weights; make the model without them and load a state_dict from a file: "
            "model.load_state_dict(torch.load(path))"
        )


def initialise(model: Any, linear: bool = True, nonlinearity: str = "relu") -> None:
    """He's normal numbers for convolutions, 1 and 0 for norms, N(0, 0.01) for linear layers."""
    for m in model.modules():
        if isinstance(m, Conv2d):
            init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity=nonlinearity)
            if m.bias is not None:
                init.constant_(m.bias, 0)
        elif isinstance(m, (BatchNorm2d, GroupNorm)):
            init.constant_(m.weight, 1)
            init.constant_(m.bias, 0)
        elif linear and isinstance(m, Linear):
            init.normal_(m.weight, 0, 0.01)
            init.constant_(m.bias, 0)
