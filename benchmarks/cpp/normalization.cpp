#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr Size kMaps[] = {{32, 32, 32, 64}, {16, 128, 128, 16}, {32, 8, 8, 256}};
constexpr int64_t kChannels[] = {64, 512};
constexpr int64_t kPieces = 64, kImages = 32, kGroups = 8;
constexpr float kEpsilon = 1e-3f;

// How the work is cut: over the batch (batch normalisation), or within every image (group normalisation).
struct Cut {
    int64_t groups, pieces;
    Cut(const Size& size, bool by_image)
        : groups(by_image ? size.n : 1), pieces(sum_pieces(size.n * size.h / groups, size.elements() / groups)) {}
    int64_t partials(const Size& size) const { return groups * pieces * 2 * size.c; }
};

struct Normalised {
    int axes;
    Size size;
    std::string text() const { return "last " + std::to_string(axes) + " of " + size.text(); }
    int64_t values() const { return size.c * (axes > 1 ? size.w : 1) * (axes > 2 ? size.h : 1); }
    int64_t rows() const { return size.elements() / values(); }
};
constexpr Normalised kNormalised[] = {{1, {16, 16, 16, 256}}, {1, {32, 32, 32, 64}}, {3, {32, 16, 16, 64}}};

std::string channels_text(int64_t pieces, int64_t channels) {
    return std::to_string(pieces) + " pieces of " + std::to_string(channels) + " channels";
}
std::string images_text(int64_t pieces, int64_t channels) {
    return std::to_string(kImages) + " images of " + channels_text(pieces, channels);
}

}  // namespace

Cases cases_moments(Kernel<MomentsArgs> kernel) {
    Cases cases;
    for (const Size& size : kMaps)
        for (const bool by_image : {false, true}) {
            const Cut cut(size, by_image);
            cases.push_back(
                {size.text() + (by_image ? " by image" : ""), 0, kFloat * size.elements(), [=](Memory& memory) -> Work {
                     const Map x = memory.map(size);
                     return {
                         call(kernel, {x.view, x.data, memory.doubles(cut.partials(size)), cut.groups, cut.pieces})};
                 }});
        }
    return cases;
}

Cases cases_moments_backward(Kernel<MomentsGradArgs> kernel) {
    Cases cases;
    for (const Size& size : kMaps)
        for (const bool relu : {false, true}) {
            const Cut cut(size, false);
            cases.push_back(
                {size.text() + (relu ? " relu" : ""), 0, 2 * kFloat * size.elements(), [=](Memory& memory) -> Work {
                     const Map x = memory.map(size), dy = memory.map(size);
                     return {call(kernel, {x.view, dy.view, x.data, dy.data, memory.floats(size.c),
                                           memory.floats(size.c, 0.5f, 2), memory.floats(size.c), 0,
                                           memory.doubles(cut.partials(size)), cut.groups, cut.pieces,
                                           relu ? ActivationKind::relu : ActivationKind::linear})};
                 }});
        }
    return cases;
}

Cases cases_batch_norm_merge(Kernel<BatchNormMergeArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels)
        cases.push_back(
            {channels_text(kPieces, c), 0, kDouble * (2 * kPieces * c) + kFloat * (8 * c), [=](Memory& memory) -> Work {
                 return {call(kernel, {c, 1024, 32, kPieces, memory.doubles(2 * kPieces * c, 0, 1), nullptr, kEpsilon,
                                       0.99f, memory.floats(c), memory.floats(c), memory.floats(c), memory.floats(c),
                                       memory.floats(c), memory.floats(c), false})};
             }});
    return cases;
}

Cases cases_batch_norm_fixed(Kernel<BatchNormFixedArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels)
        cases.push_back({std::to_string(c) + " channels", 0, kFloat * (4 * c), [=](Memory& memory) -> Work {
                             return {call(kernel, {c, kEpsilon, memory.floats(c), memory.floats(c, 0.5f, 2),
                                                   memory.floats(c), memory.floats(c)})};
                         }});
    return cases;
}

Cases cases_batch_norm_backward_merge(Kernel<BatchNormGradMergeArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels)
        cases.push_back(
            {channels_text(kPieces, c), 0, kDouble * (2 * kPieces * c) + kFloat * (6 * c), [=](Memory& memory) -> Work {
                 return {call(kernel,
                              {c, kPieces, 32768, memory.doubles(2 * kPieces * c), memory.floats(c), memory.floats(c),
                               memory.floats(c), memory.floats(c), memory.floats(c), memory.floats(c)})};
             }});
    return cases;
}

