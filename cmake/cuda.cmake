# Decides whether minigrad._cuda is built, says why in MG_CUDA_STATUS, and defines its target; with
# MINIGRAD_EMU also _cuda_emu, the same kernels for the tests of machines without a GPU.
set(MINIGRAD_CUDA auto CACHE STRING "Build the CUDA kernels: auto, on (or fail) or off")
set_property(CACHE MINIGRAD_CUDA PROPERTY STRINGS auto on off)
set(MINIGRAD_CUDA_ARCHITECTURES default CACHE STRING
  "Compute capabilities to build for, as CMAKE_CUDA_ARCHITECTURES has them: 90-real, 80;90, ...")
set(MINIGRAD_CUDA_WERROR OFF CACHE BOOL "Fail at warnings of nvcc")
option(MINIGRAD_EMU "Build _cuda_emu: the CUDA kernels compiled for the CPU, for tests" OFF)

set(MG_CUDA_USUAL /usr/local/cuda CACHE PATH "Where a toolkit usually is")
mark_as_advanced(MG_CUDA_USUAL)

# One line a family here, one declaration in csrc/cuda/bindings.h: see docs/cuda.md.
set(MG_CUDA_SOURCES
  csrc/cuda/attention.cu
  csrc/cuda/attention_bfloat16.cu
  csrc/cuda/attention_float.cu
  csrc/cuda/attention_half.cu
  csrc/cuda/cast.cu
  csrc/cuda/conv.cu
  csrc/cuda/conv_depthwise.cu
  csrc/cuda/conv_mma.cu
  csrc/cuda/conv_simt.cu
  csrc/cuda/dropout.cu
  csrc/cuda/elementwise.cu
  csrc/cuda/elementwise_binary.cu
  csrc/cuda/elementwise_unary.cu
  csrc/cuda/gemm.cu
  csrc/cuda/gemm_bfloat16_mma.cu
  csrc/cuda/gemm_half_mma.cu
  csrc/cuda/gemm_simt.cu
  csrc/cuda/gemm_tf32_mma.cu
  csrc/cuda/gemm_vector.cu
  csrc/cuda/index.cu
  csrc/cuda/loss.cu
  csrc/cuda/loss_pairs.cu
  csrc/cuda/norm_channels.cu
  csrc/cuda/norm_rows.cu
  csrc/cuda/optim.cu
  csrc/cuda/optim_norms.cu
  csrc/cuda/pool.cu
  csrc/cuda/reduce.cu
  csrc/cuda/runtime.cu
  csrc/cuda/softmax.cu
)
set(MG_CUDA_SM90A_SOURCES # with Hopper's own instructions, for 9.0a alone
  csrc/cuda/gemm_bfloat16_wgmma.cu
  csrc/cuda/gemm_half_wgmma.cu
  csrc/cuda/gemm_tf32_wgmma.cu
)
set(MG_CUDA_BINDING_SOURCES
  csrc/cuda/bindings.cpp
  csrc/cuda/bindings_attention.cpp
  csrc/cuda/bindings_cast.cpp
  csrc/cuda/bindings_conv.cpp
  csrc/cuda/bindings_dropout.cpp
  csrc/cuda/bindings_elementwise.cpp
  csrc/cuda/bindings_gemm.cpp
  csrc/cuda/bindings_index.cpp
  csrc/cuda/bindings_loss.cpp
  csrc/cuda/bindings_norm.cpp
  csrc/cuda/bindings_optim.cpp
  csrc/cuda/bindings_pool.cpp
  csrc/cuda/bindings_reduce.cpp
  csrc/cuda/bindings_softmax.cpp
)

