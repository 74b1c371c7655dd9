#include "planning/kernel_call.hpp"

#include <cstring>
#include <stdexcept>

#include "striate/error.hpp"

namespace striate {

CallMaker::CallMaker(const PlanContext& plan, const char* what, kernels::Row row, const void* arguments, size_t size,
                     std::initializer_list<Binding> list)
    : plan_(plan), what_(what), row_(row), arguments_(static_cast<const std::byte*>(arguments)), size_(size) {
    bound_.reserve(list.size());
    for (const Binding& b : list) {
        const uint32_t offset = offset_of(b.field, arguments);
        for (const Bound& other : bound_)
            if (other.offset == offset) fail_at(offset, "is bound twice");
        if (b.kind == Binding::Kind::scratch || b.kind == Binding::Kind::random) {
            bound_.push_back({b, offset, true});
            continue;
        }
        if (b.typed && b.tensor.valid()) {
            const DType type = plan.type(b.tensor);
            // Records, such as kernels::UpdatePiece, are stored in tensors of bytes.
            const bool record = b.element != byte_size(b.type);
            if (type != (record ? DType::uint8 : b.type))
                fail_at(offset, concat("expects elements of ", name_of(record ? DType::uint8 : b.type),
                                       ", but the tensor has ", name_of(type)));
        }
        bound_.push_back({b, offset, false});
    }
}

uint32_t CallMaker::offset_of(const void* field, const void* arguments) const {
    const auto at = reinterpret_cast<uintptr_t>(field), begin = reinterpret_cast<uintptr_t>(arguments);
    if (at < begin || at >= begin + size_)
        throw std::logic_error(concat("[", plan_.name(), "] ", what_, ": a binding of ", kernels::name_of(row_),
                                      " is of a pointer that is not in the arguments of the call"));
    return static_cast<uint32_t>(at - begin);
}

void CallMaker::fail_at(uint32_t offset, const std::string& text) const {
    throw std::logic_error(concat("[", plan_.name(), "] ", what_, ": the pointer at byte ", offset,
                                  " of the arguments of ", kernels::name_of(row_), " ", text));
}

void CallMaker::mark(void* copy) {
    copy_ = static_cast<const std::byte*>(copy);
    const void* const some = this;  // anything but null
    for (const Bound& b : bound_) {
        if (b.binding.kind == Binding::Kind::random) continue;
        const void* const value = b.binding.tensor.valid() || b.binding.kind == Binding::Kind::scratch ? some : nullptr;
        std::memcpy(static_cast<std::byte*>(copy) + b.offset, &value, sizeof value);
    }
}

void CallMaker::check(const void* field, const kernels::Reach& reach, bool optional) {
    const uint32_t offset = offset_of(field, copy_);
    for (Bound& b : bound_) {
        if (b.offset != offset) continue;
        b.used = true;
        if (!b.binding.tensor.valid()) {
            if (!optional && reach.begin < reach.end) fail_at(offset, "must lead to a tensor");
            return;
        }
        if (reach.begin >= reach.end) return;
        const Extent extent = plan_.extent(b.binding.tensor);
        const auto bytes = static_cast<int64_t>(byte_size(plan_.type(b.binding.tensor)));
        const int64_t element = b.binding.element == 0 ? bytes : static_cast<int64_t>(b.binding.element);
        const int64_t skipped = b.binding.first * bytes;
        if (skipped + reach.begin * element < extent.begin * bytes ||
            skipped + reach.end * element > extent.end * bytes)
            fail_at(offset, concat("leads to a tensor that is too small: the kernel touches bytes ",
                                   skipped + reach.begin * element, " to ", skipped + reach.end * element,
                                   " of it, and it has ", extent.begin * bytes, " to ", extent.end * bytes));
        return;
    }
    fail_at(offset, "is not bound; bind an invalid tensor to make it null");
}

Step CallMaker::finish(int64_t units) {
    auto call = std::make_shared<KernelCall>();
    call->row = row_;
    call->arguments.assign(arguments_, arguments_ + size_);
    Step step;
    step.what = what_;
    step.units = units;
    for (const Bound& b : bound_) {
        const Binding& binding = b.binding;
        if (!b.used) fail_at(b.offset, "is bound, but the kernel does not use it");
        if (binding.kind == Binding::Kind::random) {
            call->random = b.offset;
            continue;
        }
        const void* const null = nullptr;
        std::memcpy(call->arguments.data() + b.offset, &null, sizeof null);
        if (binding.kind == Binding::Kind::scratch) {
            call->scratch = b.offset;
            step.scratch = static_cast<size_t>(binding.first) * binding.element;
            continue;
        }
        if (!binding.tensor.valid()) continue;
        const int64_t shift = binding.first * static_cast<int64_t>(byte_size(plan_.type(binding.tensor)));
        call->pointers.push_back({b.offset, binding.tensor, shift});
        if (binding.kind != Binding::Kind::write) step.reads.push_back(binding.tensor);
        if (binding.kind != Binding::Kind::read) step.writes.push_back(binding.tensor);
    }
    step.bytes = traffic(plan_, step.reads, step.writes);
    step.call = std::move(call);
    return step;
}

double traffic(const PlanContext& plan, const std::vector<TensorId>& reads, const std::vector<TensorId>& writes) {
    double bytes = 0.0;
    for (const std::vector<TensorId>* list : {&reads, &writes})
        for (TensorId id : *list)
            bytes += static_cast<double>(element_count(plan.shape(id))) * static_cast<double>(byte_size(plan.type(id)));
    return bytes;
}

Step copy_step(const PlanContext& plan, const char* what, TensorId x, const View& view_x, int64_t offset_x, TensorId y,
               const View& view_y, int64_t offset_y) {
    const kernels::CopyArgs args{view_x, view_y, nullptr, nullptr};
    Step step =
        kernel_step(plan, kernels::K::copy, what, args, {reads(args.x, x, offset_x), writes(args.y, y, offset_y)});
    step.bytes = 8.0 * static_cast<double>(view_y.n * view_y.h * view_y.w * view_y.c);
    return step;
}

}  // namespace striate
