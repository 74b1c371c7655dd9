#include "models/imagenet.hpp"

namespace striate::models {
namespace {

constexpr double kLayerEpsilon = 1e-6;

Symbol norm_of(const Symbol& x, const std::string& name) {
    LayerNormalizationOptions arguments;
    arguments.epsilon = kLayerEpsilon;
    return striate::apply(make<LayerNormalization>(arguments, name), {x});
}

Symbol projection(const Symbol& x, int64_t units, const std::string& name) {
    return striate::apply(make<Dense>({units}, name), {x});
}

Symbol next_block(const imagenet::Builder& b, const Symbol& x, const std::string& name) {
    const int64_t filters = imagenet::channels(x);
    Symbol y = norm_of(b.depthwise(x, name + ".block.0", 7, 1, true), name + ".block.2");
    y = b.activation(projection(y, 4 * filters, name + ".block.3"), "gelu", name + ".block.4");
    y = projection(y, filters, name + ".block.5");
    DepthwiseConv2DOptions scale;  // a factor for each channel
    scale.kernel_size = 1;
    scale.use_bias = false;
    scale.depthwise_initializer = "constant(1e-6)";
    y = striate::apply(make<DepthwiseConv2D>(scale, name + ".layer_scale"), {y});
    return b.add(y, x, name + ".add");
}

}  // namespace

// Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022.
Model convnext_tiny(const ImageNetOptions& options) {
    imagenet::Builder b{"convnext_tiny", options};
    Symbol x = norm_of(b.conv(b.begin(), "features.0.0", 96, 4, 4, true), "features.0.1");
    const int counts[] = {3, 3, 9, 3};
    for (int stage = 0; stage < 4; ++stage) {
        if (stage) {
            const std::string name = concat("features.", 2 * stage);
            x = b.conv(norm_of(x, name + ".0"), name + ".1", int64_t{96} << stage, 2, 2, true);
        }
        for (int i = 0; i < counts[stage]; ++i) x = next_block(b, x, concat("features.", 2 * stage + 1, ".", i));
    }
    return b.finish(b.dropped(norm_of(b.average(x), "classifier.0"), 0.0), "classifier.2");
}

}  // namespace striate::models
