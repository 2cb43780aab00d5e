// What launches ask of the device that is current on this thread (the one of the stream).
#pragma once

namespace mg::cuda {

struct DeviceTraits {
  int capability;       // 10 * major + minor
  int multiprocessors;  // how many blocks it takes to fill the chip
};
DeviceTraits device_traits();
#ifdef MG_CUDA_EMULATED
void set_device_traits(DeviceTraits traits);  // what the emulation passes itself off as
#endif

}  // namespace mg::cuda
