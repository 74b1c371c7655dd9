#pragma once

#include <string>

#include "striate/export.hpp"

namespace striate STRIATE_API {

// How layers that move images find pixels between the pixels of an image and outside of it.
struct ImageSampling {
    std::string fill_mode = "reflect";       // "reflect", "wrap", "constant" or "nearest": see FillMode
    std::string interpolation = "bilinear";  // or "nearest"
    double fill_value = 0.0;                 // for "constant"

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("fill_mode", self.fill_mode);
        visit("interpolation", self.interpolation);
        visit("fill_value", self.fill_value);
    }
};

}  // namespace striate STRIATE_API
