// Stacks that a program switches between.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <new>

extern "C" void emulator_switch(void** from, void* to);

#if defined(__x86_64__)
asm(R"(
.text
.p2align 4
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.p2align 4
.globl emulator_switch
.hidden emulator_switch
.type emulator_switch, %function
emulator_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
.size emulator_switch, .-emulator_switch
)");
#else
#error "the emulator has fibers for x86-64 and AArch64"
#endif

namespace emulator {

class Fiber {
  public:
    Fiber() {
        void* const memory = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        stack_ = static_cast<std::byte*>(memory);
        mprotect(stack_, kGuard, PROT_NONE);
    }
    ~Fiber() { munmap(stack_, kStack); }
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // The next switch enters `main`, which never returns.
    void begin(void (*main)()) {
        auto* top = reinterpret_cast<uint64_t*>(stack_ + kStack);
#if defined(__x86_64__)
        *--top = 0;  // a function is entered 8 bytes off a multiple of 16
        *--top = reinterpret_cast<uint64_t>(main);
        for (int i = 0; i < 6; ++i) *--top = 0;
#else
        top -= 20;
        for (int i = 0; i < 20; ++i) top[i] = 0;
        top[11] = reinterpret_cast<uint64_t>(main);
#endif
        place = top;
    }

    void* place = nullptr;  // where it stopped

  private:
    static constexpr size_t kGuard = size_t{1} << 16, kStack = size_t{5} << 16;
    std::byte* stack_;
};

}  // namespace emulator
