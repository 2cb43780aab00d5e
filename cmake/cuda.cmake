# Decides whether minigrad._cuda is built, and says why in MG_CUDA_STATUS. Its target goes here.
set(MINIGRAD_CUDA auto CACHE STRING "Build the CUDA kernels: auto, on (or fail) or off")
set_property(CACHE MINIGRAD_CUDA PROPERTY STRINGS auto on off)

set(MG_CUDA_STATUS "CUDA kernels are not part of this version")
string(TOLOWER "${MINIGRAD_CUDA}" choice)
if(choice STREQUAL "on")
  message(FATAL_ERROR "MINIGRAD_CUDA=on: ${MG_CUDA_STATUS}; use auto or off")
elseif(NOT choice MATCHES "^(auto|off)$")
  message(FATAL_ERROR "MINIGRAD_CUDA is '${MINIGRAD_CUDA}'; it must be auto, on or off")
endif()
