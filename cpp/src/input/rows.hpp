// Makes rows of a batch from rows of a data set.
#pragma once

#include <vector>

#include "striate/feed.hpp"

namespace striate {

// An array of a data set and the memory of two batches that its rows go to.
struct Column {
    Array source;
    std::byte* to = nullptr;
    Follows follows = Follows::nothing;
    size_t row_bytes = 0, pixel_bytes = 0;  // the second for Follows::pixels
};

// Throws ValueError or TypeError where `array` cannot follow images of this shape. `what` names the array.
void check_follows(const Array& array, Follows follows, const Shape& image, const char* what);

// The rows of one thread; what it works in is its own.
class RowMaker {
  public:
    RowMaker(const Augmentation& change, const Shape& image, DType type, double least_visible)
        : augmenter_(change, image, type), height_(image[0]), width_(image[1]), least_visible_(least_visible) {
        augmenter_.draw(0, 0, drawn_);  // memory for the points
    }

    // Row `to` of all columns, from row `from` of the data. The first column is the images.
    void make(const std::vector<Column>& columns, int64_t from, int64_t to, uint64_t epoch);

  private:
    void move_boxes(const Column& column, const float* from, float* to) const;

    Augmenter augmenter_;
    Drawn drawn_;
    int64_t height_, width_;
    double least_visible_;
};

}  // namespace striate
