#include "striate/layer.hpp"

#include <cctype>
#include <cmath>

namespace striate {
namespace {

// The side of a square of `area`, at least 2, or 0 when it is no such square.
int64_t square_side(int64_t area) {
    const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(area))));
    return side > 1 && side < (int64_t{1} << 31) && side * side == area ? side : 0;
}

// The layer that turns `shape` into one of the wanted rank, where there is an obvious one: "; add Flatten() before it".
std::string how_to_fix(const Shape& shape, size_t rank) {
    if (rank == 1) return "; add Flatten() before it";
    if (rank != 3) return {};
    if (shape.size() == 2) return concat("; add Reshape((", shape[0], ", ", shape[1], ", 1)) before it");
    if (shape.size() != 1) return {};
    for (int64_t channels : {1, 3})
        if (const int64_t side = shape[0] % channels == 0 ? square_side(shape[0] / channels) : 0)
            return concat("; add Reshape((", side, ", ", side, ", ", channels, ")) before it");
    return {};
}

}  // namespace

std::string Layer::label() const {
    return name_.empty() ? snake_case(type()) : name_;
}

std::vector<Parameter> Layer::parameters(const std::vector<Shape>&) const {
    return {};
}
Halo Layer::input_halo(const std::vector<Shape>&) const {
    return {};
}
Halo Layer::gradient_halo(const std::vector<Shape>&) const {
    return {};
}
int64_t Layer::multiply_adds(const std::vector<Shape>&) const {
    return 0;
}

const Shape& Layer::single(const std::vector<Shape>& inputs) const {
    require(inputs.size() == 1, "[", label(), "] expects one input, got ", inputs.size());
    return inputs[0];
}

const Shape& Layer::single(const std::vector<Shape>& inputs, size_t rank, const char* form) const {
    const Shape& shape = single(inputs);
    require(shape.size() == rank, "[", label(), "] expects ", rank + 1, "-D input ", form, ", got ", with_batch(shape),
            shape.size() == rank ? std::string() : how_to_fix(shape, rank));
    return shape;
}

// Keras's rule: an underscore before a capital that begins a word of lower-case letters or follows one.
std::string snake_case(const std::string& type) {
    const auto upper = [&](size_t i) { return i < type.size() && std::isupper(static_cast<unsigned char>(type[i])); };
    const auto lower = [&](size_t i) { return i < type.size() && std::islower(static_cast<unsigned char>(type[i])); };
    std::string name;
    for (size_t i = 0; i < type.size(); ++i) {
        if (i > 0 && upper(i) && (lower(i + 1) || lower(i - 1))) name += '_';
        name += static_cast<char>(std::tolower(static_cast<unsigned char>(type[i])));
    }
    return name;
}

}  // namespace striate
