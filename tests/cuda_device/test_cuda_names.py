"""`minigrad.cuda` with a device: the names of PyTorch's module, on the emulated GPU."""

import numpy as np
import pytest

import minigrad as torch
from minigrad import nn
from minigrad.kernels import cuda_library


def test_devices() -> None:
    assert torch.cuda.is_available() and torch.cuda.device_count() == 2
    assert torch.cuda.current_device() == 0
    torch.cuda.set_device(1)
    try:
        assert torch.cuda.current_device() == 1
        assert torch.zeros(2, device="cuda").device == torch.device("cuda:1")
        assert torch.zeros(2).cuda().device.index == 1
    finally:
        torch.cuda.set_device("cuda:0")
    with torch.cuda.device(1):
        assert torch.cuda.current_device() == 1
    with torch.cuda.device_of(torch.zeros(1, device="cuda:1")):
        assert torch.cuda.current_device() == 1
    with torch.cuda.device_of(torch.zeros(1)):
        assert torch.cuda.current_device() == 0
    assert torch.cuda.get_device_capability() == (9, 0)
    assert torch.cuda.get_device_name("cuda:1") == torch.cuda.get_device_properties(1).name
    assert torch.cuda.mem_get_info()[1] == 2**33
    assert torch.cuda.is_bf16_supported()
    torch.cuda.synchronize()
    with pytest.raises(RuntimeError, match="invalid device ordinal"):
        torch.cuda.set_device(2)
    with pytest.raises(ValueError, match="Expected a cuda device"):
        torch.cuda.get_device_name("cpu")


def test_the_accelerator_is_cuda() -> None:
    assert torch.accelerator.is_available() and torch.accelerator.device_count() == 2
    assert torch.accelerator.current_accelerator() == torch.device("cuda")
    assert torch.accelerator.current_device_index() == 0
    torch.accelerator.synchronize()


def test_memory_is_counted() -> None:
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    x = torch.zeros(1024, device="cuda")
    y = torch.zeros(4096, device="cuda")
    assert torch.cuda.memory_allocated() == before + 4096 + 16384
    del y
    assert torch.cuda.memory_allocated() == before + 4096
    assert torch.cuda.max_memory_allocated() >= before + 4096 + 16384
    torch.cuda.reset_peak_memory_stats()
    assert torch.cuda.max_memory_allocated() == before + 4096
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() >= torch.cuda.memory_allocated()
    assert "allocated_bytes.all.current" in torch.cuda.memory_summary()
    del x
    assert torch.cuda.memory_allocated() == before


def test_streams_and_events() -> None:
    default = torch.cuda.current_stream()
    assert default == torch.cuda.default_stream()
    s = torch.cuda.Stream()
    with torch.cuda.stream(s):
        assert torch.cuda.current_stream() == s and s != default
        with torch.cuda.stream(None):
            assert torch.cuda.current_stream() == s
    assert torch.cuda.current_stream() == default
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    s.wait_stream(torch.cuda.current_stream())
    with s:
        x = torch.ones(3, device="cuda") * 2
        end.record(s)
    torch.cuda.current_stream().wait_event(end)
    end.synchronize()
    assert end.query() and s.query() and start.elapsed_time(end) >= 0
    assert x.tolist() == [2, 2, 2]
    with pytest.raises(ValueError, match="enable_timing"):
        torch.cuda.Event().elapsed_time(end)
    with torch.cuda.stream(torch.cuda.Stream(device="cuda:1")):
        assert torch.cuda.current_device() == 1
    assert torch.cuda.current_device() == 0


def test_a_captured_training_step_gives_the_same_losses() -> None:
    rng = np.random.default_rng(0)
    batches = [torch.tensor(rng.normal(size=(6, 4)).astype(np.float32)) for _ in range(5)]
    losses = []
    for captured in (False, True):
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).cuda()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = batches[0].cuda()

        def step(model=model, optimizer=optimizer, x=x):
            optimizer.zero_grad(set_to_none=False)
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        found = [step().item()]  # makes gradients and the optimizer's state
        run = step
        if captured:
            kept = [[t, t.detach().clone()] for t in model.parameters()]
            kept += [[s["momentum_buffer"], s["momentum_buffer"].clone()]
                     for s in optimizer.state.values()]  # fmt: skip
            g = torch.cuda.CUDAGraph()
            with torch.cuda.graph(g):
                assert torch.cuda.is_current_stream_capturing()
                result = step()
            with torch.no_grad():  # the emulation has computed while it captured
                for t, before in kept:
                    t.copy_(before)

            def run(g=g, result=result):
                g.replay()
                return result

        for batch in batches[1:]:
            x.copy_(batch)
            found.append(run().item())
        losses.append(found)
    assert not torch.cuda.is_current_stream_capturing()
    assert losses[0] == losses[1] and len(set(losses[0])) == 5


