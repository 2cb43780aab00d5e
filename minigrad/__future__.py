"""PyTorch's switches of how a module's parameters are changed by `to` and `load_state_dict`."""

from __future__ import annotations


def get_overwrite_module_params_on_conversion() -> bool:
    """Whether `to` gives a module new parameters: False, they keep their identity."""
    return False


def set_overwrite_module_params_on_conversion(value: bool) -> None:
    """NotImplementedError for True."""
    _only_false("set_overwrite_module_params_on_conversion", value)


def get_swap_module_params_on_conversion() -> bool:
    """Whether parameters are swapped with new ones: False."""
    return False


def set_swap_module_params_on_conversion(value: bool) -> None:
    """NotImplementedError for True."""
    _only_false("set_swap_module_params_on_conversion", value)


def _only_false(name: str, value: bool) -> None:
    if value:
        raise NotImplementedError(f"{name}(True): in minigrad parameters keep their identity")
