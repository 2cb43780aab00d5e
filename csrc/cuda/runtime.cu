// What the module asks of CUDA's runtime besides launches.
#include "cuda/device.h"
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
DeviceTraits device_traits() {
  constexpr int kDevices = 64;
  static DeviceTraits known[kDevices];  // written with the same values by whoever comes first
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device >= kDevices) return {0, 1};
  DeviceTraits& traits = known[device];
  if (traits.capability == 0) {
    int major = 0, minor = 0, count = 1;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    cudaDeviceGetAttribute(&count, cudaDevAttrMultiProcessorCount, device);
    traits = {major * 10 + minor, count};
  }
  return traits;
}
#else
namespace {
DeviceTraits g_traits = {90, 132};
}
DeviceTraits device_traits() { return g_traits; }
void set_device_traits(DeviceTraits traits) { g_traits = traits; }
Error device_count(int* count) {
  *count = 1;
  return 0;
}
const char* error_name(Error) { return "cudaErrorInvalidConfiguration"; }
const char* error_text(Error) { return "the emulation refused the launch"; }
#endif

}  // namespace mg::cuda
