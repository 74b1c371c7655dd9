# Unity builds: most of the time goes into headers and into templates of the standard library, which the sources of a
# folder then share. Sources with their own options (STRIATE_HOT, dispatch) are compiled alone, as CMake has it.

set_target_properties(striate PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
foreach(folder IN ITEMS graph io layers losses models optimizers)
  file(GLOB sources cpp/src/${folder}/*.cpp)
  set_source_files_properties(${sources} PROPERTIES UNITY_GROUP ${folder})
endforeach()
file(GLOB sources cpp/src/*.cpp)
set_source_files_properties(${sources} PROPERTIES UNITY_GROUP core)
# These share local names with other sources of their folder, or include <windows.h>, or use a whole namespace.
foreach(source IN ITEMS c_api graph/parameters graph/profile graph/trainer io/file_windows layers/registry layers/winograd layers/winograd_steps)
  set_source_files_properties(cpp/src/${source}.cpp PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endforeach()
