#include "models/blocks.hpp"
#include "suggest.hpp"

namespace striate::models {

Model lenet(const LeNetOptions& options) {
    const Shape& shape = options.input_shape;
    check_arguments("lenet", shape, options.classes, options.dropout);
    const int64_t side = std::min(shape[0], shape[1]);
    require(side >= 4, "models.lenet halves the picture twice: it needs at least 4 x 4 pixels, got ", shape[0], " x ",
            shape[1]);
    require(options.pooling == "max" || options.pooling == "average",
            "models.lenet expects pooling \"max\" or \"average\", got ", quoted(options.pooling));
    const std::string initial = options.activation == "relu" ? "he_normal" : "glorot_uniform";
    const auto convolved = [&](const Symbol& x, int64_t filters, const char* padding, const char* name) {
        Conv2DOptions arguments;
        arguments.filters = filters;
        arguments.kernel_size = 5;
        arguments.padding = padding;
        arguments.activation = options.activation;
        arguments.kernel_initializer = initial;
        return striate::apply(make<Conv2D>(arguments, name), {x});
    };
    const auto pooled = [&](const Symbol& x, const char* name) {
        if (options.pooling == "max") return max_pool(x, name);
        return striate::apply(make<AveragePooling2D>({}, name), {x});
    };
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    x = pooled(convolved(x, 6, "same", "conv1"), "pool1");
    // Without padding, pictures below 12 pixels would be left with nothing.
    x = pooled(convolved(x, 16, side >= 12 ? "valid" : "same", "conv2"), "pool2");
    x = striate::apply(make<Flatten>({}, "flatten"), {x});
    for (const auto& [units, number] : {std::pair{120, "1"}, std::pair{84, "2"}}) {
        DenseOptions arguments;
        arguments.units = units;
        arguments.activation = options.activation;
        arguments.kernel_initializer = initial;
        x = striate::apply(make<Dense>(arguments, concat("dense", number)), {x});
        x = drop(x, options.dropout, concat("dropout", number));
    }
    return finish(start, x, options.classes, options.seed);
}

}  // namespace striate::models