# The folders bin of NVIDIA's wheels (nvidia-cuda-nvcc ...) that this build's Python sees.
function(mg_find_wheel_toolkit out)
  execute_process(COMMAND ${Python_EXECUTABLE} -c
    "import glob, nvidia; print(*(f for p in nvidia.__path__ for f in glob.glob(p + '/cu*/bin')), sep=';')"
    OUTPUT_VARIABLE folders OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  set(${out} "${folders}" PARENT_SCOPE)
endfunction()

# The first nvcc that runs, and what was tried, as text.
function(mg_find_nvcc out_nvcc out_tried)
  mg_find_wheel_toolkit(wheels)
  set(tried)
  set(places "CUDACXX=$ENV{CUDACXX}")
  unset(on_path CACHE)
  find_program(on_path nvcc NO_CMAKE_PATH NO_CMAKE_ENVIRONMENT_PATH NO_CMAKE_SYSTEM_PATH)
  if(NOT on_path)
    set(on_path "")
  endif()
  list(APPEND places "PATH=${on_path}")
  foreach(variable CUDA_HOME CUDA_PATH)
    if(DEFINED ENV{${variable}})
      list(APPEND places "${variable}=$ENV{${variable}}/bin/nvcc")
    else()
      list(APPEND places "${variable}=")
    endif()
  endforeach()
  list(APPEND places "${MG_CUDA_USUAL}=${MG_CUDA_USUAL}/bin/nvcc")
  set(from_wheels "NVIDIA's wheels=")
  foreach(folder IN LISTS wheels) # other tools' wheels have such folders too
    if(EXISTS "${folder}/nvcc" AND from_wheels STREQUAL "NVIDIA's wheels=")
      set(from_wheels "NVIDIA's wheels=${folder}/nvcc")
    endif()
  endforeach()
  if(DEFINED ENV{MINIGRAD_CUDA_WHEELS}) # asked for: then they come first
    list(PREPEND places "${from_wheels}")
  else()
    list(APPEND places "${from_wheels}")
  endif()
  unset(on_path CACHE)
  foreach(place IN LISTS places)
    string(REGEX MATCH "^([^=]*)=(.*)$" unused "${place}")
    set(name "${CMAKE_MATCH_1}")
    set(nvcc "${CMAKE_MATCH_2}")
    if(nvcc STREQUAL "" OR (IS_ABSOLUTE "${nvcc}" AND NOT EXISTS "${nvcc}"))
      list(APPEND tried "${name} (none)")
      continue()
    endif()
    execute_process(COMMAND ${nvcc} --version RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
    if(result EQUAL 0)
      set(${out_nvcc} "${nvcc}" PARENT_SCOPE)
      return()
    endif()
    list(APPEND tried "${name} (${nvcc} does not run)")
  endforeach()
  list(JOIN tried ", " tried)
  set(${out_tried} "${tried}" PARENT_SCOPE)
endfunction()

set(MG_HAVE_CUDA OFF)
set(MG_NVCC)
string(TOLOWER "${MINIGRAD_CUDA}" choice)
if(NOT choice MATCHES "^(auto|on|off)$")
  message(FATAL_ERROR "MINIGRAD_CUDA is '${MINIGRAD_CUDA}'; it must be auto, on or off")
endif()
if(NOT choice STREQUAL "off" OR MINIGRAD_EMU)
  mg_find_nvcc(MG_NVCC tried)
endif()
if(choice STREQUAL "off")
  set(MG_CUDA_STATUS "MINIGRAD_CUDA=off")
elseif(NOT MG_NVCC)
  set(MG_CUDA_STATUS "no working nvcc; tried ${tried}")
else()
  # By the environment: check_language believes CMAKE_CUDA_COMPILER without a test.
  set(ENV{CUDACXX} "${MG_NVCC}")
  get_filename_component(folder "${MG_NVCC}" DIRECTORY)
  if(EXISTS "${folder}/../lib/libcudart_static.a") # the wheels' folder; nvcc looks in lib64
    set(CMAKE_CUDA_FLAGS "${CMAKE_CUDA_FLAGS} -L${folder}/../lib")
  endif()
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90-real) # of the compiler's test
  endif()
  set(CMAKE_CUDA_STANDARD 17)
  if(CMAKE_CXX_COMPILER_LAUNCHER AND NOT CMAKE_CUDA_COMPILER_LAUNCHER)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${CMAKE_CXX_COMPILER_LAUNCHER})
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(NOT CMAKE_CUDA_COMPILER)
    set(MG_CUDA_STATUS "${MG_NVCC} cannot compile (see CMakeError.log or CMakeConfigureLog.yaml)")
  else()
    enable_language(CUDA)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 12.0)
      set(MG_CUDA_STATUS "${MG_NVCC} is version ${CMAKE_CUDA_COMPILER_VERSION}; it must be 12.0")
    else()
      set(MG_HAVE_CUDA ON)
    endif()
  endif()
endif()
if(choice STREQUAL "on" AND NOT MG_HAVE_CUDA)
  message(FATAL_ERROR "MINIGRAD_CUDA=on: ${MG_CUDA_STATUS}")
endif()

# What both modules have in common; the arrays' attributes are read through Python alone.
function(mg_add_cuda_module name)
  Python_add_library(${name} MODULE WITH_SOABI ${MG_CUDA_BINDING_SOURCES} ${ARGN})
  target_include_directories(${name} PRIVATE csrc)
  target_compile_definitions(${name} PRIVATE MG_CUDA_MODULE=${name})
  set_target_properties(${name} PROPERTIES LINKER_LANGUAGE CXX)
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-O1>)
endfunction()