Cases cases_affine_pool(Kernel<AffinePoolArgs> kernel) {
    Cases cases;
    for (const Size& size : kMaps)
        for (const bool training : {false, true}) {
            const Size half = {size.n, size.h / 2, size.w / 2, size.c};
            const double bytes = kFloat * size.elements() + (training ? 2 * kFloat + 1 : kFloat) * half.elements();
            cases.push_back({size.text() + (training ? " training" : ""), 0, bytes, [=](Memory& memory) -> Work {
                                 const Map x = memory.map(size), y = memory.map(half);
                                 return {call(kernel, {x.view, y.view, x.data, y.data, memory.floats(size.c),
                                                       memory.floats(size.c, 0.5f, 2), memory.floats(size.c),
                                                       training ? memory.bytes(half.elements()) : nullptr,
                                                       training ? memory.floats(half.elements()) : nullptr, true})};
                             }});
        }
    return cases;
}

Cases cases_affine_pool_backward(Kernel<AffinePoolGradArgs> kernel) {
    Cases cases;
    for (const Size& size : kMaps) {
        const Size half = {size.n, size.h / 2, size.w / 2, size.c};
        cases.push_back(
            {size.text(), 0, 2 * kFloat * size.elements() + (kFloat + 1) * half.elements(),
             [=](Memory& memory) -> Work {
                 const Map x = memory.map(size), dy = memory.map(half), dx = memory.map(size);
                 return {call(kernel, {x.view, dy.view, dx.view, x.data, dy.data, dx.data,
                                       memory.bytes(half.elements(), kNoPlace + 1), memory.floats(size.c),
                                       memory.floats(size.c, 0.5f, 2), memory.floats(size.c), memory.floats(size.c)})};
             }});
    }
    return cases;
}

Cases cases_group_norm_merge(Kernel<GroupNormMergeArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels) {
        const int64_t pieces = 4, count = 2 * kImages * pieces * c;
        cases.push_back(
            {images_text(pieces, c), 0, kDouble * count + kFloat * (3 * kImages * c + c), [=](Memory& memory) -> Work {
                 return {call(kernel, {kImages, c, kGroups, 32, 32, pieces, memory.doubles(count, 0, 1), kEpsilon,
                                       memory.floats(c), memory.floats(kImages * c), memory.floats(kImages * c),
                                       memory.floats(kImages * c)})};
             }});
    }
    return cases;
}

Cases cases_group_norm_backward_merge(Kernel<GroupNormGradMergeArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels) {
        const int64_t pieces = 4, count = 2 * kImages * pieces * c;
        cases.push_back(
            {images_text(pieces, c), 0, kDouble * count + kFloat * (3 * kImages * c + c), [=](Memory& memory) -> Work {
                 return {call(kernel, {kImages, c, kGroups, pieces, 1024, memory.doubles(count), memory.floats(c),
                                       memory.floats(kImages * c, 0.5f, 2), memory.floats(kImages * c),
                                       memory.floats(kImages * c)})};
             }});
    }
    return cases;
}

Cases cases_group_norm_parameter_gradients(Kernel<GroupNormParameterGradArgs> kernel) {
    Cases cases;
    for (const int64_t c : kChannels) {
        const int64_t pieces = 4, count = 2 * kImages * pieces * c;
        cases.push_back(
            {images_text(pieces, c), 0, kDouble * count + kFloat * (kImages * c + 2 * c), [=](Memory& memory) -> Work {
                 return {call(kernel, {kImages, c, pieces, memory.doubles(count), memory.floats(kImages * c, 0.5f, 2),
                                       memory.floats(c), memory.floats(c)})};
             }});
    }
    return cases;
}

Cases cases_layer_norm(Kernel<LayerNormArgs> kernel) {
    Cases cases;
    for (const Normalised& n : kNormalised)
        cases.push_back({n.text(), 0, kFloat * (2 * n.size.elements() + 2 * n.values() + 2 * n.rows()),
                         [=](Memory& memory) -> Work {
                             const Map x = memory.map(n.size), y = memory.map(n.size);
                             return {call(kernel, {n.axes, x.view, y.view, x.data, memory.floats(n.values()),
                                                   memory.floats(n.values()), y.data, memory.floats(n.rows()),
                                                   memory.floats(n.rows()), kEpsilon})};
                         }});
    return cases;
}

Cases cases_layer_norm_backward(Kernel<LayerNormGradArgs> kernel) {
    Cases cases;
    for (const Normalised& n : kNormalised) {
        const int64_t pieces = sum_pieces(n.rows(), n.size.elements()), partials = 2 * pieces * n.values();
        cases.push_back({n.text(), 0, kFloat * (3 * n.size.elements() + n.values() + 2 * n.rows()) + kDouble * partials,
                         [=](Memory& memory) -> Work {
                             const Map x = memory.map(n.size), dy = memory.map(n.size), dx = memory.map(n.size);
                             return {call(kernel, {n.axes, x.view, dy.view, dx.view, x.data, memory.floats(n.values()),
                                                   dy.data, memory.floats(n.rows()), memory.floats(n.rows(), 0.5f, 2),
                                                   dx.data, memory.doubles(partials), pieces})};
                         }});
    }
    return cases;
}

}  // namespace bench
