#include "models/imagenet.hpp"

namespace striate::models::imagenet {
namespace {

constexpr int64_t kMinSide = 32;  // halved five times
// Of ImageNet's pixels in [0, 1]; torchvision's weights are trained with them.
constexpr double kMeans[] = {0.485, 0.456, 0.406}, kDeviations[] = {0.229, 0.224, 0.225};

Padding around(int64_t size) {
    return size == 1 ? Padding("valid") : Padding(std::vector<int64_t>(4, (size - 1) / 2));
}

}  // namespace

Symbol Builder::begin() {
    const Shape& shape = options.input_shape;
    check_arguments(caller, shape, options.classes, options.dropout.value_or(0.0));
    require(shape[0] >= kMinSide && shape[1] >= kMinSide, "models.", caller, " needs at least ", kMinSide, " x ",
            kMinSide, " pixels, got ", shape[0], " x ", shape[1]);
    start = input(shape);
    if (!options.imagenet_pixels) return models::begin(start, options.rescale);
    require(!options.rescale, "models.", caller, " expects either a rescale or imagenet_pixels, got both");
    require(shape[2] == 3, "models.", caller, " expects 3 channels to normalise ImageNet's pixels, got ", shape[2]);
    RescalingOptions arguments{{}, {}};
    for (int i = 0; i < 3; ++i) {
        arguments.scale.push_back(1.0 / (255.0 * kDeviations[i]));
        arguments.offset.push_back(-kMeans[i] / kDeviations[i]);
    }
    return striate::apply(make<Rescaling>(arguments), {start});
}

Symbol Builder::conv(const Symbol& x, const std::string& name, int64_t filters, int64_t size, int64_t strides,
                     bool bias) const {
    Conv2DOptions arguments;
    arguments.filters = filters;
    arguments.kernel_size = size;
    arguments.strides = strides;
    arguments.padding = size % 2 ? around(size) : Padding("valid");  // even ones cut the map into patches
    arguments.use_bias = bias;
    arguments.kernel_initializer = "he_normal";
    return striate::apply(make<Conv2D>(arguments, name), {x});
}

Symbol Builder::depthwise(const Symbol& x, const std::string& name, int64_t size, int64_t strides, bool bias) const {
    DepthwiseConv2DOptions arguments;
    arguments.kernel_size = size;
    arguments.strides = strides;
    arguments.padding = around(size);
    arguments.use_bias = bias;
    arguments.depthwise_initializer = "he_normal";
    return striate::apply(make<DepthwiseConv2D>(arguments, name), {x});
}

Symbol Builder::normal(const Symbol& x, const std::string& name) const {
    BatchNormalizationOptions arguments;
    arguments.momentum = momentum;
    arguments.epsilon = epsilon;
    arguments.unbiased_variance = true;
    return striate::apply(make<BatchNormalization>(arguments, name), {x});
}

Symbol Builder::activation(const Symbol& x, const std::string& kind, const std::string& name) const {
    return kind.empty() ? x : striate::apply(make<Activation>({kind}, name), {x});
}

Symbol Builder::conv_block(const Symbol& x, const std::string& name, int64_t filters, int64_t size, int64_t strides,
                           const std::string& kind) const {
    return activation(normal(conv(x, name + ".0", filters, size, strides), name + ".1"), kind, name + ".2");
}

Symbol Builder::depthwise_block(const Symbol& x, const std::string& name, int64_t size, int64_t strides,
                                const std::string& kind) const {
    return activation(normal(depthwise(x, name + ".0", size, strides), name + ".1"), kind, name + ".2");
}

Symbol Builder::excitation(const Symbol& x, const std::string& name, int64_t squeezed, const std::string& kind,
                           const std::string& gate) const {
    Symbol y = striate::apply(make<GlobalAveragePooling2D>({true}, name + ".avgpool"), {x});
    y = activation(conv(y, name + ".fc1", squeezed, 1, 1, true), kind, name + ".activation");
    y = activation(conv(y, name + ".fc2", channels(x), 1, 1, true), gate, name + ".scale_activation");
    return striate::apply(make<Multiply>({}, name + ".multiply"), {x, y});
}

Symbol Builder::add(const Symbol& x, const Symbol& y, const std::string& name) const {
    return striate::apply(make<Add>({}, name), {x, y});
}

Symbol Builder::average(const Symbol& x) const {
    return striate::apply(make<GlobalAveragePooling2D>({}, "avgpool"), {x});
}

Symbol Builder::dropped(const Symbol& x, double published) const {
    return drop(x, options.dropout.value_or(published), "dropout");
}

Model Builder::finish(const Symbol& x, const std::string& name) const {
    return whole(start, striate::apply(make<Dense>({options.classes}, name), {x}), options.seed);
}

}  // namespace striate::models::imagenet
