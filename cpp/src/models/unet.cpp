#include "models/blocks.hpp"
#include "suggest.hpp"

namespace striate::models {
namespace {

Symbol twice(const Symbol& x, int64_t filters, const std::string& name) {
    return conv(conv(x, filters, 3, name + "_conv1"), filters, 3, name + "_conv2");
}

// Twice the height and width, at `filters` channels.
Symbol doubled(const Symbol& x, int64_t filters, const std::string& up, const std::string& name) {
    if (up == "upsample")
        return conv(striate::apply(make<UpSampling2D>({2}, name + "_upsample"), {x}), filters, 3, name + "_conv");
    Conv2DTransposeOptions arguments;
    arguments.filters = filters;
    arguments.kernel_size = 2;
    arguments.strides = 2;
    arguments.use_bias = false;
    arguments.kernel_initializer = "he_normal";
    const std::string whole_name = name + "_transpose";
    const Symbol y = striate::apply(make<Conv2DTranspose>(arguments, whole_name), {x});
    return relu(batch_norm(y, whole_name), whole_name);
}

}  // namespace

Model unet(const UNetOptions& options) {
    const Shape& shape = options.input_shape;
    check_arguments("unet", shape, options.classes, options.dropout);
    require(options.base >= 1 && options.depth >= 1, "models.unet expects base and depth of at least 1, got ",
            options.base, " and ", options.depth);
    require(options.base <= int64_t{1} << 40 && options.depth <= 20, "models.unet expects at most 20 for depth, got ",
            options.depth, " with base ", options.base);
    require(options.up == "transpose" || options.up == "upsample",
            "models.unet expects up \"transpose\" or \"upsample\", got ", quoted(options.up));
    const int64_t unit = int64_t{1} << options.depth;
    require(shape[0] % unit == 0 && shape[1] % unit == 0, "models.unet halves the picture ", options.depth,
            " times: height and width must be multiples of ", unit, ", got ", shape[0], " x ", shape[1], "; give it ",
            nearest_multiple(shape[0], unit), " x ", nearest_multiple(shape[1], unit), ", or a smaller depth");
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    std::vector<Symbol> skips;
    for (int64_t scale = 0; scale < options.depth; ++scale) {
        const std::string name = concat("down", scale + 1);
        x = twice(x, options.base << scale, name);
        skips.push_back(x);
        x = max_pool(x, name + "_pool");
    }
    x = twice(x, options.base << options.depth, "bottom");
    x = drop(x, options.dropout, "dropout");
    for (int64_t scale = options.depth; scale-- > 0;) {
        const std::string name = concat("up", scale + 1);
        x = doubled(x, options.base << scale, options.up, name);
        x = striate::apply(make<Concatenate>({}, name + "_join"), {skips[scale], x});
        x = twice(x, options.base << scale, name);
    }
    Conv2DOptions last;
    last.filters = options.classes;
    last.kernel_size = 1;
    last.activation = options.activation;
    x = striate::apply(make<Conv2D>(last, options.activation ? "output" : "logits"), {x});
    return whole(start, x, options.seed);
}

}  // namespace striate::models
