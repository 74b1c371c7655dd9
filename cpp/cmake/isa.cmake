# Kernel sources x instruction sets. Every file in src/kernels is compiled once per ISA with that ISA's flags; everything
# else in the project is compiled for the platform's baseline.

file(GLOB STRIATE_KERNEL_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cpp/src/kernels/*.cpp")

# Sets STRIATE_ISAS (best first) and STRIATE_FLAGS_<isa>.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(STRIATE_ISAS avx512 avx2 scalar)
  set(STRIATE_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi2 -mprefer-vector-width=512)
  set(STRIATE_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  set(STRIATE_ISAS neon scalar)
  set(STRIATE_FLAGS_neon "")
else()
  set(STRIATE_ISAS scalar)
endif()
if(STRIATE_ONLY_ISAS)
  set(STRIATE_ISAS ${STRIATE_ONLY_ISAS})
endif()
if(STRIATE_SANITIZE)
  # Sanitizers multiply the time that the widest unrolled tiles take to compile; the same source is checked without them.
  list(REMOVE_ITEM STRIATE_ISAS avx512)
  set(STRIATE_KERNEL_OPTIMIZATION -O1)
endif()
# The portable kernels: four-lane vectors that the compiler lowers to whatever the baseline has (SSE2 on x86-64). They are
# for the few machines that have nothing better, and everyone carries them.
set(STRIATE_FLAGS_scalar -O2)

# Half of the time of most kernels goes into <immintrin.h>. A compiler cache does without a precompiled header.
set(STRIATE_KERNEL_HEADERS)
if(NOT "${CMAKE_CXX_COMPILER_LAUNCHER}" MATCHES "cache")
  set(STRIATE_KERNEL_HEADERS "${CMAKE_CURRENT_SOURCE_DIR}/cpp/src/kernels/lanes.hpp")
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC cannot tell that reading a group of pixels sets all of its lanes, whatever the number of pixels.
  set_source_files_properties("${CMAKE_CURRENT_SOURCE_DIR}/cpp/src/kernels/losses_overlap.cpp" PROPERTIES
                              COMPILE_OPTIONS -Wno-maybe-uninitialized)
endif()

set(STRIATE_KERNEL_OBJECTS)
foreach(isa IN LISTS STRIATE_ISAS)
  add_library(striate_kernels_${isa} OBJECT ${STRIATE_KERNEL_SOURCES})
  set_target_properties(striate_kernels_${isa} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
  target_compile_features(striate_kernels_${isa} PRIVATE cxx_std_20)
  target_include_directories(striate_kernels_${isa} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/cpp/src" "${CMAKE_CURRENT_SOURCE_DIR}/cpp/include")
  target_compile_definitions(striate_kernels_${isa} PRIVATE STRIATE_ISA=${isa})
  target_compile_options(striate_kernels_${isa} PRIVATE ${STRIATE_WARNINGS} ${STRIATE_SECTIONS} ${STRIATE_SANITIZE_FLAGS} -Wno-psabi
    ${STRIATE_KERNEL_OPTIMIZATION} -ffp-contract=fast -fno-math-errno -fno-trapping-math -fno-exceptions -fno-rtti ${STRIATE_FLAGS_${isa}})
  target_precompile_headers(striate_kernels_${isa} PRIVATE ${STRIATE_KERNEL_HEADERS})
  list(APPEND STRIATE_KERNEL_OBJECTS $<TARGET_OBJECTS:striate_kernels_${isa}>)
endforeach()

# The dispatcher's list follows from the ISAs that were built: a row for each, best first.
set(STRIATE_ISA_ROWS)
foreach(isa IN LISTS STRIATE_ISAS)
  string(APPEND STRIATE_ISA_ROWS "STRIATE_BUILT(${isa})\n")
endforeach()
file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/generated/isas.inc" CONTENT "${STRIATE_ISA_ROWS}" @ONLY)
