#include "models/imagenet.hpp"

namespace striate::models {
namespace {

constexpr int64_t kGrowth = 32, kBottleneck = 4 * kGrowth;

Symbol normal_relu(const imagenet::Builder& b, const Symbol& x, const std::string& name, const std::string& number) {
    return b.activation(b.normal(x, name + "norm" + number), "relu", name + "relu" + number);
}

Symbol dense_layer(const imagenet::Builder& b, const Symbol& x, const std::string& name) {
    Symbol y = b.conv(normal_relu(b, x, name + ".", "1"), name + ".conv1", kBottleneck, 1);
    y = b.conv(normal_relu(b, y, name + ".", "2"), name + ".conv2", kGrowth, 3);
    return striate::apply(make<Concatenate>({}, name + ".concat"), {x, y});
}

}  // namespace

// G. Huang et al., "Densely Connected Convolutional Networks", CVPR 2017.
Model densenet121(const ImageNetOptions& options) {
    imagenet::Builder b{"densenet121", options};
    Symbol x = normal_relu(b, b.conv(b.begin(), "features.conv0", 64, 7, 2), "features.", "0");
    const Padding around(std::vector<int64_t>{1, 1, 1, 1});
    x = striate::apply(make<MaxPooling2D>({3, Pair{2}, around}, "features.pool0"), {x});
    const int counts[] = {6, 12, 24, 16};
    for (int block = 1; block <= 4; ++block) {
        for (int i = 1; i <= counts[block - 1]; ++i)
            x = dense_layer(b, x, concat("features.denseblock", block, ".denselayer", i));
        if (block == 4) continue;
        const std::string name = concat("features.transition", block, ".");
        x = b.conv(normal_relu(b, x, name, ""), name + "conv", imagenet::channels(x) / 2, 1);
        x = striate::apply(make<AveragePooling2D>({}, name + "pool"), {x});
    }
    x = normal_relu(b, x, "features.", "5");
    return b.finish(b.dropped(b.average(x), 0.0), "classifier");
}

}  // namespace striate::models
