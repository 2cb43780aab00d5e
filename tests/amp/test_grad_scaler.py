"""GradScaler on the CPU scales, skips and grows exactly as PyTorch's."""

from __future__ import annotations

import math

import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")


def train(lib, bad_steps, **options):
    """The scales, weights and states over ten steps, of which some have infinite gradients."""
    scaler = lib.amp.GradScaler("cpu", **options)
    w = lib.nn.Parameter(lib.tensor([1.0, 2.0, 3.0]))
    optimizer = lib.optim.SGD([w], lr=0.1, momentum=0.9)
    history = []
    for step in range(10):
        optimizer.zero_grad()
        loss = (w * w).sum() * (math.inf if step in bad_steps else 1.0)
        scaled = scaler.scale(loss)
        scaled.backward()
        if step % 3 == 0:
            scaler.unscale_(optimizer)
            lib.nn.utils.clip_grad_norm_([w], 1.0)
        scaler.step(optimizer)
        scaler.update(8.0 if step == 7 else None)
        history.append((scaler.get_scale(), w.tolist(), dict(scaler.state_dict())))
    return history


@needs_torch
@pytest.mark.parametrize("bad_steps", [(), (0,), (2, 3), (0, 4, 8)])
@pytest.mark.parametrize("interval", [1, 2, 2000])
def test_it_does_what_pytorchs_does(bad_steps, interval):
    options = {"init_scale": 1024.0, "growth_interval": interval}
    theirs = train(torch, bad_steps, **options)
    mine = train(mg, bad_steps, **options)
    for (scale, weights, state), (scale_, weights_, state_) in zip(theirs, mine, strict=True):
        assert scale == scale_ and state == state_
        assert weights_ == pytest.approx(weights, rel=1e-6)


def test_infinity_skips_a_step_and_halves_the_scale():
    history = train(mg, (0,), init_scale=16.0)
    assert history[0][0] == 8.0 and history[0][1] == [1, 2, 3] and history[1][1] != [1, 2, 3]


@needs_torch
def test_the_scale_does_not_grow_to_infinity():
    for lib in (torch, mg):
        scaler = lib.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=1)
        w = lib.nn.Parameter(lib.zeros(1))
        optimizer = lib.optim.SGD([w], lr=1.0)
        scaler.scale((w * 0).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        assert scaler.get_scale() == 2.0**127


def test_states_are_saved_and_loaded():
    scaler = mg.amp.GradScaler("cpu", init_scale=4.0)
    other = mg.amp.GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 4.0 and other.state_dict() == scaler.state_dict()
    other.scale(mg.ones(1))
    other.load_state_dict({**scaler.state_dict(), "scale": 2.0})
    assert other.get_scale() == 2.0
    with pytest.raises(RuntimeError, match="empty"):
        other.load_state_dict({})
    nested = other.scale([mg.ones(1), (mg.ones(1), mg.ones(1))])
    assert nested[1][0].item() == 2.0 and isinstance(nested[1], tuple)
    with pytest.raises(ValueError, match="iterable"):
        other.scale(3)


def errors(lib):
    """The classes of errors that wrong orders of calls raise."""
    found = []

    def attempt(call):
        try:
            call()
            found.append(None)
        except Exception as error:
            found.append(type(error))

    scaler = lib.amp.GradScaler("cpu")
    w = lib.nn.Parameter(lib.ones(2))
    optimizer = lib.optim.SGD([w], lr=0.1)
    attempt(scaler.update)
    attempt(lambda: scaler.step(optimizer))
    scaler.scale(w.sum())
    attempt(lambda: scaler.step(optimizer))  # no gradients
    attempt(scaler.update)
    scaler = lib.amp.GradScaler("cpu")
    scaler.scale(w.sum()).backward()
    scaler.unscale_(optimizer)
    attempt(lambda: scaler.unscale_(optimizer))
    attempt(lambda: scaler.step(optimizer, closure=lambda: None))
    scaler.step(optimizer)
    attempt(lambda: scaler.step(optimizer))
    attempt(lambda: scaler.unscale_(optimizer))
    attempt(lambda: lib.amp.GradScaler("cpu", growth_factor=1.0))
    attempt(lambda: lib.amp.GradScaler("cpu", backoff_factor=1.0))
    half = lib.nn.Parameter(lib.ones(2, dtype=lib.float16))
    optimizer = lib.optim.SGD([half], lr=0.1)
    scaler = lib.amp.GradScaler("cpu")
    scaler.scale(half.sum()).backward()
    attempt(lambda: scaler.unscale_(optimizer))
    return found


@needs_torch
def test_wrong_orders_of_calls():
    assert errors(mg) == errors(torch)


def test_without_cuda_it_is_off():
    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = mg.cuda.amp.GradScaler()
    w = mg.nn.Parameter(mg.ones(1))
    optimizer = mg.optim.SGD([w], lr=0.5)
    loss = w.sum()
    assert scaler.scale(loss) is loss and scaler.get_scale() == 1.0 and not scaler.is_enabled()
    loss.backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert w.item() == 0.5 and scaler.state_dict() == {}
