# Unity builds: most of the time goes into headers and into templates of the standard library, which the sources of a
# folder then share. Sources with their own options (STRIATE_HOT, dispatch) are compiled alone, as CMake has it.

set_target_properties(striate PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
foreach(folder IN ITEMS cpu device graph io layers losses models optimizers planning rewrites running)
  file(GLOB sources cpp/src/${folder}/*.cpp)
  set_source_files_properties(${sources} PROPERTIES UNITY_GROUP ${folder})
endforeach()
file(GLOB sources cpp/src/*.cpp)
set_source_files_properties(${sources} PROPERTIES UNITY_GROUP core)
# These share local names with other sources of their folder, but not with one another.
set_source_files_properties(
  cpp/src/graph/parameters.cpp cpp/src/running/profile.cpp cpp/src/graph/trainer.cpp cpp/src/layers/registry.cpp
  cpp/src/cpu/winograd.cpp cpp/src/cpu/winograd_steps.cpp PROPERTIES UNITY_GROUP apart)
# The first uses a whole namespace, the second includes <windows.h>.
set_source_files_properties(cpp/src/c_api.cpp cpp/src/io/file_windows.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
