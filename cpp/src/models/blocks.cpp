#include "models/blocks.hpp"

#include <algorithm>

#include "striate/runtime.hpp"

namespace striate::models {

namespace {

// As Python shows it: 1.0, not 1.
std::string shown(double value) {
    const std::string text = concat(value);
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

}  // namespace

bool are_counts(const std::vector<int64_t>& values) {
    return std::all_of(values.begin(), values.end(), [](int64_t value) { return value >= 1; });
}

int64_t nearest_multiple(int64_t side, int64_t unit) {
    return std::max<int64_t>((side + unit / 2) / unit, 1) * unit;
}

void check_arguments(const char* caller, const Shape& input_shape, int64_t classes, double dropout) {
    require(input_shape.size() == 3 && are_counts(input_shape), "models.", caller,
            " expects input_shape (height, width, channels), all at least 1, got ", to_string(input_shape));
    require(classes >= 1, "models.", caller, " expects classes to be a whole number of at least 1, got ", classes);
    require(dropout >= 0.0 && dropout < 1.0, "models.", caller, " expects dropout in [0, 1), got ", shown(dropout));
}

Symbol begin(const Symbol& start, const std::optional<double>& rescale) {
    return rescale ? striate::apply(make<Rescaling>({{*rescale}}), {start}) : start;
}

Symbol conv(const Symbol& x, int64_t filters, int64_t size, const std::string& name, const ConvOptions& options) {
    Conv2DOptions arguments;
    arguments.filters = filters;
    arguments.kernel_size = size;
    arguments.strides = options.strides;
    const int64_t margin = (size - 1) / 2;
    arguments.padding = options.symmetric ? Padding(std::vector<int64_t>(4, margin)) : Padding("same");
    arguments.use_bias = !options.normalize;
    arguments.kernel_initializer = "he_normal";
    Symbol y = striate::apply(make<Conv2D>(arguments, name), {x});
    if (options.normalize) y = batch_norm(y, name);
    return options.relu ? relu(y, name) : y;
}

Symbol batch_norm(const Symbol& x, const std::string& name) {
    BatchNormalizationOptions arguments;
    arguments.momentum = kMomentum;
    arguments.epsilon = kEpsilon;
    return striate::apply(make<BatchNormalization>(arguments, name + "_bn"), {x});
}

Symbol relu(const Symbol& x, const std::string& name) {
    return striate::apply(make<Activation>({"relu"}, name + "_relu"), {x});
}

Symbol max_pool(const Symbol& x, const std::string& name) {
    return striate::apply(make<MaxPooling2D>({}, name), {x});
}

Symbol dense(const Symbol& x, int64_t units, const std::string& name, bool normalize) {
    DenseOptions arguments;
    arguments.units = units;
    arguments.use_bias = !normalize;
    arguments.kernel_initializer = "he_normal";
    Symbol y = striate::apply(make<Dense>(arguments, name), {x});
    if (normalize) y = batch_norm(y, name);
    return relu(y, name);
}

Symbol drop(const Symbol& x, double rate, const std::string& name) {
    return rate > 0.0 ? striate::apply(make<Dropout>({rate}, name), {x}) : x;
}

Model whole(const Symbol& start, const Symbol& end, const std::optional<uint64_t>& seed) {
    return Model({start}, {end}, seed ? *seed : next_seed());
}

Model finish(const Symbol& start, const Symbol& x, int64_t classes, const std::optional<uint64_t>& seed) {
    return whole(start, striate::apply(make<Dense>({classes}, "logits"), {x}), seed);
}

}  // namespace striate::models
