#include "models/blocks.hpp"
#include "suggest.hpp"

namespace striate::models {
namespace {

// From this side on, the four-fold reduction of the published stem leaves enough of the picture.
constexpr int64_t kImageNetSide = 96;

Symbol residual(const Symbol& x, int64_t filters, bool halve, bool symmetric, const std::string& name) {
    ConvOptions first, linear;
    first.symmetric = linear.symmetric = symmetric;
    first.strides = halve ? 2 : 1;
    linear.relu = false;
    ConvOptions projection = first;
    projection.relu = false;
    const Symbol shortcut = halve ? conv(x, filters, 1, name + "_shortcut", projection) : x;
    Symbol y = conv(x, filters, 3, name + "_conv1", first);
    y = conv(y, filters, 3, name + "_conv2", linear);
    return relu(striate::apply(make<Add>({}, name + "_add"), {y, shortcut}), name);
}

}  // namespace

Model resnet18(const ResNet18Options& options) {
    const Shape& shape = options.input_shape;
    check_arguments("resnet18", shape, options.classes, options.dropout);
    const std::string& stem = options.stem;
    require(stem == "auto" || stem == "imagenet" || stem == "small",
            "models.resnet18 expects stem \"auto\", \"imagenet\" or \"small\", got ", quoted(stem));
    require(options.width >= 1 && options.width <= int64_t{1} << 40,
            "models.resnet18 expects width to be a whole number of at least 1, got ", options.width);
    require(options.padding == "same" || options.padding == "torch",
            "models.resnet18 expects padding \"same\" or \"torch\", got ", quoted(options.padding));
    const bool symmetric = options.padding == "torch";
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    if (stem == "imagenet" || (stem == "auto" && std::min(shape[0], shape[1]) >= kImageNetSide)) {
        ConvOptions halving;
        halving.strides = 2;
        halving.symmetric = symmetric;
        x = conv(x, options.width, 7, "stem", halving);
        const Padding around = symmetric ? Padding(std::vector<int64_t>{1, 1, 1, 1}) : Padding("same");
        x = striate::apply(make<MaxPooling2D>({3, Pair{2}, around}, "stem_pool"), {x});
    } else {
        ConvOptions stride_one;
        stride_one.symmetric = symmetric;
        x = conv(x, options.width, 3, "stem", stride_one);
    }
    int64_t filters = options.width;
    for (int stage = 1; stage <= 4; ++stage, filters *= 2)
        for (int block = 1; block <= 2; ++block)
            x = residual(x, filters, stage > 1 && block == 1, symmetric, concat("stage", stage, "_block", block));
    x = striate::apply(make<GlobalAveragePooling2D>({}, "average"), {x});
    x = drop(x, options.dropout, "dropout");
    return finish(start, x, options.classes, options.seed);
}

}  // namespace striate::models
