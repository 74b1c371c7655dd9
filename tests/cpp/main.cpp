// The main function of all C++ tests; `--help` lists its options.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // sanitizers and the emulator of GPUs handle signals themselves
#include <iostream>

#include <doctest/doctest.h>

int main(int count, char** arguments) {
    std::cout << std::unitbuf;  // failures are printed even if the process is killed
    doctest::Context context;
    context.setOption("abort-after", 50);  // a wrong kernel fails millions of checks
    context.applyCommandLine(count, arguments);
    return context.run();
}
