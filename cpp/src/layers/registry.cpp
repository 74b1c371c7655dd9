// The table of layers. A row is `row<Conv2D>()`: the name that Conv2D::kType gives, and how to make one from its
// arguments. A new layer needs its include here and one row; a row that is missing cannot be loaded from a file nor
// made from Python.
#include "striate/layer.hpp"
#include "striate/layers/activation.hpp"
#include "striate/layers/add.hpp"
#include "striate/layers/average.hpp"
#include "striate/layers/average_pooling2d.hpp"
#include "striate/layers/batch_normalization.hpp"
#include "striate/layers/concatenate.hpp"
#include "striate/layers/conv2d.hpp"
#include "striate/layers/conv2d_transpose.hpp"
#include "striate/layers/cropping2d.hpp"
#include "striate/layers/dense.hpp"
#include "striate/layers/depthwise_conv2d.hpp"
#include "striate/layers/dropout.hpp"
#include "striate/layers/elu.hpp"
#include "striate/layers/flatten.hpp"
#include "striate/layers/global_average_pooling2d.hpp"
#include "striate/layers/global_max_pooling2d.hpp"
#include "striate/layers/group_normalization.hpp"
#include "striate/layers/input_layer.hpp"
#include "striate/layers/layer_normalization.hpp"
#include "striate/layers/leaky_relu.hpp"
#include "striate/layers/mat_mul.hpp"
#include "striate/layers/max_pooling2d.hpp"
#include "striate/layers/maximum.hpp"
#include "striate/layers/minimum.hpp"
#include "striate/layers/multiply.hpp"
#include "striate/layers/normalization.hpp"
#include "striate/layers/permute.hpp"
#include "striate/layers/prelu.hpp"
#include "striate/layers/random_brightness.hpp"
#include "striate/layers/random_contrast.hpp"
#include "striate/layers/random_flip.hpp"
#include "striate/layers/random_rotation.hpp"
#include "striate/layers/random_translation.hpp"
#include "striate/layers/random_zoom.hpp"
#include "striate/layers/relu.hpp"
#include "striate/layers/rescaling.hpp"
#include "striate/layers/reshape.hpp"
#include "striate/layers/resizing.hpp"
#include "striate/layers/separable_conv2d.hpp"
#include "striate/layers/softmax.hpp"
#include "striate/layers/spatial_dropout2d.hpp"
#include "striate/layers/subtract.hpp"
#include "striate/layers/take.hpp"
#include "striate/layers/upsampling2d.hpp"
#include "striate/layers/zero_padding2d.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

struct Row {
    const char* type;
    LayerPtr (*make)(const Config& config, const std::string& name);
};

template <class L>
LayerPtr make(const Config& config, const std::string& name) {
    const std::string owner = name.empty() ? snake_case(L::kType) : name;
    return std::make_shared<const L>(read_fields<typename L::Options>(config, owner), name);
}

template <class L>
constexpr Row row() {
    return {L::kType, make<L>};
}

constexpr Row kRows[] = {
    row<InputLayer>(),
    row<Conv2D>(),
    row<DepthwiseConv2D>(),
    row<SeparableConv2D>(),
    row<Conv2DTranspose>(),
    row<Dense>(),
    row<Activation>(),
    row<ReLU>(),
    row<LeakyReLU>(),
    row<ELU>(),
    row<PReLU>(),
    row<Softmax>(),
    row<MaxPooling2D>(),
    row<AveragePooling2D>(),
    row<GlobalAveragePooling2D>(),
    row<GlobalMaxPooling2D>(),
    row<Flatten>(),
    row<Reshape>(),
    row<Permute>(),
    row<Take>(),
    row<ZeroPadding2D>(),
    row<Cropping2D>(),
    row<BatchNormalization>(),
    row<LayerNormalization>(),
    row<GroupNormalization>(),
    row<UpSampling2D>(),
    row<Resizing>(),
    row<Dropout>(),
    row<SpatialDropout2D>(),
    row<RandomFlip>(),
    row<RandomRotation>(),
    row<RandomTranslation>(),
    row<RandomZoom>(),
    row<RandomBrightness>(),
    row<RandomContrast>(),
    row<Add>(),
    row<Subtract>(),
    row<Multiply>(),
    row<Average>(),
    row<Maximum>(),
    row<Minimum>(),
    row<Concatenate>(),
    row<MatMul>(),
    row<Rescaling>(),
    row<Normalization>(),
};

}  // namespace

LayerPtr make_layer(const std::string& type, const Config& config, const std::string& name) {
    for (const Row& candidate : kRows)
        if (type == candidate.type) return candidate.make(config, name);
    fail("there is no layer type ", quoted(type), "; ", suggestion(type, layer_types()));
}

std::vector<std::string> layer_types() {
    std::vector<std::string> types;
    for (const Row& candidate : kRows) types.emplace_back(candidate.type);
    return types;
}

}  // namespace striate
