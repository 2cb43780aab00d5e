// What the module asks of CUDA's runtime besides launches.
#include "cuda/kernels.h"
#include "cuda/mgcuda.cuh"

namespace mg::cuda {

#ifdef __CUDACC__
Error device_count(int* count) {
  *count = 0;
  const cudaError_t error = cudaGetDeviceCount(count);
  if (error != cudaSuccess) {
    *count = 0;
    cudaGetLastError();  // the next launch is not to find it
  }
  return error;
}
const char* error_name(Error error) { return cudaGetErrorName(static_cast<cudaError_t>(error)); }
const char* error_text(Error error) { return cudaGetErrorString(static_cast<cudaError_t>(error)); }
#else
Error device_count(int* count) {
  *count = 1;
  return 0;
}
const char* error_name(Error) { return "cudaErrorInvalidConfiguration"; }
const char* error_text(Error) { return "the emulation refused the launch"; }
#endif

}  // namespace mg::cuda
