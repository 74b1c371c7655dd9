// What an x86-64 CPU can run, asked of the CPU itself: __builtin_cpu_supports needs a runtime library that clang does
// not link on Windows. Only for dispatch.cpp.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>

#include <cstdint>

namespace striate::dispatch {

// Intel, Software Developer's Manual: CPUID leaves 1 and 7, and XCR0, in which the operating system says which
// registers it saves when it switches tasks.
struct X86Features {
    bool avx2 = false, avx512 = false;
};

inline X86Features x86_features() {
    uint32_t a = 0, b = 0, c = 0, d = 0;
    const auto bit = [](uint32_t word, int number) { return (word >> number & 1) != 0; };
    if (!__get_cpuid(1, &a, &b, &c, &d)) return {};
    const bool fma = bit(c, 12), saves = bit(c, 27), avx = bit(c, 28), f16c = bit(c, 29);
    if (!saves) return {};
    uint32_t low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    const bool saves_ymm = (low & 0x06) == 0x06, saves_zmm = (low & 0xe6) == 0xe6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
    X86Features features;
    features.avx2 = saves_ymm && avx && fma && f16c && bit(b, 5) && bit(b, 8);  // and BMI2
    // F, DQ, BW, VL
    features.avx512 = features.avx2 && saves_zmm && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31);
    return features;
}

}  // namespace striate::dispatch
#endif
