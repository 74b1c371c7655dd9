#include "models/blocks.hpp"

namespace striate::models {

Model cnn(const CnnOptions& options) {
    const Shape& shape = options.input_shape;
    check_arguments("cnn", shape, options.classes, options.dropout);
    require(!options.filters.empty() && are_counts(options.filters) && options.units >= 1,
            "models.cnn expects filters such as (32, 64) and units of at least 1, got ", to_string(options.filters),
            " and ", options.units);
    const auto blocks = static_cast<int64_t>(options.filters.size());
    require(blocks < 63 && std::min(shape[0], shape[1]) >= int64_t{1} << blocks, "models.cnn halves the picture ",
            blocks, " times: it needs at least ", blocks < 63 ? concat(int64_t{1} << blocks) : concat("2^", blocks),
            " pixels a side, got ", shape[0], " x ", shape[1], "; give fewer filters");
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    for (int64_t i = 0; i < blocks; ++i) {
        const std::string block = concat("block", i + 1);
        x = conv(x, options.filters[i], 3, block + "_conv1");
        x = conv(x, options.filters[i], 3, block + "_conv2");
        x = max_pool(x, block + "_pool");
        x = drop(x, options.dropout, block + "_dropout");
    }
    x = striate::apply(make<Flatten>({}, "flatten"), {x});
    x = dense(x, options.units, "dense");
    x = drop(x, std::min(2.0 * options.dropout, 0.5), "dropout");
    return finish(start, x, options.classes, options.seed);
}

}  // namespace striate::models
