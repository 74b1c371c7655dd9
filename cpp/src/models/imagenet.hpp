// What the networks for ImageNet share: layers with the names of torchvision's modules, padded as PyTorch pads.
#pragma once

#include <string>

#include "models/blocks.hpp"

namespace striate::models::imagenet {

// A network while it is built: where it begins, and how it normalises.
struct Builder {
    const char* caller;
    const ImageNetOptions& options;
    double epsilon = 1e-5, momentum = 0.9;
    Symbol start = {};

    // The input, checked and normalised.
    Symbol begin();
    Symbol conv(const Symbol& x, const std::string& name, int64_t filters, int64_t size, int64_t strides = 1,
                bool bias = false) const;
    Symbol depthwise(const Symbol& x, const std::string& name, int64_t size, int64_t strides = 1,
                     bool bias = false) const;
    Symbol normal(const Symbol& x, const std::string& name) const;
    Symbol activation(const Symbol& x, const std::string& kind, const std::string& name) const;
    // `name`.0, .1 and .2: convolution, batch normalisation, activation (none for an empty `kind`).
    Symbol conv_block(const Symbol& x, const std::string& name, int64_t filters, int64_t size, int64_t strides,
                      const std::string& kind) const;
    Symbol depthwise_block(const Symbol& x, const std::string& name, int64_t size, int64_t strides,
                           const std::string& kind) const;
    // x times a factor for each channel, computed from its means (J. Hu et al., "Squeeze-and-Excitation Networks").
    Symbol excitation(const Symbol& x, const std::string& name, int64_t squeezed, const std::string& kind,
                      const std::string& gate) const;
    Symbol add(const Symbol& x, const Symbol& y, const std::string& name) const;
    Symbol average(const Symbol& x) const;
    Symbol dropped(const Symbol& x, double published) const;
    // The model, with a last layer of this name.
    Model finish(const Symbol& x, const std::string& name) const;
};

inline int64_t channels(const Symbol& x) {
    return x->shape.back();
}

}  // namespace striate::models::imagenet
