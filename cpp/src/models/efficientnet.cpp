#include <algorithm>

#include "models/imagenet.hpp"

namespace striate::models {
namespace {

using imagenet::channels;

struct EfficientStage {
    int64_t factor, size, strides, filters;
    int count;
};

Symbol mb_block(const imagenet::Builder& b, const Symbol& x, const std::string& name, const EfficientStage& stage,
                int64_t strides) {
    int part = 0;
    const auto next = [&] { return concat(name, ".block.", part++); };
    Symbol y = x;
    if (stage.factor > 1) y = b.conv_block(y, next(), channels(x) * stage.factor, 1, 1, "silu");
    y = b.depthwise_block(y, next(), stage.size, strides, "silu");
    y = b.excitation(y, next(), std::max<int64_t>(1, channels(x) / 4), "silu", "sigmoid");
    y = b.conv_block(y, next(), stage.filters, 1, 1, "");
    return strides == 1 && channels(x) == stage.filters ? b.add(y, x, name + ".add") : y;
}

constexpr EfficientStage kEfficientStages[] = {{1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2}, {6, 3, 2, 80, 3},
                                               {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1}};

}  // namespace

// M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019.
Model efficientnet_b0(const ImageNetOptions& options) {
    imagenet::Builder b{"efficientnet_b0", options};
    Symbol x = b.conv_block(b.begin(), "features.0", 32, 3, 2, "silu");
    int part = 1;
    for (const EfficientStage& stage : kEfficientStages) {
        for (int i = 0; i < stage.count; ++i)
            x = mb_block(b, x, concat("features.", part, ".", i), stage, i ? 1 : stage.strides);
        ++part;
    }
    x = b.conv_block(x, concat("features.", part), 1280, 1, 1, "silu");
    return b.finish(b.dropped(b.average(x), 0.2), "classifier.1");
}

}  // namespace striate::models
