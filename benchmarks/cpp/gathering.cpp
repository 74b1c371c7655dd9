// Batches from arrays, resizing and dropout.
#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr int64_t kBatches = 4;  // in the array that a batch is taken from

struct Source {
    SourceKind kind;
    const char* name;
    Size batch;
    Halo halo;
    const char* note;
    bool bytes() const { return kind == SourceKind::uint8 || kind == SourceKind::uint8_channels_first; }
};
constexpr Source kSources[] = {
    {SourceKind::uint8, "uint8", {64, 28, 28, 1}, {}, ""},
    {SourceKind::float32, "float32", {64, 32, 32, 3}, {}, ""},
    {SourceKind::uint8, "uint8", {64, 32, 32, 3}, {}, ""},
    {SourceKind::uint8, "uint8", {64, 32, 32, 3}, {1, 1, 1, 1}, " into a halo"},
    {SourceKind::uint8, "uint8", {16, 224, 224, 3}, {}, ""},
    {SourceKind::float32_channels_first, "float32 channels first", {64, 32, 32, 3}, {}, ""},
    {SourceKind::uint8_channels_first, "uint8 channels first", {16, 224, 224, 3}, {}, ""},
};

struct Zoom {
    const char* name;
    bool bilinear;
    Size small, large;
};
constexpr Zoom kZooms[] = {
    {"nearest", false, {8, 32, 32, 64}, {8, 64, 64, 64}},
    {"bilinear", true, {8, 32, 32, 64}, {8, 64, 64, 64}},
    {"bilinear", true, {16, 28, 28, 1}, {16, 56, 56, 1}},
};

constexpr Size kDropped[] = {{32, 16, 16, 64}, {64, 1, 1, 512}};
constexpr RandomSource kRandom = {1, 2, 3};
constexpr double kRate = 0.5;

}  // namespace

Cases cases_gather(Kernel<GatherArgs> kernel) {
    Cases cases;
    for (const Source& s : kSources) {
        const double element = s.bytes() ? 1 : kFloat;
        cases.push_back({std::string(s.name) + " " + s.batch.text() + s.note, 0,
                         (element + kFloat) * s.batch.elements(), [=](Memory& memory) -> Work {
                             const int64_t count = kBatches * s.batch.elements();
                             const void* source = s.bytes() ? static_cast<const void*>(memory.bytes(count))
                                                            : static_cast<const void*>(memory.floats(count));
                             const Map y = memory.map(s.batch, s.halo);
                             return {call(kernel, {s.kind, source, memory.indices(s.batch.n, kBatches * s.batch.n),
                                                   y.view, y.data, 1.0f / 255, 0})};
                         }});
    }
    return cases;
}

Cases cases_gather_bytes(Kernel<GatherBytesArgs> kernel) {
    struct Rows {
        int64_t count, bytes;
        const char* note;
    };
    Cases cases;
    for (const Rows& r : {Rows{64, 8, " (labels)"}, Rows{16, 128 * 128, " (masks)"}, Rows{256, 40, " (one-hot)"}})
        cases.push_back({std::to_string(r.count) + " rows of " + std::to_string(r.bytes) + " bytes" + r.note, 0,
                         2.0 * static_cast<double>(r.count * r.bytes), [=](Memory& memory) -> Work {
                             const int64_t rows = kBatches * r.count;
                             return {call(kernel, {memory.bytes(rows * r.bytes), memory.indices(r.count, rows),
                                                   memory.bytes(r.count * r.bytes), r.count, r.bytes})};
                         }});
    return cases;
}

Cases cases_resize(Kernel<ResizeArgs> kernel) {
    Cases cases;
    for (const Zoom& z : kZooms)
        cases.push_back({std::string(z.name) + " " + z.small.text() + " to " + z.large.text(), 0,
                         kFloat * (z.small.elements() + z.large.elements()), [=](Memory& memory) -> Work {
                             const Map x = memory.map(z.small), y = memory.map(z.large);
                             return {call(kernel, {z.bilinear, x.view, y.view, x.data, y.data})};
                         }});
    return cases;
}

Cases cases_resize_backward(Kernel<ResizeGradArgs> kernel) {
    Cases cases;
    for (const Zoom& z : kZooms)
        cases.push_back({std::string(z.name) + " " + z.large.text() + " to " + z.small.text(), 0,
                         kFloat * (z.small.elements() + z.large.elements()), [=](Memory& memory) -> Work {
                             const Map dy = memory.map(z.large), dx = memory.map(z.small);
                             return {call(kernel, {z.bilinear, dy.view, dx.view, dy.data, dx.data})};
                         }});
    return cases;
}

Cases cases_dropout(Kernel<DropoutArgs> kernel) {
    Cases cases;
    for (const Size& size : kDropped)
        for (const bool kept : {false, true})
            cases.push_back({size.text() + (kept ? " with mask" : ""), 0, (2 * kFloat + kept) * size.elements(),
                             [=](Memory& memory) -> Work {
                                 const Map x = memory.map(size), y = memory.map(size);
                                 return {call(kernel, {kRandom, kRate, x.view, y.view, x.data, y.data,
                                                       kept ? memory.bytes(size.elements()) : nullptr})};
                             }});
    return cases;
}

Cases cases_dropout_backward(Kernel<DropoutGradArgs> kernel) {
    Cases cases;
    for (const Size& size : kDropped)
        for (const bool kept : {false, true})
            cases.push_back({size.text() + (kept ? " with mask" : " drawn again"), 0,
                             (2 * kFloat + kept) * size.elements(), [=](Memory& memory) -> Work {
                                 const Map dy = memory.map(size), dx = memory.map(size);
                                 return {call(kernel, {kRandom, kRate, dy.view, dx.view, dy.data, dx.data,
                                                       kept ? memory.bytes(size.elements(), 2) : nullptr})};
                             }});
    return cases;
}

Cases cases_dropout_factors(Kernel<DropoutFactorsArgs> kernel) {
    constexpr int64_t kSize = 32 * 64;
    return {{"32 images of 64 channels", 0, kFloat * kSize,
             [=](Memory& memory) -> Work { return {call(kernel, {kRandom, kRate, kSize, memory.floats(kSize)})}; }}};
}

}  // namespace bench
