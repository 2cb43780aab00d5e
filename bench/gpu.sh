#!/usr/bin/env bash
# Builds minigrad for the GPU of this machine, tests it there and measures it beside PyTorch and CuPy.
#
#   bash bench/gpu.sh                              # all stages, in less than nine minutes
#   bash bench/gpu.sh build | test | bench | report   # one of them; bench takes gpu.worker's options
#
# It needs no network: nvcc, CuPy, PyTorch with CUDA, pybind11, scikit-build-core, ninja, pytest (with
# pytest-xdist, if several processes are to test) and a Python from 3.11. The package is installed
# into a folder of its own. Results go to $GPU_OUT (bench/results/gpu): gpu.json, gpu.md, plots, logs;
# those of a stage stay when a later one fails or is killed.
set -uo pipefail
cd "$(dirname "$0")/.."
out=${GPU_OUT:-bench/results/gpu}
site=${GPU_SITE:-$PWD/build-gpu/site}
python=${PYTHON:-python3}
# PYTHONSAFEPATH: the package that was built is tested, not the folder beside this one.
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1
mkdir -p "$out"
out=$(cd "$out" && pwd)
# Seconds for each stage; together below nine minutes.
build_s=${GPU_BUILD_S:-170} test_s=${GPU_TEST_S:-120} bench_s=${GPU_BENCH_S:-200}

architecture() { # of the first device: 90-real
  $python - <<'PY'
import cupy
print(f"{cupy.cuda.Device(0).compute_capability}-real")
PY
}

# What stages on the device need, and a line for each thing that is not here.
ready() {
  $python - <<'PY'
import importlib.util
import sys

missing = [
    f"{name} (python -m pip install {package})"
    for name, package in (("cupy", "cupy-cuda13x"), ("pytest", "pytest"))
    if importlib.util.find_spec(name) is None
]
if importlib.util.find_spec("cupy") is not None:
    try:
        import cupy

        cupy.cuda.Device(0).compute_capability
    except Exception as error:  # of the driver, of libraries
        missing.append(f"a GPU with its driver: {type(error).__name__}: {error}")
for line in missing:
    print("bench/gpu.sh: this machine lacks", line, file=sys.stderr)
sys.exit(3 if missing else 0)
PY
}

build() {
  local started=$SECONDS status=0 chip
  [ -n "${MINIGRAD_CUDA_ARCHITECTURES:-}" ] || ready || return 3
  chip=${MINIGRAD_CUDA_ARCHITECTURES:-$(architecture)} || return 1
  echo "== build for $chip"
  rm -rf "$site"
  MINIGRAD_CUDA=on MINIGRAD_CUDA_ARCHITECTURES=$chip CMAKE_BUILD_PARALLEL_LEVEL=${GPU_JOBS:-$(nproc)} \
    timeout "$build_s" $python -m pip install --no-build-isolation --no-deps --no-index \
    --target "$site" . >"$out/build.log" 2>&1 || status=$?
  printf '{"architectures": "%s", "seconds": %d, "status": %d}\n' \
    "$chip" $((SECONDS - started)) "$status" >"$out/build.json"
  [ "$status" = 0 ] || tail -n 40 "$out/build.log"
  return "$status"
}

# tested NAME SECONDS FOLDER [options]: the log says what passed, however it ends
tested() {
  local name=$1 seconds=$2
  shift 2
  local parallel=()
  if $python -c "import xdist" 2>/dev/null; then parallel=(-n "${GPU_TEST_PROCESSES:-8}"); fi
  PYTHONPATH=$site:${PYTHONPATH:-} timeout "$seconds" $python -m pytest -v --tb=short -p no:cacheprovider \
    -W ignore "${parallel[@]}" "$@" >"$out/test-$name.log" 2>&1
  local status=$?
  tail -n 3 "$out/test-$name.log"
  return $status
}

tests() {
  local status=0
  echo "== tests of the kernels"
  MINIGRAD_CUDA_REAL=1 tested kernels $((test_s / 3)) tests/cuda || status=$?
  echo "== tests of tensors, modules and programs, on CuPy"
  MINIGRAD_CUDA_REAL=1 tested device $((test_s * 2 / 3)) tests/cuda_device || status=$?
  return $status
}

measure() {
  echo "== measurements"
  PYTHONPATH=$site:$PWD/bench:${PYTHONPATH:-} $python -m gpu.run "$out" --budget "$bench_s" "$@"
}

summary() {
  echo "== report"
  PYTHONPATH=$site:$PWD/bench:${PYTHONPATH:-} $python -m gpu.report "$out"
}

stage=${1:-all}
[ $# -gt 0 ] && shift
case $stage in
build | report) ;; # with MINIGRAD_CUDA_ARCHITECTURES it builds without a GPU
test | bench | all) ready || exit 3 ;;
esac
case $stage in
build) build ;;
test) tests ;;
bench) measure "$@" ;;
report) summary ;;
all)
  failed=""
  if build; then
    tests || failed="$failed test"
    measure "$@" || failed="$failed bench"
  else
    failed=" build"
  fi
  summary || failed="$failed report"
  [ -z "$failed" ] || { echo "failed:$failed"; exit 1; }
  ;;
*)
  echo "bench/gpu.sh: $stage is no stage; needed: build, test, bench, report or nothing" >&2
  exit 2
  ;;
esac
