// What a shared library shows: everything else in it is hidden.
#pragma once

// Windows libraries export all they have (CMake's WINDOWS_EXPORT_ALL_SYMBOLS), and need no word here.
#if defined(STRIATE_SHARED) && !defined(_WIN32)
#define STRIATE_API __attribute__((visibility("default")))
#else
#define STRIATE_API
#endif
