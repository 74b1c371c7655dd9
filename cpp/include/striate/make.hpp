// Layers, losses, optimizers and learning-rate schedules from their arguments.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// make<Conv2D>({32, 3, 1, "same"}), make<Adam>({1e-3}), make<ReLU>(): the arguments are those of T::Options, in order;
// what is left out keeps its default.
template <class T>
std::shared_ptr<const T> make(typename T::Options options = {}) {
    if constexpr (std::is_constructible_v<T, typename T::Options, std::string>) {
        return std::make_shared<const T>(std::move(options), std::string());
    } else {
        return std::make_shared<const T>(std::move(options));
    }
}

// A layer with a name: make<Dense>({10}, "logits").
template <class T>
std::shared_ptr<const T> make(typename T::Options options, std::string name) {
    return std::make_shared<const T>(std::move(options), std::move(name));
}

}  // namespace striate STRIATE_API
