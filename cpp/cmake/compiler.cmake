# The kernels are written on GCC's vector extensions, which clang has too and Microsoft's compiler has not. Says which
# compiler to take before the first source fails for a reason that is harder to read.

set(STRIATE_COMPILER_HINT "striate needs g++ 11+, clang 14+ or Apple clang 14+, not ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION} (${CMAKE_CXX_COMPILER})")
if(WIN32)
  string(APPEND STRIATE_COMPILER_HINT
    ". On Windows install LLVM (https://llvm.org) and Ninja, then set CXX=clang++ and CMAKE_GENERATOR=Ninja in the environment and build in an empty folder")
endif()

if(MSVC AND CMAKE_CXX_COMPILER_ID MATCHES "Clang" AND CMAKE_CXX_COMPILER_FRONTEND_VARIANT STREQUAL "MSVC")
  # The same compiler behind MSVC's options, among which -Wall and -O3 mean something else or nothing.
  message(FATAL_ERROR "clang-cl does not take the options that the kernels are built with; clang++ is the same compiler. ${STRIATE_COMPILER_HINT}")
endif()

include(CheckCXXSourceCompiles)
# A feature, and a function body that needs it.
function(striate_require name feature body)
  set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles("
    typedef float Vec __attribute__((vector_size(16)));
    typedef int VecI __attribute__((vector_size(16)));
    typedef unsigned char Bytes __attribute__((vector_size(4)));
    ${body}" STRIATE_HAS_${name})
  if(NOT STRIATE_HAS_${name})
    message(FATAL_ERROR "the compiler lacks ${feature}. ${STRIATE_COMPILER_HINT}")
  endif()
endfunction()
striate_require(VECTORS "vectors (__attribute__((vector_size)))" "Vec f(Vec a, float b) { return a * b - reinterpret_cast<Vec>(VecI{}); }")
striate_require(VECTOR_SELECT "the choice between vectors by a vector (mask ? a : b)" "Vec f(Vec a, Vec b) { return a > b ? a : b; }")
striate_require(CONVERTVECTOR "__builtin_convertvector" "VecI f(Bytes a) { return __builtin_convertvector(a, VecI); }")
