#include "models/blocks.hpp"

namespace striate::models {
namespace {

std::string to_text(const std::vector<std::vector<int64_t>>& filters) {
    std::string text;
    for (const std::vector<int64_t>& stack : filters) text += (text.empty() ? "" : ", ") + to_string(stack);
    return "(" + text + (filters.size() == 1 ? ",)" : ")");
}

}  // namespace

Model vgg(const VggOptions& options) {
    const Shape& shape = options.input_shape;
    check_arguments("vgg", shape, options.classes, options.dropout);
    bool good = !options.filters.empty();
    for (const std::vector<int64_t>& stack : options.filters) good = good && !stack.empty() && are_counts(stack);
    require(good, "models.vgg expects filters as a sequence a stack, such as ((64, 64), (128, 128)), got ",
            to_text(options.filters));
    require(are_counts(options.units), "models.vgg expects units such as (256,), all at least 1, got ",
            to_string(options.units));
    const auto stacks = static_cast<int64_t>(options.filters.size());
    require(stacks < 63 && std::min(shape[0], shape[1]) >= int64_t{1} << stacks, "models.vgg halves the picture ",
            stacks, " times: it needs at least ", stacks < 63 ? concat(int64_t{1} << stacks) : concat("2^", stacks),
            " pixels a side, got ", shape[0], " x ", shape[1], "; give fewer stacks in filters");
    ConvOptions convolution;
    convolution.normalize = options.batch_normalization;
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    for (int64_t b = 0; b < stacks; ++b) {
        const std::vector<int64_t>& stack = options.filters[b];
        for (size_t i = 0; i < stack.size(); ++i)
            x = conv(x, stack[i], 3, concat("block", b + 1, "_conv", i + 1), convolution);
        x = max_pool(x, concat("block", b + 1, "_pool"));
    }
    x = striate::apply(make<Flatten>({}, "flatten"), {x});
    for (size_t i = 0; i < options.units.size(); ++i) {
        x = dense(x, options.units[i], concat("dense", i + 1), options.batch_normalization);
        x = drop(x, options.dropout, concat("dropout", i + 1));
    }
    if (options.units.empty()) x = drop(x, options.dropout, "dropout");
    return finish(start, x, options.classes, options.seed);
}

}  // namespace striate::models
