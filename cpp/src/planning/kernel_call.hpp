// A call of a kernel as data: which row of the table, its arguments, and which of their pointers lead to which tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>
#include <vector>

#include "kernels/reach.hpp"
#include "kernels/reach_optimizer.hpp"
#include "kernels/reach_winograd.hpp"
#include "kernels/rows.hpp"
#include "kernels/units.hpp"
#include "striate/plan.hpp"

namespace striate {

struct KernelCall {
    struct Pointer {
        uint32_t field;  // byte offset within the arguments
        TensorId tensor;
        int64_t shift;  // bytes behind the tensor's first element
    };
    static constexpr uint32_t kNone = ~uint32_t{0};

    kernels::Row row;
    std::vector<std::byte> arguments;  // pointers are null
    std::vector<Pointer> pointers;     // to valid tensors
    uint32_t scratch = kNone;          // the field of a pointer to the memory of one thread
    uint32_t random = kNone;           // the field of a kernels::RandomSource: seed and step are the run's
};

// One line of a step's list of bindings; made by the functions below.
struct Binding {
    enum class Kind : uint8_t { read, write, update, scratch, random };
    Kind kind;
    const void* field;  // within the arguments
    bool typed;         // whether the kernel takes elements of `type` only
    DType type;
    size_t element;  // bytes; 0: those of the tensor's type
    TensorId tensor;
    int64_t first;  // elements of the tensor that are skipped; for scratch: how many the kernel needs
};

namespace bindings {

template <class T>
constexpr bool kKnown = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, uint8_t> ||
                        std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>;
template <class T>
constexpr DType kType = std::is_same_v<T, float>     ? DType::float32
                        : std::is_same_v<T, double>  ? DType::float64
                        : std::is_same_v<T, int32_t> ? DType::int32
                        : std::is_same_v<T, int64_t> ? DType::int64
                                                     : DType::uint8;
template <class T>
constexpr size_t kElement = sizeof(T);
template <>
inline constexpr size_t kElement<void> = 0;

template <class Pointer>
Binding bind(Binding::Kind kind, const Pointer& field, TensorId tensor, int64_t first) {
    static_assert(std::is_pointer_v<Pointer>, "a binding is of a pointer in the kernel's arguments");
    using T = std::remove_const_t<std::remove_pointer_t<Pointer>>;
    return {kind, &field, !std::is_void_v<T>, kType<T>, kElement<T>, tensor, first};
}

}  // namespace bindings

// The kernel reads the tensor through this pointer of its arguments. An invalid tensor binds null. `first` elements of
// the tensor are skipped.
template <class Pointer>
Binding reads(const Pointer& field, TensorId tensor, int64_t first = 0) {
    static_assert(std::is_const_v<std::remove_pointer_t<Pointer>>, "the kernel may write through this pointer");
    return bindings::bind(Binding::Kind::read, field, tensor, first);
}
// It writes, and does not read what was there.
template <class Pointer>
Binding writes(const Pointer& field, TensorId tensor, int64_t first = 0) {
    static_assert(!std::is_const_v<std::remove_pointer_t<Pointer>>, "the kernel cannot write through this pointer");
    return bindings::bind(Binding::Kind::write, field, tensor, first);
}
// It reads and writes.
template <class Pointer>
Binding updates(const Pointer& field, TensorId tensor, int64_t first = 0) {
    static_assert(!std::is_const_v<std::remove_pointer_t<Pointer>>, "the kernel cannot write through this pointer");
    return bindings::bind(Binding::Kind::update, field, tensor, first);
}
// Each thread gets so many elements of its own, which hold nothing in particular.
template <class T>
Binding scratch(T* const& field, int64_t count) {
    return {Binding::Kind::scratch, &field, false, DType::float32, sizeof(T), {}, count};
}
// Random numbers of the run; the stream is the layer's.
inline Binding random(const kernels::RandomSource& field) {
    return {Binding::Kind::random, &field, false, DType::float32, 0, {}, 0};
}

// Checks the bindings of one call against what the kernel touches, and makes the call. Errors are std::logic_error:
// the code of the layer is wrong.
class CallMaker {
  public:
    CallMaker(const PlanContext& plan, const char* what, kernels::Row row, const void* arguments, size_t size,
              std::initializer_list<Binding> list);

    // Makes the pointers of a copy of the arguments null or not, as they will be when the kernel runs.
    void mark(void* copy);

    // For kernels::reach(copy, *this): one pointer of the copy.
    template <class T>
    void operator()(T* const& field, const kernels::Reach& reach) {
        check(&field, reach, false);
    }
    template <class T>
    void optional(T* const& field, const kernels::Reach& reach) {
        check(&field, reach, true);
    }

    Step finish(int64_t units);

  private:
    uint32_t offset_of(const void* field, const void* arguments) const;
    void check(const void* field, const kernels::Reach& reach, bool optional);
    [[noreturn]] void fail_at(uint32_t offset, const std::string& text) const;

    struct Bound {
        Binding binding;
        uint32_t offset;
        bool used = false;
    };
    const PlanContext& plan_;
    const char* what_;
    kernels::Row row_;
    const std::byte* arguments_;
    size_t size_;
    const std::byte* copy_ = nullptr;
    std::vector<Bound> bound_;
};

// A step that calls a kernel: its row of the table, its arguments with all sizes, and what its pointers lead to. Each
// pointer that the kernel has must be bound. Throws std::logic_error for a tensor of another type than the pointer's, a
// tensor that is smaller than what the kernel touches, and a pointer that is not bound.
template <class Args>
Step kernel_step(const PlanContext& plan, kernels::Kernel<Args> kernel, const char* what, const Args& args,
                 std::initializer_list<Binding> list) {
    static_assert(std::is_trivially_copyable_v<Args>);
    CallMaker call(plan, what, kernel.row, &args, sizeof args, list);
    Args copy = args;
    call.mark(&copy);
    kernels::reach(copy, call);
    return call.finish(kernels::units(copy));
}

// Lets the step write over `from`, if nothing reads that afterwards.
inline Step in_place(Step step, TensorId from, TensorId to) {
    step.inplace_from = from;
    step.inplace_to = to;
    return step;
}

inline Step with_flops(Step step, double flops) {
    step.flops = flops;
    return step;
}

inline Step with_rows(Step step, RowMap rows) {
    step.rows = rows;
    return step;
}

// Bytes that a step moves when it reads and writes each tensor once.
double traffic(const PlanContext& plan, const std::vector<TensorId>& reads, const std::vector<TensorId>& writes);

// y = a copy of x between views of one shape, as a step.
Step copy_step(const PlanContext& plan, const char* what, TensorId x, const View& view_x, int64_t offset_x, TensorId y,
               const View& view_y, int64_t offset_y);

}  // namespace striate
