// Weights of a model as vectors.
#pragma once

#include <vector>

#include "striate/model.hpp"

namespace striate::test {

inline std::vector<float> value_of(const Model& model, size_t index) {
    std::vector<float> value(static_cast<size_t>(element_count(model.parameters().at(index).shape)));
    model.read_parameter(index, value.data());
    return value;
}

// Empty where there is none.
inline std::vector<float> gradient_of(const Model& model, size_t index) {
    std::vector<float> gradient(static_cast<size_t>(element_count(model.parameters().at(index).shape)));
    if (!model.read_gradient(index, gradient.data())) gradient.clear();
    return gradient;
}

// One after the other.
inline std::vector<float> values_of(const Model& model) {
    std::vector<float> all;
    for (size_t i = 0; i < model.parameters().size(); ++i) {
        const std::vector<float> value = value_of(model, i);
        all.insert(all.end(), value.begin(), value.end());
    }
    return all;
}

// All elements of one parameter.
inline void fill_parameter(Model& model, size_t index, float value) {
    model.write_parameter(
        index,
        std::vector<float>(static_cast<size_t>(element_count(model.parameters().at(index).shape)), value).data());
}

}  // namespace striate::test
