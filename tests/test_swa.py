"""Averages of weights against PyTorch: models, buffers, schedules, batch norms."""

import copy
import warnings

import numpy as np
import pytest

import minigrad as mg

torch = pytest.importorskip("torch")

AVERAGES = {
    "default": {},
    "ema": {"multi": ("get_ema_multi_avg_fn", (0.8,))},
    "ema one by one": {"one": ("get_ema_avg_fn", (0.8,))},
    "swa": {"multi": ("get_swa_multi_avg_fn", ())},
    "swa one by one": {"one": ("get_swa_avg_fn", ())},
    "user's": {"one": lambda a, c, n: 0.5 * a + 0.25 * c * n},
}


def network(lib, dtype="float32"):
    nn = lib.nn
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
    rng = np.random.default_rng(0)
    with lib.no_grad():
        for p in net.parameters():
            p.copy_(lib.from_numpy(rng.standard_normal(tuple(p.shape))))
    return net.to(getattr(lib, dtype))


def averaged(lib, net, case, use_buffers):
    utils = lib.optim.swa_utils
    given = {}
    for key, name in (("multi", "multi_avg_fn"), ("one", "avg_fn")):
        if key in AVERAGES[case]:
            value = AVERAGES[case][key]
            given[name] = value if callable(value) else getattr(utils, value[0])(*value[1])
    return utils.AveragedModel(net, use_buffers=use_buffers, **given)


def advance(lib, net, averages, steps):
    for step in steps:
        x = lib.from_numpy(np.random.default_rng(step).standard_normal((6, 4)))
        net(x.to(next(net.parameters()).dtype))  # moves the batch norm's statistics
        with lib.no_grad():
            for p in net.parameters():
                p.add_(0.1 * (step + 1))
        averages.update_parameters(net)


@pytest.mark.parametrize("use_buffers", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", AVERAGES)
def test_averaged_model(case, dtype, use_buffers):
    found = []
    for lib in (mg, torch):
        net = network(lib, dtype)
        averages = averaged(lib, net, case, use_buffers)
        if case == "swa" and use_buffers:  # the count of batches is an integer
            with pytest.raises(RuntimeError, match="Integer division with addcdiv"):
                advance(lib, net, averages, range(5))
            continue
        advance(lib, net, averages, range(5))
        found.append(averages)
    if not found:
        return
    mine, theirs = (m.state_dict() for m in found)
    assert list(mine) == list(theirs)
    for key, value in theirs.items():
        assert str(mine[key].dtype) == str(value.dtype)
        np.testing.assert_allclose(mine[key].numpy(), value.numpy(), rtol=1e-5, atol=1e-6)
    assert mine["n_averaged"].item() == 5
    x = np.random.default_rng(9).standard_normal((3, 4)).astype(dtype)
    outs = [
        m(lib.from_numpy(x)).detach().numpy() for m, lib in zip(found, (mg, torch), strict=True)
    ]
    np.testing.assert_allclose(*outs, rtol=1e-4, atol=1e-5)


def test_the_state_dict_resumes_and_the_copy_is_apart():
    net = network(mg)
    averages = averaged(mg, net, "ema", False)
    advance(mg, net, averages, range(3))
    twin = averaged(mg, net, "ema", False)
    twin.load_state_dict(averages.state_dict())
    other = copy.deepcopy(net)
    advance(mg, net, averages, range(3, 5))
    advance(mg, other, twin, range(3, 5))
    for a, b in zip(averages.state_dict().values(), twin.state_dict().values(), strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert averages.module is not net
    assert all(p.grad is None and p.requires_grad for p in averages.parameters())


def test_integer_averages():
    found = []
    for lib in (mg, torch):
        utils = lib.optim.swa_utils
        averages, current = ([lib.tensor([1, 5, 9]) * k] for k in (1, 3))
        for n in (1, lib.tensor(3)):
            utils.get_ema_multi_avg_fn(0.6)(averages, current, n)
        floats = [lib.tensor([1.0, 2.0])]
        for n in (1, lib.tensor(3)):
            utils.get_swa_multi_avg_fn()(floats, [lib.tensor([3.0, 7.0])], n)
        found.append((averages[0].numpy(), floats[0].numpy()))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_update_bn():
    found = []
    for lib in (mg, torch):
        net = network(lib)
        rng = np.random.default_rng(1)
        data = [lib.from_numpy(rng.standard_normal((4, 4)).astype("float32")) for _ in range(3)]
        net.eval()
        lib.optim.swa_utils.update_bn([(x, 1) for x in data], net)
        assert not net.training and net[1].momentum == 0.1
        lib.optim.swa_utils.update_bn(data, net, device="cpu")
        lib.optim.swa_utils.update_bn([], lib.nn.Linear(2, 2))
        found.append([net[1].running_mean.numpy(), net[1].running_var.numpy()])
        assert net[1].num_batches_tracked.item() == 3
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 7])
@pytest.mark.parametrize("swa_lr", [0.05, [0.3, 0.01]])
def test_swalr(strategy, epochs, swa_lr):
    found = []
    for lib in (mg, torch):
        groups = [{"params": [lib.ones(1).requires_grad_()], "lr": lr} for lr in (0.1, 0.5)]
        optimizer = lib.optim.SGD(groups, lr=0.1)
        before = lib.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
        schedule = lib.optim.swa_utils.SWALR(
            optimizer, swa_lr, anneal_epochs=epochs, anneal_strategy=strategy
        )
        rates = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for step in range(15):
                optimizer.step()
                (before if step in (4, 5) else schedule).step()
                rates.append([g["lr"] for g in optimizer.param_groups])
                rates.append(schedule.get_last_lr())
        state = schedule.state_dict()
        again = lib.optim.swa_utils.SWALR(optimizer, swa_lr, anneal_epochs=3)
        again.load_state_dict(state)
        optimizer.step()
        again.step()
        rates.append(again.get_last_lr())
        found.append((rates, set(state) - {"_is_initial", "_get_lr_called_within_step"}))
        with pytest.warns(UserWarning, match="get_last_lr"):
            schedule.get_lr()
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-12)
    assert found[0][1] == found[1][1]


def test_bad_arguments():
    for lib in (mg, torch):
        utils = lib.optim.swa_utils
        optimizer = lib.optim.SGD([lib.ones(1).requires_grad_()], lr=0.1)
        with pytest.raises(ValueError, match="Invalid decay value 1.5 provided"):
            utils.get_ema_multi_avg_fn(1.5)
        with pytest.raises(ValueError, match="Invalid decay value -0.5 provided"):
            utils.get_ema_avg_fn(-0.5)
        with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
            utils.AveragedModel(lib.nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)
        with pytest.raises(ValueError, match="anneal_strategy must be one of"):
            utils.SWALR(optimizer, 0.1, anneal_strategy="exp")
        with pytest.raises(ValueError, match="equal or greater than 0, got -1"):
            utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
        with pytest.raises(ValueError, match="swa_lr must have the same length"):
            utils.SWALR(optimizer, [0.1, 0.2])
