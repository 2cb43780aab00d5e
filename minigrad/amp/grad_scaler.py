"""`GradScaler`: scales losses so that small gradients survive float16; skips overflowed steps."""

from __future__ import annotations

import math
import warnings
from collections import abc, defaultdict
from enum import Enum
from typing import Any

from .. import dtypes, ops
from ..autograd import no_grad
from ..autograd.variable import Variable, wrap
from ..creation import tensor
from ..kernels.cuda_library import library


class OptState(Enum):
    """Where an optimizer stands between two calls of `update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf": None}


class GradScaler:
    """`scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()`.

    The scale grows by `growth_factor` after `growth_interval` steps in a row without infinity or
    NaN in the gradients, and shrinks by `backoff_factor` after one with them, which is skipped.
    With device "cuda" it is off, with a warning, where there is no CUDA device: everything passes
    through.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda" and library().reason:
            warnings.warn(
                "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
                stacklevel=2,
            )
            self._enabled = False
        if not self._enabled:
            return
        if growth_factor <= 1.0:
            raise AssertionError("The growth factor must be > 1.0.")
        if backoff_factor >= 1.0:
            raise AssertionError("The backoff factor must be < 1.0.")
        self._init_scale = init_scale
        self._scale: Any = None  # a tensor, once it is needed
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        self._states: dict[int, dict[str, Any]] = defaultdict(_fresh)

    def _need_scale(self, what: str) -> Any:
        if self._scale is None:
            raise AssertionError(
                f"Attempted {what} but _scale is None.  This may indicate your script did not use "
                "scaler.scale(loss or outputs) earlier in the iteration."
            )
        return self._scale

    def scale(self, outputs: Any) -> Any:
        """A tensor, or an iterable of tensors, times the scale."""
        if not self._enabled:
            return outputs
        if self._scale is None:
            self._scale = tensor(self._init_scale, dtype=dtypes.float32)
        if isinstance(outputs, Variable):
            return ops.mul(outputs, self._scale)
        if isinstance(outputs, abc.Iterable):
            scaled = [self.scale(value) for value in outputs]
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else iter(scaled)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients of an optimizer by the scale, before they are clipped, say.

        RuntimeError if it was done since `update`; ValueError for float16 gradients.
        """
        if not self._enabled:
            return
        scale = self._need_scale("unscale_")
        state = self._states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        state["found_inf"] = self._unscale(optimizer, 1.0 / scale.double().item(), False)
        state["stage"] = OptState.UNSCALED

    def _unscale(self, optimizer: Any, inverse: float, allow_fp16: bool) -> float | None:
        """1.0 if a gradient held infinity or NaN, else 0.0; None without gradients."""
        found: float | None = None
        factor = float(dtypes.float32.numpy.type(inverse))
        for group in optimizer.param_groups:
            for p in group["params"]:
                grad = p.grad
                if grad is None:
                    continue
                if not allow_fp16 and grad.dtype is dtypes.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                with no_grad():
                    values = grad._values() if grad.is_sparse else grad
                    finite = bool(ops.all(ops.isfinite(values)))
                    if factor != 1.0:
                        grad.mul_(factor)
                found = max(found or 0.0, 0.0 if finite else 1.0)
        return found

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(...)` with gradients unscaled, unless they hold infinity or NaN."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._need_scale("step")
        state = self._states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if state["stage"] is OptState.READY:
            self.unscale_(optimizer)
        if state["found_inf"] is None:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        result = None if state["found_inf"] else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Grows or shrinks the scale by what the gradients held; or sets it to `new_scale`."""
        if not self._enabled:
            return
        scale = self._need_scale("update")
        if new_scale is not None:
            value = new_scale.item() if isinstance(new_scale, Variable) else float(new_scale)
            self._scale = tensor(value, dtype=dtypes.float32)
        else:
            found = [s["found_inf"] for s in self._states.values() if s["found_inf"] is not None]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._scale = wrap(self._next(scale._array, max(found)))
        self._states = defaultdict(_fresh)

    def _next(self, scale: Any, found: float) -> Any:
        """The next scale, in float32; counts the steps that went well."""
        if found:
            self._growth_tracker = 0
            return (scale * self._backoff_factor).astype(scale.dtype).reshape(())
        self._growth_tracker += 1
        if self._growth_tracker < self._growth_interval:
            return scale
        self._growth_tracker = 0
        grown = (scale * self._growth_factor).astype(scale.dtype).reshape(())
        return grown if math.isfinite(grown.item()) else scale

    def get_scale(self) -> float:
        """The scale as a number; 1.0 if the scaler is off."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def get_growth_factor(self) -> float:
        """What the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Sets what the scale grows by."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """What the scale shrinks by."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Sets what the scale shrinks by."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Sets after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether the scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors, interval and counter; empty if the scaler is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave. RuntimeError for an empty one, of a scaler that was off."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale = tensor(state_dict["scale"], dtype=dtypes.float32)
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = state_dict["_growth_tracker"]
