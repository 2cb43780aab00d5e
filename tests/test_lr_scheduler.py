"""Schedules against PyTorch: every learning rate and momentum of a run, state dicts, errors."""

import warnings

import pytest

import minigrad as mg
from minigrad.optim import lr_scheduler

torch = pytest.importorskip("torch")

CALLS = [
    "StepLR(o, 3, 0.5)",
    "MultiStepLR(o, [2, 5, 5, 9])",
    "ExponentialLR(o, 0.9)",
    "CosineAnnealingLR(o, 6, 0.01)",
    "LinearLR(o)",
    "LinearLR(o, 0.2, 0.6, 7)",
    "ConstantLR(o, 0.25, 4)",
    "LambdaLR(o, lambda e: 1 / (e + 1))",
    "LambdaLR(o, [lambda e: 0.9**e, lambda e: 1.0])",
    "MultiplicativeLR(o, lambda e: 0.95)",
    "PolynomialLR(o, 8, 2.0)",
    "SequentialLR(o, [L.LinearLR(o, 0.1, 1.0, 4), L.ExponentialLR(o, 0.9)], [4])",
    "SequentialLR(o, [L.ConstantLR(o), L.StepLR(o, 2), L.CosineAnnealingLR(o, 4)], [3, 7])",
    "SequentialLR(o, [L.ConstantLR(o), L.StepLR(o, 2), L.CosineAnnealingLR(o, 4)], [3, 3])",
    "SequentialLR(o, [L.ConstantLR(o), L.ExponentialLR(o, 0.5)], [1])",
    "SequentialLR(o, [L.LinearLR(o), L.CosineAnnealingWarmRestarts(o, 3)], [4])",
    "SequentialLR(o, [L.OneCycleLR(o, 0.5, 5), L.CyclicLR(o, 0.1, 0.2, 2)], [4])",
    "SequentialLR(o, [L.ChainedScheduler([L.ExponentialLR(o, 0.9)]), L.LinearLR(o)], [3])",
    "ChainedScheduler([L.ConstantLR(o, 0.1, 3), L.ExponentialLR(o, 0.9)])",
    "ChainedScheduler([L.SequentialLR(o, [L.ConstantLR(o), L.StepLR(o, 2)], [3])])",
    "OneCycleLR(o, 0.5, 20, base_momentum=0.5, max_momentum=0.99, div_factor=5)",
    "OneCycleLR(o, 0.5, 20, pct_start=0.0)",
    "OneCycleLR(o, 0.5, 20, pct_start=0.5, three_phase=True)",
    "LinearLR(o, 1.0, 0.0, 4)",
    "CosineAnnealingLR(o, 1)",
    "OneCycleLR(o, 0.5, 20)",
    "OneCycleLR(o, [0.5, 0.1], epochs=4, steps_per_epoch=5, three_phase=True)",
    "OneCycleLR(o, 0.5, 20, anneal_strategy='linear', pct_start=0.4, cycle_momentum=False)",
    "CosineAnnealingWarmRestarts(o, 4)",
    "CosineAnnealingWarmRestarts(o, 3, 2, 0.01)",
    "CyclicLR(o, 0.01, 0.1, 3)",
    "CyclicLR(o, 0.01, 0.1, 3, 5, mode='triangular2', cycle_momentum=False)",
    "CyclicLR(o, [0.01, 0.02], 0.1, 3, mode='exp_range', gamma=0.9)",
    "CyclicLR(o, 0.01, 0.1, 2, scale_fn=lambda x: 1 / x, scale_mode='cycle')",
]


def optimizer(lib, name="SGD"):
    a, b = (lib.nn.Parameter(lib.ones(2)) for _ in range(2))
    options = {"lr": 0.3, "momentum": 0.9} if name == "SGD" else {"lr": 0.3}
    return getattr(lib.optim, name)([{"params": [a]}, {"params": [b], "lr": 0.05}], **options)


def make(lib, call, name="SGD"):
    o = optimizer(lib, name)
    module = lib.optim.lr_scheduler
    return o, eval(f"L.{call}", {"L": module, "o": o})


def options(o):
    keys = ("lr", "momentum", "betas", "initial_lr")
    return [{key: group[key] for key in keys if key in group} for group in o.param_groups]


