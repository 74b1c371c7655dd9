// Steps that move data: from the caller's arrays into the plan, from the plan to the caller, and between tensors.
#include <cstring>

#include "graph/plan_builder.hpp"
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
        case DType::float32: return convert(static_cast<const float*>(from) + offset, to, count);
        case DType::uint8: return convert(static_cast<const uint8_t*>(from) + offset, to, count);
        case DType::int32: return convert(static_cast<const int32_t*>(from) + offset, to, count);
        case DType::int64: return convert(static_cast<const int64_t*>(from) + offset, to, count);
    }
}

}  // namespace

void PlanBuilder::emit_inputs() {
    for (size_t i = 0; i < graph_.inputs.size(); ++i) {
        const int index = network_.node_values[graph_.inputs[i]];
        if (index < 0) continue;
        PlanValue& v = value(index);
        v.tensor = create(batched(v.shape), v.halo, DType::float32);
        emit_gather("gather inputs", &PlanData::inputs, i, v.tensor);
    }
}

void PlanBuilder::emit_gather(const char* what, std::vector<PlanData::Source> PlanData::*sources, size_t index, TensorId to) {
    const View v = view(to);
    const DType type = tensors_[to.index].type;
    const int64_t row = v.w * v.c, sample = v.h * row;
    const PlanData* data = &plan_->data;
    Step gather;
    gather.what = what;
    gather.writes = {to};
    gather.units = v.n;
    gather.bytes = 2.0 * static_cast<double>(v.n * sample) * sizeof(float);
    gather.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        const PlanData::Source& source = (data->*sources)[index];
        for (int64_t n = begin; n < end; ++n) {
            const int64_t from = data->row(n) * sample;
            for (int64_t y = 0; y < v.h; ++y) {
                if (type == DType::int64)
                    convert_any(source.data, source.type, from + y * row, f.get<int64_t>(to) + n * v.image + y * v.row, row);
                else if (!source.data)  // weights that nobody gave
                    for (int64_t i = 0; i < row; ++i) f.get(to)[n * v.image + y * v.row + i] = 1.0f;
                else
                    convert_any(source.data, source.type, from + y * row, f.get(to) + n * v.image + y * v.row, row);
            }
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
            const int64_t row = v.w * v.c;
            for (int64_t n = begin; n < end; ++n)
                for (int64_t y = 0; y < v.h; ++y)
                    std::memcpy(out + (n * v.h + y) * row, f.get(from) + n * v.image + y * v.row, row * sizeof(float));
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
    const View a = view(from), b = view(to);
    Step copy;
    copy.what = what;
    copy.reads = {from};
    copy.writes = {to};
    copy.units = a.n * a.h;
    copy.bytes = 2.0 * static_cast<double>(a.n * a.h * a.w * a.c) * sizeof(float);
    copy.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        for (int64_t r = begin; r < end; ++r) {
            const int64_t n = r / a.h, y = r % a.h;
            std::memcpy(f.get(to) + n * b.image + y * b.row, f.get(from) + n * a.image + y * a.row, a.w * a.c * sizeof(float));
        }
    };
    step(std::move(copy));
}

void PlanBuilder::emit_accumulate(const char* what, TensorId from, TensorId to) {
    const View a = view(from), b = view(to);
    Step add;
    add.what = what;
    add.reads = {from, to};
    add.writes = {to};
    add.units = a.n * a.h;
    add.bytes = 3.0 * static_cast<double>(a.n * a.h * a.w * a.c) * sizeof(float);
    add.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        for (int64_t r = begin; r < end; ++r) {
            const int64_t n = r / a.h, y = r % a.h;
            const float* x = f.get(from) + n * a.image + y * a.row;
            float* sum = f.get(to) + n * b.image + y * b.row;
            for (int64_t i = 0; i < a.w * a.c; ++i) sum[i] += x[i];
        }
    };
    step(std::move(add));
}

}  // namespace striate
