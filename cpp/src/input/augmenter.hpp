// What an Augmenter keeps: its change, the size of the images, and memory to work in.
#pragma once

#include "input/elastic.hpp"
#include "kernels/args.hpp"
#include "striate/augmentation.hpp"

namespace striate {

struct Augmenter::Impl {
    Impl(const Augmentation& a, const Shape& shape, DType t);
    size_t room_bytes() const;
    void use(std::byte* room);

    // Whether a map moves whole pixels and nothing else.
    bool whole(const Drawn& drawn) const;
    // The coordinates of a map, in this object's memory.
    kernels::PixelMap coordinates(const Drawn& drawn);
    // The sources of all columns and rows under a map of whole pixels; -1: outside.
    void sources(const Drawn& drawn);
    // An image under any map.
    void sample(const void* from, const Drawn& drawn, float* to);
    // The source of every pixel, in `chosen`, of the nearest one.
    void choose(const Drawn& drawn);
    // A map of whole pixels. `fill` is a pixel, or null for zeros.
    void move(const void* from, size_t pixel_bytes, const void* fill, const Drawn& drawn, void* to);
    void shade(const float* values, const Drawn& drawn, void* to, bool limited);
    // The gradient with respect to `values` of what shade() makes of them; `gradient` may be `out`.
    void shade_gradient(const float* values, const Drawn& drawn, const float* gradient, float* out);

    Augmentation change;
    int64_t height, width, channels;
    DType type;
    double low, high;             // range of the values
    bool shades, cuts;            // whether values change beside moving; whether they are cut to the range
    int64_t side = 0;             // control points of `elastic` each way
    std::vector<std::byte> fill;  // a pixel

    AlignedBuffer own;          // the memory of the following, unless use() gave another
    float* padded = nullptr;    // (height + 1, width + 1, channels): a source image with the fill behind its edges
    float* work = nullptr;      // (height, width, channels)
    int32_t* chosen = nullptr;  // (height, width): sources of pixels
    std::vector<float> along_x, along_y, down_x, down_y, scale, shift;
    std::vector<int32_t> from_x, from_y;
    std::vector<double> means;
    std::optional<Spline> across, down;
    std::vector<float> bend_x, bend_y;
};

}  // namespace striate
