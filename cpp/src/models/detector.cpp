#include <cmath>

#include "models/blocks.hpp"

namespace striate::models {
namespace {

// How likely an object is anywhere before anything is learned, so that the many pixels without one do not drown the
// first steps (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017).
constexpr double kPrior = 0.01;
constexpr const char* kBoxes = "_boxes";

void check_strides(const std::vector<int64_t>& strides, const Shape& shape) {
    bool good = !strides.empty();
    for (const int64_t s : strides) good = good && s > 1 && s <= int64_t{1} << 20 && (s & (s - 1)) == 0;
    require(good, "models.detector expects strides of 2, 4, 8 and so on, got ", to_string(strides));
    for (size_t i = 1; i < strides.size(); ++i)
        require(strides[i] == 2 * strides[i - 1],
                "models.detector expects strides that double from each to the next, got ", to_string(strides));
    // A coarser map, cut into rows of the finest one's width, must fill whole rows.
    const int64_t height = strides[0] << (2 * (strides.size() - 1)), width = strides.back();
    require(shape[0] % height == 0 && shape[1] % width == 0, "models.detector with strides ", to_string(strides),
            " expects a height in multiples of ", height, " and a width in multiples of ", width, ", got ", shape[0],
            " x ", shape[1], "; give it ", nearest_multiple(shape[0], height), " x ",
            nearest_multiple(shape[1], width));
}

Symbol head(const Symbol& x, int64_t filters, int64_t channels, int64_t width, const std::string& name) {
    const Symbol y = conv(x, filters, 3, name + "_conv");
    const Symbol boxes = striate::apply(make<Conv2D>({channels, 1}, name + kBoxes), {y});
    return striate::apply(make<Reshape>({{-1, width, channels}}, name + "_rows"), {boxes});
}

void set_prior(Model& model, int64_t channels) {
    const std::string ending = std::string(kBoxes) + "/bias";
    std::vector<float> bias(static_cast<size_t>(channels));
    bias[4] = static_cast<float>(std::log(kPrior / (1.0 - kPrior)));
    for (size_t i = 0; i < model.parameters().size(); ++i) {
        const std::string& name = model.parameters()[i].name;
        if (name.size() >= ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
            model.write_parameter(i, bias.data());
    }
}

}  // namespace

Model detector(const DetectorOptions& options) {
    const Shape& shape = options.input_shape;
    const std::vector<int64_t>& strides = options.strides;
    check_arguments("detector", shape, options.classes, 0.0);
    require(options.base >= 1 && options.base <= int64_t{1} << 40 && options.depth >= 1,
            "models.detector expects base and depth of at least 1, got ", options.base, " and ", options.depth);
    check_strides(strides, shape);
    const Symbol start = input(shape);
    Symbol x = begin(start, options.rescale);
    std::vector<Symbol> maps;
    size_t next = 0;
    for (int scale = 0; int64_t{1} << scale <= strides.back(); ++scale) {
        if (scale) x = max_pool(x, concat("scale", scale, "_pool"));
        const int64_t filters = options.base << std::min(scale, 3);
        for (int64_t i = 1; i <= options.depth; ++i) x = conv(x, filters, 3, concat("scale", scale, "_conv", i));
        if (strides[next] != int64_t{1} << scale) continue;
        maps.push_back(head(x, filters, 5 + options.classes, shape[1] / strides[0], concat("stride", strides[next])));
        ++next;
    }
    Model model =
        whole(start, maps.size() > 1 ? striate::apply(make<Concatenate>({1}, "maps"), maps) : maps[0], options.seed);
    set_prior(model, 5 + options.classes);
    return model;
}

}  // namespace striate::models
