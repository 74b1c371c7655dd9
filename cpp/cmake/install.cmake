# What `cmake --install` lays down for programs that use the library: headers, the library, and a package for find_package.
include(CMakePackageConfigHelpers)

set(STRIATE_CMAKE_DIR "${CMAKE_INSTALL_LIBDIR}/cmake/striate")
install(DIRECTORY cpp/include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" COMPONENT development)
install(TARGETS striate EXPORT striateTargets COMPONENT development
        RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}" LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}" ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT striateTargets NAMESPACE striate:: DESTINATION "${STRIATE_CMAKE_DIR}" COMPONENT development)

# Only a static library leaves it to the program to link what it needs.
set(STRIATE_DEPENDENCIES)
if(NOT BUILD_SHARED_LIBS)
  string(APPEND STRIATE_DEPENDENCIES "find_dependency(Threads)\n")
  if(OpenMP_CXX_FOUND)
    string(APPEND STRIATE_DEPENDENCIES "find_dependency(OpenMP COMPONENTS CXX)\n")
  endif()
endif()
configure_package_config_file(cpp/cmake/striateConfig.cmake.in "${CMAKE_CURRENT_BINARY_DIR}/striateConfig.cmake"
                              INSTALL_DESTINATION "${STRIATE_CMAKE_DIR}" NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/striateConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/striateConfig.cmake" "${CMAKE_CURRENT_BINARY_DIR}/striateConfigVersion.cmake"
        DESTINATION "${STRIATE_CMAKE_DIR}" COMPONENT development)
