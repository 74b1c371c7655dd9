// Random changes to training images that leave their labels true. What an image undergoes depends on the seed, the
// epoch and the image's index, on nothing else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "striate/runtime.hpp"
#include "striate/tensor.hpp"

namespace striate STRIATE_API {

// The pixels outside an image of the columns a b c d: its mirror image (c b a | a b c d | d c b), its copies,
// `fill_value`, or its nearest pixel. `automatic` is `reflect`, and `constant` where boxes move with the images: a
// mirrored object at the border has no box.
enum class FillMode { reflect, wrap, constant, nearest, automatic };

// "reflect", "wrap", "constant", "nearest" or "auto". Throws ValueError for any other name.
FillMode fill_mode(const std::string& name);

struct Augmentation {
    double flip_horizontal = 0.0, flip_vertical = 0.0;  // probabilities
    double rotation = 0.0;                              // largest angle in degrees, either way
    double shift_height = 0.0, shift_width = 0.0;       // largest shifts as fractions of the size, either way
    double zoom_smallest = 1.0, zoom_largest = 1.0;     // scales; above 1 enlarges
    int64_t crop = 0;         // pixels by which images are extended before they are cut back at a random place, <= 2^20
    double brightness = 0.0;  // largest change as a fraction of the range of values
    double contrast = 0.0;    // factors from 1 - contrast to 1 + contrast, about each channel's mean
    double noise = 0.0;       // standard deviation as a fraction of the range of values
    double elastic = 0.0;     // largest displacement of the points of a coarse grid, as a fraction of the size
    int64_t elastic_grid = 3;  // cells of that grid each way, 1 .. 1024
    FillMode fill = FillMode::automatic;
    double fill_value = 0.0;  // in units of the pixels
    // Of the values; brightness, contrast and noise are cut to it. None: 0 .. 255 for uint8; for float32 a range of 1
    // is assumed and nothing is cut.
    std::optional<std::array<double, 2>> value_range;
    uint64_t seed = 0;
};

// Throws ValueError where a number is out of its range.
void check(const Augmentation& change);

// The same change for images with boxes: `automatic` becomes `constant`. Throws ValueError for `reflect` and `wrap`
// where the change moves pixels in from outside, and for an elastic deformation.
Augmentation for_boxes(const Augmentation& change);

// What one image undergoes.
struct Drawn {
    // From the centre of an output pixel to its place in the source: column = m[0] x + m[1] y + m[2],
    // row = m[3] x + m[4] y + m[5].
    std::array<double, 6> matrix{};
    float brightness = 0.0f;  // added
    float contrast = 1.0f;    // factor
    // Displacements of columns, then of rows, at (grid + 3) x (grid + 3) control points; empty without `elastic`.
    std::vector<double> points;
    std::array<uint64_t, 4> noise{};  // random bits from which the noise is drawn
};

// How an image is moved: mirrored, then turned counterclockwise and enlarged about its centre, then shifted to the
// right and down.
struct Motion {
    bool mirror_x = false, mirror_y = false;  // left and right, top and bottom
    double angle = 0.0;                       // radians
    double zoom_x = 1.0, zoom_y = 1.0;
    double shift_x = 0.0, shift_y = 0.0;  // pixels
    double cut_x = 0.0, cut_y = 0.0;      // whole pixels, shifted beside
};

// The map of Drawn::matrix for images of this size.
std::array<double, 6> matrix_of(const Motion& motion, int64_t height, int64_t width);

// Draws changes and applies them to images of one shape and type. It has memory to work in, so each thread needs one of
// its own.
class Augmenter {
  public:
    // `shape` is (height, width, channels). Throws ValueError for a shape or a fill value that does not fit, TypeError
    // for images that are neither uint8 nor float32.
    Augmenter(const Augmentation& change, const Shape& shape, DType type) : Augmenter(change, shape, type, true) {
        use_training_kernels();
    }
    // Without memory for images: use() gives it `room_bytes()` of it, aligned for floats, whose contents may change
    // from call to call. The caller sees to use_training_kernels().
    static Augmenter without_room(const Augmentation& change, const Shape& shape, DType type) {
        return {change, shape, type, false};
    }
    ~Augmenter();
    Augmenter(Augmenter&&) noexcept;

    // Numbers by Philox4x64-10 (Salmon et al., SC 2011). Each kind of change draws from a place of its own, so that
    // turning one on leaves the others as they were. Allocates only for the first of `drawn`'s points.
    void draw(uint64_t index, uint64_t epoch, Drawn& drawn) const;

    // What an elastic deformation adds to the source columns (height, width), and then to the rows.
    void displacements(const Drawn& drawn, float* out) const;

    // `from` and `to` are images of the shape and the type. All that moves pixels is one map, sampled once, bilinearly;
    // a map of whole pixels is exact.
    void image(const void* from, const Drawn& drawn, void* to);
    // Masks of the images' height and width: every pixel takes the value of the nearest one. `fill` is a pixel for what
    // comes in from outside with FillMode::constant; null: zeros.
    void mask(const void* from, size_t pixel_bytes, const void* fill, const Drawn& drawn, void* to);

    // The gradient with respect to `from` of what image() writes, or of what mask() writes if `nearest`; without noise.
    // For float32 images.
    void image_gradient(const float* from, const Drawn& drawn, bool nearest, const float* gradient, float* out);

    size_t room_bytes() const;
    void use(std::byte* room);

  private:
    Augmenter(const Augmentation& change, const Shape& shape, DType type, bool has_room);

    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// Moves a box (x1, y1, x2, y2) in pixels as a map moves the pixels: it becomes the smallest upright one around its
// moved corners, cut at the edges of the image. False where less than `least_visible` of that box's area is left, or
// nothing.
bool move_box(const std::array<double, 6>& matrix, int64_t height, int64_t width, double least_visible,
              std::array<double, 4>& box);

}  // namespace striate STRIATE_API
