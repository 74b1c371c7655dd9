#pragma once

#include "kernels/args_random.hpp"

namespace striate::kernels {

// What is outside an image of the columns a b c d: its mirror image (c b a | a b c d | d c b), its copies, one value,
// or its nearest pixel.
enum class Border : int32_t { reflect, wrap, constant, nearest };

// Where the pixels of an image come from. Output pixel (x, y) shows the place at column along_x[x] + down_x[y] and row
// along_y[x] + down_y[y] of the source, both moved by bend_x and bend_y where those are given: a displacement at (x, y)
// is the sum over k < 4 of shares[4 y + k] * bend[(knots[y] + k) w + x].
struct PixelMap {
    int64_t h, w;
    Border border;
    const float *along_x, *along_y;  // w each
    const float *down_x, *down_y;    // h each
    const float *bend_x, *bend_y;    // null: none
    const int32_t* knots;            // h
    const float* shares;             // h times 4
};

// Bilinear. The source has one column and one row more than the image, which hold the value of Border::constant.
// Unit = row of the output.
struct WarpArgs {
    PixelMap map;
    int64_t c;
    const float* source;  // (h + 1, w + 1, c)
    float* out;           // (h, w, c)
};

// The gradient of the source: what WarpArgs reads with a share is added to with that share. Unit = the image, since
// rows of the output share pixels of the source.
struct WarpGradArgs {
    PixelMap map;
    int64_t c;
    const float* dy;  // (h, w, c)
    float* source;    // (h + 1, w + 1, c), zeros at first
};

// The nearest pixel of the source, as row * w + column, or -1 outside with Border::constant. Unit = row of the output.
struct NearestArgs {
    PixelMap map;
    int32_t* out;  // (h, w)
};

// out[i] = x[i] * scale[i % c] + shift[i % c] + noise * normal[i], cut to low .. high if `limited`, rounded to the
// nearest integer for bytes. Normal numbers by Box and Muller (1958) from the random words of each 64 elements: element
// e < 32 and element e + 32 share the words e and e + 32. Unit = kShadeGroup elements.
constexpr int64_t kShadeGroup = 64;
struct ShadeArgs {
    int64_t size, c;
    const float* x;
    const float *scale, *shift;  // repeated to c + kShadeGroup
    float noise;                 // 0: none is drawn
    RandomSource source;
    bool limited;
    float low, high;
    float* floats;   // one of the two is null
    uint8_t* bytes;  // values must end up in 0 .. 255
};

}  // namespace striate::kernels