if(MG_HAVE_CUDA)
  # 8.6 and 8.9 run the code of 8.0. 10.0 and what comes after 12.0 compile the PTX at first use:
  # every architecture more costs as much time here as the first.
  if(MINIGRAD_CUDA_ARCHITECTURES STREQUAL "default")
    set(architectures 75-real 80-real 90)
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
      list(APPEND architectures 120-real)
    endif()
  else()
    string(REPLACE "," ";" architectures "${MINIGRAD_CUDA_ARCHITECTURES}")
  endif()
  list(JOIN architectures " " architectures_text)
  set(MG_CUDA_STATUS "nvcc ${CMAKE_CUDA_COMPILER_VERSION} for ${architectures_text}")

  function(mg_add_cuda_objects name architectures)
    add_library(${name} OBJECT ${ARGN})
    target_include_directories(${name} PRIVATE csrc)
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES "${architectures}"
      CUDA_RUNTIME_LIBRARY Static CUDA_VISIBILITY_PRESET hidden POSITION_INDEPENDENT_CODE ON)
    target_compile_options(${name} PRIVATE -O3 -Xcompiler=-Wall,-Wextra,-fno-strict-aliasing
      $<$<VERSION_GREATER_EQUAL:${CMAKE_CUDA_COMPILER_VERSION},12.8>:--compress-mode=size>
      $<$<BOOL:${MINIGRAD_CUDA_WERROR}>:--Werror=all-warnings>)
  endfunction()
  set(objects $<TARGET_OBJECTS:mg_cuda>)
  mg_add_cuda_objects(mg_cuda "${architectures}" ${MG_CUDA_SOURCES})
  if(architectures MATCHES "(^|;)90a?(-real|-virtual)?(;|$)")
    mg_add_cuda_objects(mg_cuda_sm90a 90a-real ${MG_CUDA_SM90A_SOURCES})
    list(APPEND objects $<TARGET_OBJECTS:mg_cuda_sm90a>)
    target_compile_definitions(mg_cuda PRIVATE MG_CUDA_HOPPER)
  endif()
  mg_add_cuda_module(_cuda ${objects})
  target_compile_definitions(_cuda PRIVATE MG_CUDA_ARCHITECTURES="${architectures_text}")
  find_library(MG_CUDART cudart_static REQUIRED HINTS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES}
    ${CMAKE_CUDA_TOOLKIT_ROOT_DIRECTORY}/lib64 ${CMAKE_CUDA_TOOLKIT_ROOT_DIRECTORY}/lib)
  target_link_libraries(_cuda PRIVATE ${MG_CUDART} Threads::Threads ${CMAKE_DL_LIBS} rt)
  if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/.git)
    add_custom_command(TARGET _cuda POST_BUILD VERBATIM COMMAND
      ${CMAKE_COMMAND} -E copy $<TARGET_FILE:_cuda> ${CMAKE_CURRENT_SOURCE_DIR}/minigrad/)
  endif()
  if(choice STREQUAL "auto" AND NOT SKBUILD) # by hand, only when asked for: --target _cuda
    set_target_properties(mg_cuda _cuda PROPERTIES EXCLUDE_FROM_ALL ON)
    if(TARGET mg_cuda_sm90a)
      set_target_properties(mg_cuda_sm90a PROPERTIES EXCLUDE_FROM_ALL ON)
    endif()
  else()
    install(TARGETS _cuda LIBRARY DESTINATION minigrad)
  endif()
endif()
message(STATUS "minigrad._cuda: ${MG_CUDA_STATUS}")

if(MINIGRAD_EMU)
  set(sources
    csrc/cuda/emulate/barrier.cpp
    csrc/cuda/emulate/copy.cpp
    csrc/cuda/emulate/fiber.cpp
    csrc/cuda/emulate/matrix.cpp
    csrc/cuda/emulate/scheduler.cpp
    csrc/cuda/emulate/shared.cpp
  )
  foreach(source IN LISTS MG_CUDA_SOURCES MG_CUDA_SM90A_SOURCES)
    get_filename_component(stem ${source} NAME_WE)
    string(REPLACE "csrc/" "" included ${source})
    file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/emu/${stem}.cpp
      CONTENT "#include \"${included}\"\n")
    list(APPEND sources ${CMAKE_CURRENT_BINARY_DIR}/emu/${stem}.cpp)
  endforeach()
  # Of the toolkit only headers are needed; nvcc says where they are.
  execute_process(COMMAND ${MG_NVCC} --dryrun -x cu /dev/null OUTPUT_QUIET ERROR_VARIABLE dryrun)
  string(REGEX MATCH "_ *TOP=([^\n]*)" unused "${dryrun}")
  find_path(MG_CUDA_INCLUDE cuda_fp16.h HINTS ${CMAKE_MATCH_1}/include $ENV{CUDA_HOME}/include
    /usr/local/cuda/include)
  if(NOT MG_CUDA_INCLUDE)
    message(FATAL_ERROR "MINIGRAD_EMU=on: CUDA's headers (cuda_fp16.h) were not found; ${tried}")
  endif()
  mg_add_cuda_module(_cuda_emu ${sources})
  target_compile_definitions(_cuda_emu PRIVATE MG_CUDA_EMULATED MG_CUDA_HOPPER)
  target_include_directories(_cuda_emu SYSTEM PRIVATE ${MG_CUDA_INCLUDE})
  target_compile_options(_cuda_emu PRIVATE -fno-strict-aliasing -ffp-contract=off
    -Wno-unknown-pragmas ${MG_SANITIZE_FLAGS})
endif()
