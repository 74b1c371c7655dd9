// Ready networks: the input's shape and the number of classes are arguments, all else has a default. They end in logits
// and are untrained. Python's striate.models are these functions, and its documentation says whose designs they are.
// Each throws ValueError for an argument that does not fit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "striate/model.hpp"

namespace striate STRIATE_API {
namespace models {

// `rescale` is a factor for the input, such as 1 / 255 for bytes; `seed` that of the weights and the dropout, by
// default the next one of the process. Shapes are (height, width, channels).

struct CnnOptions {
    Shape input_shape = {28, 28, 1};
    int64_t classes = 10;
    std::vector<int64_t> filters = {32, 64};  // of both convolutions of a block
    int64_t units = 128;
    double dropout = 0.25;
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
};
// Blocks of twice convolution, normalisation and ReLU, then pooling and dropout; one hidden layer. To (N, classes).
Model cnn(const CnnOptions& options = {});

struct LeNetOptions {
    Shape input_shape = {28, 28, 1};
    int64_t classes = 10;
    std::string activation = "relu";
    std::string pooling = "max";  // or "average"
    double dropout = 0.0;
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
};
// Two 5x5 convolutions with pooling, then 120 and 84 units. To (N, classes).
Model lenet(const LeNetOptions& options = {});

struct VggOptions {
    Shape input_shape = {32, 32, 3};
    int64_t classes = 10;
    std::vector<std::vector<int64_t>> filters = {{64, 64}, {128, 128}, {256, 256}};  // of each convolution of a stack
    std::vector<int64_t> units = {256};
    bool batch_normalization = true;
    double dropout = 0.0;
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
};
// Stacks of 3x3 convolutions with 2x2 pooling after each, then fully connected layers. To (N, classes).
Model vgg(const VggOptions& options = {});

struct ResNet18Options {
    Shape input_shape = {32, 32, 3};
    int64_t classes = 10;
    std::string stem = "auto";  // "imagenet", "small"
    int64_t width = 64;         // filters of the first stage
    double dropout = 0.0;
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
    std::string padding = "same";  // of strided convolutions; "torch": the same number of zeros on all sides
};
// Eight residual blocks of two 3x3 convolutions. To (N, classes).
Model resnet18(const ResNet18Options& options = {});

// Of networks for pictures of 224 x 224 pixels and ImageNet's classes. Layers have the names of torchvision's modules,
// so that its weights fit. Stochastic depth, which torchvision trains two of them with, is left out.
struct ImageNetOptions {
    Shape input_shape = {224, 224, 3};
    int64_t classes = 1000;
    std::optional<double> dropout = {};  // of the published network when not given
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
    bool imagenet_pixels = false;  // bytes or floats from 0 to 255 come in; the network normalises them
};
// Each to (N, classes).
Model resnet50(const ImageNetOptions& options = {});
Model mobilenet_v2(const ImageNetOptions& options = {});
Model mobilenet_v3_small(const ImageNetOptions& options = {});
Model efficientnet_b0(const ImageNetOptions& options = {});
Model densenet121(const ImageNetOptions& options = {});
Model convnext_tiny(const ImageNetOptions& options = {});

struct UNetOptions {
    Shape input_shape = {128, 128, 1};
    int64_t classes = 2;
    int64_t base = 16;             // filters at full size
    int64_t depth = 4;             // how often height and width are halved
    std::string up = "transpose";  // or "upsample"
    double dropout = 0.0;
    std::optional<std::string> activation = {};
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
};
// Twice a convolution at every scale, each scale on the way up joined with what the way down had there. To (N, height,
// width, classes).
Model unet(const UNetOptions& options = {});

struct DetectorOptions {
    Shape input_shape = {128, 128, 3};
    int64_t classes = 1;
    int64_t base = 16;
    std::vector<int64_t> strides = {8, 16};
    int64_t depth = 1;  // convolutions at each scale
    std::optional<double> rescale = {};
    std::optional<uint64_t> seed = {};
};
// A one-stage detector without anchors; its loss is DetectionLoss of the same strides. To (N, rows, width / strides[0],
// 5 + classes): the maps one below the other, in rows of the finest one's width.
Model detector(const DetectorOptions& options = {});

}  // namespace models
}  // namespace striate STRIATE_API
