"""Which parameters learn, and how fast: freezing by name, groups of learning rates."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

from .. import nn

__all__ = ["discriminative_groups", "freeze", "frozen", "parameter_groups", "unfreeze"]


def _fits(name: str, pattern: str) -> bool:
    """Whether a pattern means a parameter, or a module that it stands in."""
    parts = name.split(".")
    return any(fnmatchcase(".".join(parts[:n]), pattern) for n in range(1, len(parts) + 1))


def _need_known(what: str, pattern: str, names: Iterable[str]) -> None:
    names = list(names)
    if not any(_fits(name, pattern) for name in names):
        shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        raise ValueError(f"{what}: {pattern!r} fits no parameter; there are {shown}")


def _keep_statistics(module: Any, inputs: Any) -> None:
    module.training = False


def _switch(model: Any, patterns: tuple, but: Any, learns: bool, what: str) -> list[str]:
    names = [name for name, _ in model.named_parameters()]
    but = (but,) if isinstance(but, str) else tuple(but)
    for pattern in (*patterns, *but):
        _need_known(what, pattern, names)
    patterns = patterns or ("*",)
    changed = []
    for name, p in model.named_parameters():
        if any(_fits(name, x) for x in patterns) and not any(_fits(name, x) for x in but):
            p.requires_grad_(learns)
            if not learns:
                p.grad = None
            changed.append(name)
    return changed


def freeze(model: Any, *patterns: str, but: Any = (), statistics: bool = True) -> list[str]:
    """Makes parameters that patterns name constant; returns their names.

    A pattern is the name of a parameter or of a module, with `*` and `?`: "features",
    "layer[12].*", "*.bias"; none means all. `but`: patterns of what learns on. `statistics`: batch
    and instance norms without a learning parameter then use and keep their running statistics, in
    training, too. ValueError for a pattern that fits nothing. Optimizers leave out what has no
    gradient.
    """
    changed = _switch(model, patterns, but, False, "freeze")
    if statistics:
        names = set(changed)
        for prefix, module in model.named_modules():
            own = [f"{prefix}.{n}" if prefix else n for n, _ in module.named_parameters(prefix="")]
            if _tracks(module) and own and names.issuperset(own) and not _keeps(module):
                module.register_forward_pre_hook(_keep_statistics)
    return changed


def _tracks(module: Any) -> bool:
    return isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats


def _keeps(module: Any) -> list[Any]:
    return [k for k, hook in module._forward_pre_hooks.items() if hook is _keep_statistics]


def unfreeze(model: Any, *patterns: str, but: Any = ()) -> list[str]:
    """Lets parameters learn again; the patterns of `freeze`. Returns their names."""
    changed = _switch(model, patterns, but, True, "unfreeze")
    names = set(changed)
    for prefix, module in model.named_modules():
        for key in _keeps(module):
            if any(f"{prefix}.{n}".lstrip(".") in names for n, _ in module.named_parameters()):
                del module._forward_pre_hooks[key]
                module.training = model.training
    return changed


def frozen(model: Any) -> list[str]:
    """The names of the parameters that do not learn."""
    return [name for name, p in model.named_parameters() if not p.requires_grad]


def parameter_groups(model: Any, rules: dict[str, Any], **default: Any) -> list[dict[str, Any]]:
    """Groups for an optimizer: options for the parameters that patterns name.

    `rules`: a pattern (see `freeze`) and its learning rate, or a dictionary of options
    (`{"backbone": 1e-4, "*.bias": {"lr": 1e-3, "weight_decay": 0.0}}`). The first that fits a
    parameter counts; `default` holds for the rest (without it they have the optimizer's own).
    Parameters that do not learn are left out. Each group has its parameters' names as `names`.
    ValueError for a pattern that fits nothing.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in rules:
        _need_known("parameter_groups", pattern, names)
    found: dict[str | None, dict[str, Any]] = {}
    for name, p in model.named_parameters():
        if not p.requires_grad:
            continue
        fitting = next((x for x in rules if _fits(name, x)), None)
        options = default if fitting is None else rules[fitting]
        if not isinstance(options, dict):
            options = {"lr": options}
        group = found.setdefault(fitting, {"params": [], "names": [], **options})
        group["params"].append(p)
        group["names"].append(name)
    return list(found.values())


def discriminative_groups(
    model: Any, lr: float, factor: float = 2.6, stages: Any = None, **options: Any
) -> list[dict[str, Any]]:
    """Groups for an optimizer in which earlier layers learn more slowly.

    `stages`: patterns from the input to the output (a pattern, or a list of them, for each stage;
    by default the model's children with parameters). The last has the rate `lr`, each stage
    before it that of the next divided by `factor` (Howard, Ruder 2018: 2.6). `options` go into
    every group. ValueError if a parameter that learns is in no stage.
    """
    if factor <= 0:
        raise ValueError(f"discriminative_groups: factor={factor} was given; more than 0 is needed")
    if stages is None:
        stages = [name for name, child in model.named_children() if list(child.parameters())]
    stages = [[stage] if isinstance(stage, str) else list(stage) for stage in stages]
    rules: dict[str, Any] = {}
    for number, stage in enumerate(stages):
        rate = lr / factor ** (len(stages) - 1 - number)
        rules.update({pattern: {"lr": rate, **options} for pattern in stage})
    groups = parameter_groups(model, rules, _rest=True)
    rest = [name for group in groups if group.get("_rest") for name in group["names"]]
    if rest:
        raise ValueError(f"discriminative_groups: no stage has {', '.join(rest)}")
    return groups
