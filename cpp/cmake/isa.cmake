# Kernel sources x instruction sets. Every file in src/kernels is compiled once per ISA with that ISA's flags; everything
# else in the project is compiled for the platform's baseline.

file(GLOB STRIATE_KERNEL_SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/cpp/src/kernels/*.cpp")
set(STRIATE_CORE "${CMAKE_CURRENT_SOURCE_DIR}/cpp")

# Adds an instruction set to the table below, which lists the best first.
#   ON      a regular expression: the processors that can have it; default: every processor
#   RUNS    the check at load: a C++ expression in namespace striate::dispatch
#   FLAGS   the compiler's flags
#   BASE    makes it an overlay of another row. Its sources are then src/kernels/<name>/*.cpp alone, which define a table
#           `rows`; where that table is null, the kernel of BASE is used.
# Appends to STRIATE_ISAS, and sets STRIATE_FLAGS_<name>, STRIATE_SOURCES_<name>, STRIATE_BASE_<name> and STRIATE_ROW_<name>.
macro(striate_instruction_set name)
  cmake_parse_arguments(ROW "" "ON;RUNS;BASE" "FLAGS" ${ARGN})
  if(ROW_UNPARSED_ARGUMENTS OR NOT ROW_RUNS)
    message(FATAL_ERROR "the instruction set ${name} needs RUNS, and takes ON, FLAGS and BASE; got ${ARGN}")
  endif()
  if(NOT ROW_ON OR CMAKE_SYSTEM_PROCESSOR MATCHES "^(${ROW_ON})$")
    list(APPEND STRIATE_ISAS ${name})
    set(STRIATE_FLAGS_${name} ${ROW_FLAGS})
    set(STRIATE_SOURCES_${name} ${STRIATE_KERNEL_SOURCES})
    set(STRIATE_BASE_${name} ${ROW_BASE})
    set(STRIATE_ROW_${name} "STRIATE_BUILT(${name}, ${ROW_RUNS})")
    if(ROW_BASE)
      file(GLOB STRIATE_SOURCES_${name} CONFIGURE_DEPENDS "${STRIATE_CORE}/src/kernels/${name}/*.cpp")
      set(STRIATE_ROW_${name} "STRIATE_OVERLAY(${name}, ${ROW_BASE}, ${ROW_RUNS})")
    endif()
  endif()
endmacro()

# Compiles sources for an instruction set, as an object library.
function(striate_kernels target isa)
  add_library(${target} OBJECT ${ARGN})
  set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_include_directories(${target} PRIVATE "${STRIATE_CORE}/src" "${STRIATE_CORE}/include")
  target_compile_definitions(${target} PRIVATE STRIATE_ISA=${isa})
  # Nothing is thrown through kernels, so they need no tables for unwinding, which are a part of every program's size.
  target_compile_options(${target} PRIVATE ${STRIATE_WARNINGS} ${STRIATE_SECTIONS} ${STRIATE_SANITIZE_FLAGS} -Wno-psabi
    ${STRIATE_KERNEL_OPTIMIZATION} -ffp-contract=fast -fno-math-errno -fno-trapping-math -fno-exceptions -fno-rtti $<$<CONFIG:Release>:-fno-asynchronous-unwind-tables> ${STRIATE_FLAGS_${isa}})
endfunction()

# Writes isas.inc, which the dispatcher includes: one row for each of these instruction sets, best first.
function(striate_write_rows folder)
  set(rows)
  foreach(isa IN LISTS ARGN)
    string(APPEND rows "${STRIATE_ROW_${isa}}\n")
  endforeach()
  file(CONFIGURE OUTPUT "${folder}/isas.inc" CONTENT "${rows}" @ONLY)
endfunction()

set(STRIATE_ISAS)
striate_instruction_set(avx512 ON "x86_64|AMD64|amd64" RUNS "x86_features().avx512"
  FLAGS -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mbmi2 -mprefer-vector-width=512)
striate_instruction_set(avx2 ON "x86_64|AMD64|amd64" RUNS "x86_features().avx2" FLAGS -mavx2 -mfma -mf16c -mbmi2)
striate_instruction_set(neon ON "aarch64|arm64|ARM64" RUNS "true")
# The portable kernels: four-lane vectors that the compiler lowers to whatever the baseline has (SSE2 on x86-64). They are
# for the few machines that have nothing better, and everyone carries them.
striate_instruction_set(scalar RUNS "true" FLAGS -O2)

if(STRIATE_ONLY_ISAS)
  foreach(isa IN LISTS STRIATE_ONLY_ISAS)
    if(NOT isa IN_LIST STRIATE_ISAS)
      message(FATAL_ERROR "STRIATE_ONLY_ISAS names ${isa}, but ${CMAKE_SYSTEM_PROCESSOR} has ${STRIATE_ISAS}")
    endif()
    if(STRIATE_BASE_${isa} AND NOT STRIATE_BASE_${isa} IN_LIST STRIATE_ONLY_ISAS)
      message(FATAL_ERROR "STRIATE_ONLY_ISAS names ${isa}, which needs ${STRIATE_BASE_${isa}} too")
    endif()
  endforeach()
  set(STRIATE_ISAS ${STRIATE_ONLY_ISAS})
endif()
if(STRIATE_SANITIZE)
  # Sanitizers multiply the time that the widest unrolled tiles take to compile; the same source is checked without them.
  foreach(isa IN LISTS STRIATE_ISAS)
    if(isa STREQUAL avx512 OR STRIATE_BASE_${isa} STREQUAL avx512)
      list(REMOVE_ITEM STRIATE_ISAS ${isa})
    endif()
  endforeach()
  set(STRIATE_KERNEL_OPTIMIZATION -O1)
endif()

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
  striate_kernels(striate_kernels_${isa} ${isa} ${STRIATE_SOURCES_${isa}})
  target_precompile_headers(striate_kernels_${isa} PRIVATE ${STRIATE_KERNEL_HEADERS})
  list(APPEND STRIATE_KERNEL_OBJECTS $<TARGET_OBJECTS:striate_kernels_${isa}>)
endforeach()
striate_write_rows("${CMAKE_CURRENT_BINARY_DIR}/generated" ${STRIATE_ISAS})
