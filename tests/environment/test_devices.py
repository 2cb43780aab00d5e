"""Devices and switches: minigrad answers and raises what PyTorch without CUDA does."""

from __future__ import annotations

import time

import pytest

import minigrad as mg

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="PyTorch is not installed")

ANSWERS = """
cuda.is_available() cuda.device_count() cuda.manual_seed(1) cuda.manual_seed_all(1) cuda.seed()
cuda.seed_all() cuda.get_rng_state_all() cuda.set_rng_state_all([]) cuda.empty_cache()
cuda.memory_allocated() cuda.max_memory_allocated() cuda.memory_reserved() cuda.memory_stats()
cuda.max_memory_reserved() cuda.memory_cached() cuda.max_memory_cached() cuda.set_device(-1)
cuda.stream(None).__enter__() cuda.is_initialized() cuda.is_bf16_supported()
cuda.get_arch_list() cuda.device_of(lib.ones(1)).__enter__() cuda.has_half
cuda.default_generators cuda.is_tf32_supported() accelerator.is_available()
accelerator.current_accelerator() accelerator.device_count() backends.cudnn.is_available()
backends.cudnn.version() backends.cudnn.enabled backends.cudnn.benchmark
backends.cudnn.deterministic backends.cudnn.allow_tf32 backends.cuda.matmul.allow_tf32
backends.cuda.is_built() backends.cuda.matmul.allow_fp16_reduced_precision_reduction
backends.cuda.flash_sdp_enabled() backends.cuda.math_sdp_enabled()
backends.cuda.mem_efficient_sdp_enabled() backends.cuda.cudnn_sdp_enabled()
backends.cuda.enable_flash_sdp(True) backends.mps.is_available() backends.mps.is_built()
backends.mkldnn.enabled backends.mha.get_fastpath_enabled() get_float32_matmul_precision()
are_deterministic_algorithms_enabled() is_deterministic_algorithms_warn_only_enabled()
get_deterministic_debug_mode() is_warn_always_enabled() cpu.is_available() cpu.device_count()
cpu.current_device() cpu.synchronize() mps.is_available() mps.device_count() xpu.is_available()
xpu.device_count() version.cuda version.hip compiled_with_cxx11_abi() is_vulkan_available()
utils.deterministic.fill_uninitialized_memory compiler.is_compiling()
distributed.is_available() distributed.is_initialized()
accelerator.device_index(None).__enter__()
""".split()  # noqa: SIM905

ERRORS = """
cuda.current_device() cuda.initial_seed() cuda.get_rng_state() cuda.ipc_collect()
cuda.synchronize() cuda.mem_get_info() cuda.get_device_name() cuda.get_device_name(0)
cuda.get_device_properties(0) cuda.get_device_capability() cuda.current_stream()
cuda.default_stream() cuda.Stream() cuda.Event() cuda.init() cuda.device(0).__enter__()
cuda.get_sync_debug_mode() cuda.nvtx.range_push('a') cuda.CUDAGraph() cuda.FloatTensor(2)
cuda.can_device_access_peer(0,1) ones(1).cuda() ones(1).to('cuda') ones(1,device='cuda')
accelerator.current_device_index() accelerator.synchronize() accelerator.current_stream()
accelerator.set_device_index(0) accelerator.device_index(0).__enter__()
distributed.get_rank() distributed.get_world_size()
distributed.all_reduce(lib.ones(1)) distributed.barrier()
distributed.init_process_group('gloo') distributed.get_backend()
set_deterministic_debug_mode(7) set_deterministic_debug_mode('x') set_num_interop_threads(0)
use_deterministic_algorithms(1) device('foo') device('cpu:x')
""".split()  # noqa: SIM905


def ask(lib, text):
    return eval(f"lib.{text}", {"lib": lib})  # noqa: S307


@needs_torch
@pytest.mark.parametrize("text", ANSWERS)
def test_answers(text, monkeypatch):
    assert ask(mg, text) == ask(torch, text)


@needs_torch
@pytest.mark.parametrize("text", ERRORS)
def test_errors_are_of_pytorchs_class(text, monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Exception) as theirs:
        ask(torch, text)
    with pytest.raises(theirs.type) as ours:
        ask(mg, text)
    assert str(ours.value)


def test_a_device_that_is_not_there_can_be_named_but_not_used():
    for name in ("cuda", "cuda:1", "mps", "xpu"):
        assert str(mg.device(name)) == name
        with pytest.raises(AssertionError):
            mg.ones(1).to(name)
        with pytest.raises(RuntimeError):
            mg.ones(1, device=mg.device(name))
    assert not isinstance(mg.ones(1), mg.cuda.FloatTensor)


def test_flags_are_kept_and_restored():
    cudnn = mg.backends.cudnn
    cudnn.benchmark = True
    with cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        assert not cudnn.benchmark and cudnn.deterministic
    assert cudnn.benchmark and not cudnn.deterministic
    cudnn.benchmark = False
    with mg.backends.cuda.sdp_kernel(enable_flash=False):
        assert not mg.backends.cuda.flash_sdp_enabled()
    assert mg.backends.cuda.flash_sdp_enabled()
    mg.backends.cuda.matmul.allow_tf32 = True
    assert mg.backends.cuda.matmul.allow_tf32
    mg.backends.cuda.matmul.allow_tf32 = False


def test_precision_and_determinism():
    mg.set_float32_matmul_precision("high")
    assert mg.get_float32_matmul_precision() == "high"
    with pytest.warns(UserWarning, match="no effect"):
        mg.set_float32_matmul_precision("exact")
    mg.set_float32_matmul_precision("highest")
    mg.use_deterministic_algorithms(True, warn_only=True)
    assert mg.get_deterministic_debug_mode() == 1
    mg.set_deterministic_debug_mode("error")
    assert mg.are_deterministic_algorithms_enabled() and mg.get_deterministic_debug_mode() == 2
    mg.use_deterministic_algorithms(False)
    assert mg.get_deterministic_debug_mode() == 0


def test_events_are_the_cpus_clock():
    start, end = mg.Event(enable_timing=True), mg.Event(enable_timing=True)
    with pytest.raises(RuntimeError):
        start.elapsed_time(end)
    start.record()
    time.sleep(0.02)
    end.record()
    assert 15 < start.elapsed_time(end) < 5000
    assert mg.Stream().query() and mg.cpu.current_stream() == mg.Stream("cpu")
    with pytest.raises(ValueError, match="enable_timing"):
        mg.Event().elapsed_time(end)
    assert issubclass(mg.OutOfMemoryError, RuntimeError)
    assert mg.cuda.OutOfMemoryError is mg.OutOfMemoryError
    assert mg.get_device_module() is mg.cpu
