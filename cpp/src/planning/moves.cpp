// Steps that move data: from the caller's arrays into the plan, from the plan to the caller, and between tensors.
#include <algorithm>
#include <cstring>

#include "cpu/cpu.hpp"
#include "planning/kernel_call.hpp"
#include "planning/plan_builder.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

template <class From, class To>
void convert(const From* from, To* to, int64_t count) {
    for (int64_t i = 0; i < count; ++i) to[i] = static_cast<To>(from[i]);
}

template <class To>
void convert_any(const void* from, DType type, int64_t offset, To* to, int64_t count) {
    switch (type) {
        case DType::float32:
            return convert(static_cast<const float*>(from) + offset, to, count);
        case DType::uint8:
            return convert(static_cast<const uint8_t*>(from) + offset, to, count);
        case DType::int32:
            return convert(static_cast<const int32_t*>(from) + offset, to, count);
        case DType::int64:
            return convert(static_cast<const int64_t*>(from) + offset, to, count);
        case DType::float64:
            return convert(static_cast<const double*>(from) + offset, to, count);
        case DType::bfloat16:
            for (int64_t i = 0; i < count; ++i)
                to[i] = static_cast<To>(bfloat16_to_float(static_cast<const uint16_t*>(from)[offset + i]));
            return;
    }
}

}  // namespace

void PlanBuilder::emit_inputs() {
    for (size_t i = 0; i < sources().size(); ++i) {
        const int index = network_.node_values[static_cast<size_t>(sources()[i])];
        if (index < 0) continue;
        PlanValue& v = value(index);
        v.tensor = create(batched(v.shape), v.halo, DType::float32);
        emit_gather("gather inputs", &PlanData::inputs, i, v.tensor);
    }
}

void PlanBuilder::emit_gather(const char* what, std::vector<PlanData::Source> PlanData::*sources, size_t index,
                              TensorId to) {
    const View v = view(to);
    const DType type = tensors_[to.index].type;
    const int64_t row = v.w * v.c, sample = v.h * row;
    const PlanData* data = &plan_->data;
    const auto gather_floats = cpu().table().gather;
    Step gather;
    gather.what = what;
    gather.writes = {to};
    gather.units = v.n * v.h;
    gather.bytes = 2.0 * static_cast<double>(v.n * sample) * sizeof(float);
    gather.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        const PlanData::Source& source = (data->*sources)[index];
        if (type == DType::float32 && source.data && (source.type == DType::float32 || source.type == DType::uint8)) {
            const bool bytes = source.type == DType::uint8;
            const size_t skipped = data->rows ? 0 : static_cast<size_t>(data->first * sample) * byte_size(source.type);
            gather_floats({bytes ? kernels::SourceKind::uint8 : kernels::SourceKind::float32,
                           static_cast<const std::byte*>(source.data) + skipped, data->rows, v, f.get(to), 1.0f, 0.0f},
                          begin, end);
            return;
        }
        for (int64_t r = begin; r < end; ++r) {
            const int64_t from = data->row(r / v.h) * sample + r % v.h * row, at = r / v.h * v.image + r % v.h * v.row;
            if (!source.data)  // weights that nobody gave
                std::fill_n(f.get(to) + at, row, 1.0f);
            else if (type == DType::int64)
                convert_any(source.data, source.type, from, f.get<int64_t>(to) + at, row);
            else
                convert_any(source.data, source.type, from, f.get(to) + at, row);
        }
    };
    step(std::move(gather));
}

void PlanBuilder::emit_outputs() {
    for (size_t o = 0; o < request_.outputs.size(); ++o) {
        const TensorId from = value(network_.node_values[request_.outputs[o]]).tensor;
        const View v = view(from);
        const PlanData* data = &plan_->data;
        Step write;
        write.what = "write outputs";
        write.reads = {from};
        write.units = v.n;
        write.bytes = 2.0 * static_cast<double>(v.n * v.h * v.w * v.c) * sizeof(float);
        write.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
            float* const out = data->outputs[o];
            if (!out) return;
            // Pixels follow one another unless the map is a part of a wider one.
            const int64_t run = v.pixel == v.c ? v.w * v.c : v.c, runs = v.w * v.c / run;
            for (int64_t n = begin; n < end; ++n)
                for (int64_t i = 0; i < v.h * runs; ++i)
                    std::memcpy(out + (n * v.h * runs + i) * run,
                                f.get(from) + n * v.image + i / runs * v.row + i % runs * v.pixel, run * sizeof(float));
        };
        for_output_ = true;
        step(std::move(write));
        for_output_ = false;
    }
}

TensorId PlanBuilder::contiguous_copy(TensorId source) {
    if (contiguous(source)) return source;
    const TensorId copy = create(shape(source), {}, DType::float32);
    emit_copy("copy", source, copy);
    return copy;
}

void PlanBuilder::emit_copy(const char* what, TensorId from, TensorId to) {
    step(copy_step(*this, what, from, view(from), 0, to, view(to), 0));
}

// Puts a map where the output of the layer that is being planned is added to it: nothing to do where that took over its
// memory.
void PlanBuilder::emit_addend(TensorId from) {
    const TensorId to = output();
    step(with_rows(in_place(copy_step(*this, "copy", from, view(from), 0, to, view(to), 0), from, to), kSameRows));
}

void PlanBuilder::emit_accumulate(const char* what, TensorId from, TensorId to) {
    const kernels::AccumulateArgs args{view(from), view(to), nullptr, nullptr, 1.0f};
    step(kernel_step(*this, kernels::K::accumulate, what, args, {reads(args.x, from), updates(args.y, to)}));
}

}  // namespace striate