def run(lib, call, name, steps=18):
    o, s = make(lib, call, name)
    found = [(options(o), s.get_last_lr())]
    for _ in range(steps):
        o.step()
        s.step()
        found.append((options(o), s.get_last_lr()))
    return found


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
@pytest.mark.parametrize("call", CALLS)
def test_every_step_equals_pytorch(call, name):
    for ours, theirs in zip(run(mg, call, name), run(torch, call, name), strict=True):
        assert ours[1] == pytest.approx(theirs[1], rel=1e-12, abs=1e-15)
        for mine, his in zip(ours[0], theirs[0], strict=True):
            assert mine.keys() == his.keys()
            for key, value in his.items():
                assert mine[key] == pytest.approx(value, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("call", [c for c in CALLS if "[L." not in c])
def test_last_epoch_resumes_the_run(call):
    found = []
    for lib in (mg, torch):
        o, s = make(lib, call)
        for _ in range(5):
            o.step()
            s.step()
        twin = optimizer(lib)
        for group, old in zip(twin.param_groups, o.param_groups, strict=True):
            group.update({key: value for key, value in old.items() if key != "params"})
        names = {"L": lib.optim.lr_scheduler, "o": twin}
        t = eval(f"L.{call[:-1]}, last_epoch={s.last_epoch})", names)
        for _ in range(6):
            found.append((options(twin), t.get_last_lr()))
            twin.step()
            t.step()
    for ours, theirs in zip(found[:6], found[6:], strict=True):
        assert ours[1] == pytest.approx(theirs[1], rel=1e-12, abs=1e-15)
        for mine, his in zip(ours[0], theirs[0], strict=True):
            assert mine == pytest.approx(his, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("call", CALLS)
def test_state_dict_resumes_the_run(call):
    o, s = make(mg, call)
    for _ in range(5):
        o.step()
        s.step()
    twin, t = make(mg, call)
    twin.load_state_dict(o.state_dict())
    t.load_state_dict(s.state_dict())
    for _ in range(6):
        for x, y in ((o, s), (twin, t)):
            x.step()
            y.step()
        assert t.get_last_lr() == s.get_last_lr()
    theirs = make(torch, call)[1].state_dict()
    hidden = {"_is_initial", "_get_lr_called_within_step"}  # PyTorch keeps them in the instance
    assert set(theirs) - set(s.state_dict()) <= hidden


def test_plateau():
    metrics = [5, 4, 4, 4, 3.9999, 4, 4, 2, 2, 2, 2, 2, 2, 2, float("nan"), 1, 1, 1, 1, 1]
    for given in (
        {"patience": 2, "factor": 0.5},
        {"patience": 1, "cooldown": 2, "threshold_mode": "abs", "threshold": 0.1},
        {"mode": "max", "patience": 0, "min_lr": [0.1, 0.01]},
    ):
        found = []
        for lib in (mg, torch):
            o = optimizer(lib)
            s = lib.optim.lr_scheduler.ReduceLROnPlateau(o, **given)
            lrs = []
            for m in metrics:
                s.step(m)
                lrs.append((s.get_last_lr(), s.num_bad_epochs, s.best))
            found.append(lrs)
            twin = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer(lib), **given)
            twin.load_state_dict(s.state_dict())
            assert twin.best == s.best
        assert found[0] == found[1]


def test_closed_forms_for_a_given_epoch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for call in CALLS[:10]:
            found = []
            for lib in (mg, torch):
                o, s = make(lib, call)
                o.step()
                for epoch in (4, 7, 1):
                    s.step(epoch)
                    found.append(s.get_last_lr())
            for a, b in zip(found[:3], found[3:], strict=True):
                assert a == pytest.approx(b, rel=1e-12)


def test_warm_restarts_at_fractions():
    found = []
    for lib in (mg, torch):
        _, s = make(lib, "CosineAnnealingWarmRestarts(o, 3, 2)")
        for epoch in (0.5, 2.7, 3.1, 10.25):
            s.step(epoch)
            found.append(s.get_last_lr())
    for a, b in zip(found[:4], found[4:], strict=True):
        assert a == pytest.approx(b, rel=1e-12)


@pytest.mark.parametrize("call", CALLS)
def test_tensors_as_learning_rates(call):
    found = []
    for lib in (mg, torch):
        rates = [lib.tensor(lr, dtype=lib.float64) for lr in (0.3, 0.05)]
        groups = [{"params": [lib.nn.Parameter(lib.ones(2))], "lr": lr} for lr in rates]
        o = lib.optim.SGD(groups, momentum=0.9)
        s = eval(f"L.{call}", {"L": lib.optim.lr_scheduler, "o": o})
        values = []
        for _ in range(18):
            o.step()
            s.step()
            values += [float(lr) for lr in rates] + [float(lr) for lr in s.get_last_lr()]
        assert all(g["lr"] is lr for g, lr in zip(o.param_groups, rates, strict=True))
        assert all(isinstance(lr, lib.Tensor) for lr in s.get_last_lr())
        found.append(values)
    assert found[0] == pytest.approx(found[1], rel=1e-12, abs=1e-15)


def test_users_schedules():
    found = []
    for lib in (mg, torch):
        base = lib.optim.lr_scheduler.LRScheduler

        class Warmup(base):
            def __init__(self, optimizer, steps, last_epoch=-1):
                self.steps = steps
                super().__init__(optimizer, last_epoch)

            def get_lr(self):
                share = min(1.0, (self.last_epoch + 1) / self.steps)
                return [lr * share for lr in self.base_lrs]

        o = optimizer(lib)
        s = Warmup(o, 5)
        rates = [s.get_last_lr()]
        for _ in range(7):
            o.step()
            s.step()
            rates.append([g["lr"] for g in o.param_groups])
        twin = Warmup(optimizer(lib), 3)
        twin.load_state_dict(s.state_dict())
        rates.append([twin.last_epoch, twin.steps])
        chained = lib.optim.lr_scheduler.ChainedScheduler([Warmup(o, 2), Warmup(o, 4)])
        o.step()
        chained.step()
        rates.append(chained.get_last_lr())
        found.append(rates)
    for a, b in zip(*found, strict=True):
        assert a == pytest.approx(b, rel=1e-12)


def test_lr_that_is_a_tensor_is_written_in_place():
    p = mg.nn.Parameter(mg.ones(1))
    lr = mg.tensor(0.5)
    o = mg.optim.SGD([p], lr=lr)
    s = lr_scheduler.ExponentialLR(o, 0.5)
    o.step()
    s.step()
    assert o.param_groups[0]["lr"] is lr and lr.item() == 0.25


def test_warnings_and_errors():
    o, s = make(mg, "StepLR(o, 1)")
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        s.step()
    other = optimizer(mg)
    other.step()  # before there is a schedule: does not count
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        lr_scheduler.StepLR(other, 1).step()
    replaced, t = make(mg, "StepLR(o, 1)")
    replaced.step = lambda: None
    with pytest.warns(UserWarning, match="has been overridden after"):
        t.step()
    with pytest.warns(UserWarning, match="get_last_lr"):
        s.get_lr()
    with pytest.warns(UserWarning, match="epoch parameter"):
        s.step(3)
    with pytest.raises(TypeError, match="str is not an Optimizer"):
        lr_scheduler.StepLR("sgd", 1)
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optimizer(mg), 1, last_epoch=3)
    for call in ("LambdaLR(o, lambda e: 0.5)", "MultiplicativeLR(o, lambda e: 0.5)"):
        ours, theirs = (make(lib, call)[1].state_dict() for lib in (mg, torch))
        assert list(ours) == list(theirs)
    for call, message in [
        ("LambdaLR(o, [lambda e: 1.0])", "Expected 2 lr_lambdas, but got 1"),
        ("LinearLR(o, 0.0)", "greater than 0"),
        ("ConstantLR(o, 2.0)", "between 0 and 1"),
        ("OneCycleLR(o, 0.1)", "total_steps OR"),
        ("OneCycleLR(o, 0.1, -1)", "positive integer total_steps"),
        ("CyclicLR(o, 0.1, 0.2, mode='x')", "mode is invalid"),
        ("SequentialLR(o, [L.StepLR(o, 1)], [1])", "one more than the number of milestone"),
        ("ReduceLROnPlateau(o, factor=1.0)", "Factor should be"),
        ("CosineAnnealingWarmRestarts(o, 0)", "positive integer T_0"),
    ]:
        for lib in (mg, torch):
            with pytest.raises(ValueError, match=message):
                make(lib, call)
    o, s = make(mg, "OneCycleLR(o, 0.1, 2)")
    for _ in range(2):
        o.step()
        s.step()
    with pytest.raises(ValueError, match="Tried to step 3 times"):
        s.step()
