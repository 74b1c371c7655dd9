#include "input/rows.hpp"

#include <algorithm>
#include <cstring>

#include "striate/error.hpp"

namespace striate {

void check_follows(const Array& array, Follows follows, const Shape& image, const char* what) {
    const Shape& shape = array.shape;
    if (follows == Follows::pixels) {
        require((shape.size() == 3 || shape.size() == 4) && shape[1] == image[0] && shape[2] == image[1], what,
                " that move with the pixels must have shape (N, ", image[0], ", ", image[1], ") or (N, ", image[0],
                ", ", image[1], ", C), got ", to_string(shape));
    } else if (follows == Follows::boxes) {
        if (array.type != DType::float32)
            throw TypeError(concat(what, ": boxes must be float32, got ", name_of(array.type)));
        require(shape.size() == 3 && shape[2] >= 5, what,
                ": boxes must have shape (N, M, K), K >= 5: x1, y1, x2, y2, class, ..., got ", to_string(shape));
    }
}

void RowMaker::make(const std::vector<Column>& columns, int64_t from, int64_t to, uint64_t epoch) {
    augmenter_.draw(static_cast<uint64_t>(from), epoch, drawn_);
    for (size_t i = 0; i < columns.size(); ++i) {
        const Column& column = columns[i];
        const std::byte* source =
            static_cast<const std::byte*>(column.source.data) + static_cast<size_t>(from) * column.row_bytes;
        std::byte* target = column.to + static_cast<size_t>(to) * column.row_bytes;
        if (i == 0)
            augmenter_.image(source, drawn_, target);
        else if (column.follows == Follows::pixels)
            augmenter_.mask(source, column.pixel_bytes, nullptr, drawn_, target);
        else if (column.follows == Follows::boxes)
            move_boxes(column, reinterpret_cast<const float*>(source), reinterpret_cast<float*>(target));
        else
            std::memcpy(target, source, column.row_bytes);
    }
}

void RowMaker::move_boxes(const Column& column, const float* from, float* to) const {
    const int64_t count = column.source.shape[1], values = column.source.shape[2];
    float* free = to;
    for (int64_t i = 0; i < count; ++i, from += values) {
        if (!(from[4] >= 0.0f || from[4] <= -2.0f)) continue;
        std::array<double, 4> box = {from[0], from[1], from[2], from[3]};
        if (!move_box(drawn_.matrix, height_, width_, least_visible_, box)) continue;
        for (int k = 0; k < 4; ++k) free[k] = static_cast<float>(box[k]);
        std::copy(from + 4, from + values, free + 4);
        free += values;
    }
    for (; free < to + count * values; free += values) {
        std::fill_n(free, values, 0.0f);
        free[4] = -1.0f;
    }
}

}  // namespace striate