def test_what_waits_is_refused_in_a_capture() -> None:
    x = torch.ones(2, device="cuda")
    with pytest.raises(RuntimeError, match="capturing"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        x.sum().item()
    with pytest.raises(RuntimeError, match="without a preceding successful capture"):
        torch.cuda.CUDAGraph().replay()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adagrad"])
def test_counts_on_the_cpu_are_refused_in_a_capture(name: str) -> None:
    w = nn.Parameter(torch.ones(3, device="cuda"))
    optimizer = getattr(torch.optim, name)([w])
    w.grad = torch.ones(3, device="cuda")
    optimizer.step()
    before = w.tolist()
    with pytest.raises(RuntimeError, match="capture"), torch.cuda.graph(torch.cuda.CUDAGraph()):
        optimizer.step()
    assert w.tolist() == before
    optimizer.step()


def test_seeds() -> None:
    torch.cuda.manual_seed(4)
    a = torch.randn(5, device="cuda")
    state = torch.cuda.get_rng_state()
    b = torch.randn(5, device="cuda")
    torch.cuda.set_rng_state(state)
    assert torch.equal(b, torch.randn(5, device="cuda"))
    torch.cuda.manual_seed_all(4)
    assert torch.equal(a, torch.randn(5, device="cuda"))
    assert torch.equal(a.cpu(), torch.randn(5, device="cuda:1").cpu())
    assert torch.cuda.initial_seed() == 4
    assert len(torch.cuda.get_rng_state_all()) == len(torch.cuda.default_generators) == 2


def test_classes_of_tensors() -> None:
    x = torch.ones(2, device="cuda")
    assert isinstance(x, torch.cuda.FloatTensor) and not isinstance(x, torch.cuda.LongTensor)
    assert not isinstance(torch.ones(2), torch.cuda.FloatTensor)
    assert torch.cuda.FloatTensor([1.0, 2.0]).device == torch.device("cuda:0")
    assert x.type() == "torch.cuda.FloatTensor"
    assert torch.ones(2).type("torch.cuda.LongTensor").tolist() == [1, 1]
    assert torch.ones(2).type("torch.cuda.LongTensor").is_cuda


def test_pinned_memory() -> None:
    x = torch.arange(6).reshape(2, 3)
    assert not x.is_pinned()
    y = x.pin_memory()
    assert y.is_pinned() and torch.equal(x, y) and y.pin_memory() is y
    z = y.to("cuda", non_blocking=True)
    back = z.to("cpu", non_blocking=True)
    torch.cuda.synchronize()
    assert torch.equal(back, x) and back.is_pinned()
    with pytest.raises(RuntimeError, match="only dense CPU tensors can be pinned"):
        z.pin_memory()


def test_why_there_is_no_device(monkeypatch) -> None:
    import cupy

    text = torch.config.described()
    assert "CUDA devices: 2" in text and "CuPy 14" in text
    monkeypatch.setattr(cupy.cuda, "is_available", lambda: False)
    cuda_library.forget()
    try:
        assert not torch.cuda.is_available()
        assert "finds no CUDA device" in torch.config.described()
        with pytest.raises(AssertionError, match="finds no CUDA device"):
            torch.zeros(1, device="cuda")
        with pytest.raises(RuntimeError, match="finds no CUDA device"):
            torch.cuda.current_device()
        monkeypatch.undo()
        monkeypatch.setattr(cupy, "zeros", lambda *a: 1 / 0)
        cuda_library.forget()
        assert "first allocation on the CUDA device failed" in torch.config.described()
    finally:
        monkeypatch.undo()
        cuda_library.forget()
    assert torch.cuda.is_available()
