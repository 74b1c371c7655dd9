#include "models/imagenet.hpp"

namespace striate::models {
namespace {

// The stride is that of the 3x3 convolution, as in torchvision's version.
Symbol bottleneck(const imagenet::Builder& b, const Symbol& x, const std::string& name, int64_t filters,
                  int64_t strides) {
    Symbol y = b.normal(b.conv(x, name + ".conv1", filters, 1), name + ".bn1");
    y = b.activation(y, "relu", name + ".relu1");
    y = b.normal(b.conv(y, name + ".conv2", filters, 3, strides), name + ".bn2");
    y = b.activation(y, "relu", name + ".relu2");
    y = b.normal(b.conv(y, name + ".conv3", 4 * filters, 1), name + ".bn3");
    Symbol shortcut = x;
    if (strides > 1 || imagenet::channels(x) != 4 * filters)
        shortcut = b.normal(b.conv(x, name + ".downsample.0", 4 * filters, 1, strides), name + ".downsample.1");
    return b.activation(b.add(y, shortcut, name + ".add"), "relu", name + ".relu3");
}

}  // namespace

Model resnet50(const ImageNetOptions& options) {
    imagenet::Builder b{"resnet50", options};
    Symbol x = b.activation(b.normal(b.conv(b.begin(), "conv1", 64, 7, 2), "bn1"), "relu", "relu");
    x = striate::apply(make<MaxPooling2D>({3, Pair{2}, Padding(std::vector<int64_t>{1, 1, 1, 1})}, "maxpool"), {x});
    const int blocks[] = {3, 4, 6, 3};
    for (int stage = 0; stage < 4; ++stage)
        for (int block = 0; block < blocks[stage]; ++block)
            x = bottleneck(b, x, concat("layer", stage + 1, ".", block), int64_t{64} << stage, stage && !block ? 2 : 1);
    return b.finish(b.dropped(b.average(x), 0.0), "fc");
}

}  // namespace striate::models
