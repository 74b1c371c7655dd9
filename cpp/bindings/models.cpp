#include "bindings.hpp"

namespace striate::bindings {
namespace {

using Seed = std::optional<uint64_t>;
using Rescale = std::optional<double>;
using Counts = std::vector<int64_t>;

std::unique_ptr<Model> owned(Model model) {
    return std::make_unique<Model>(std::move(model));
}

using ImageNet = Model (*)(const models::ImageNetOptions&);
constexpr std::pair<const char*, ImageNet> kImageNet[] = {
    {"build_resnet50", models::resnet50},
    {"build_mobilenet_v2", models::mobilenet_v2},
    {"build_mobilenet_v3_small", models::mobilenet_v3_small},
    {"build_efficientnet_b0", models::efficientnet_b0},
    {"build_densenet121", models::densenet121},
    {"build_convnext_tiny", models::convnext_tiny},
};

}  // namespace

void register_models(py::module_& m) {
    using namespace py::literals;
    m.def(
        "build_cnn",
        [](Shape shape, int64_t classes, Counts filters, int64_t units, double dropout, Rescale rescale, Seed seed) {
            return owned(models::cnn({shape, classes, filters, units, dropout, rescale, seed}));
        },
        "input_shape"_a, "classes"_a, "filters"_a, "units"_a, "dropout"_a, "rescale"_a, "seed"_a);
    m.def(
        "build_lenet",
        [](Shape shape, int64_t classes, std::string activation, std::string pooling, double dropout, Rescale rescale,
           Seed seed) { return owned(models::lenet({shape, classes, activation, pooling, dropout, rescale, seed})); },
        "input_shape"_a, "classes"_a, "activation"_a, "pooling"_a, "dropout"_a, "rescale"_a, "seed"_a);
    m.def(
        "build_vgg",
        [](Shape shape, int64_t classes, std::vector<Counts> filters, Counts units, bool batch_normalization,
           double dropout, Rescale rescale, Seed seed) {
            return owned(models::vgg({shape, classes, filters, units, batch_normalization, dropout, rescale, seed}));
        },
        "input_shape"_a, "classes"_a, "filters"_a, "units"_a, "batch_normalization"_a, "dropout"_a, "rescale"_a,
        "seed"_a);
    m.def(
        "build_resnet18",
        [](Shape shape, int64_t classes, std::string stem, int64_t width, double dropout, Rescale rescale,
           std::string padding, Seed seed) {
            return owned(models::resnet18({shape, classes, stem, width, dropout, rescale, seed, padding}));
        },
        "input_shape"_a, "classes"_a, "stem"_a, "width"_a, "dropout"_a, "rescale"_a, "padding"_a, "seed"_a);
    for (const auto& [name, build] : kImageNet)
        m.def(
            name,
            [build = build](Shape shape, int64_t classes, double dropout, Rescale rescale, bool imagenet_pixels,
                            Seed seed) {
                return owned(build({shape, classes, dropout, rescale, seed, imagenet_pixels}));
            },
            "input_shape"_a, "classes"_a, "dropout"_a, "rescale"_a, "imagenet_pixels"_a, "seed"_a);
    m.def(
        "build_unet",
        [](Shape shape, int64_t classes, int64_t base, int64_t depth, std::string up, double dropout,
           std::optional<std::string> activation, Rescale rescale, Seed seed) {
            return owned(models::unet({shape, classes, base, depth, up, dropout, activation, rescale, seed}));
        },
        "input_shape"_a, "classes"_a, "base"_a, "depth"_a, "up"_a, "dropout"_a, "activation"_a, "rescale"_a, "seed"_a);
    m.def(
        "build_detector",
        [](Shape shape, int64_t classes, int64_t base, Counts strides, int64_t depth, Rescale rescale, Seed seed) {
            return owned(models::detector({shape, classes, base, strides, depth, rescale, seed}));
        },
        "input_shape"_a, "classes"_a, "base"_a, "strides"_a, "depth"_a, "rescale"_a, "seed"_a);
}

}  // namespace striate::bindings
