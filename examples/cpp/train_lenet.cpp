// Trains a LeNet on the four IDX files of a folder (the digits beside this file, MNIST, Fashion-MNIST) and saves it.
//   train_lenet FOLDER [EPOCHS [MODEL]]
#include <cstdio>
#include <cstdlib>
#include <striate/striate.hpp>

using namespace striate;

namespace {

LayerPtr conv(int64_t filters, const char* name) {
    Conv2DOptions options;
    options.filters = filters, options.kernel_size = 5, options.padding = "same", options.activation = "relu";
    return std::make_shared<Conv2D>(options, name);
}

LayerPtr dense(int64_t units, const char* name, const char* activation) {
    DenseOptions options;
    options.units = units, options.activation = activation;
    return std::make_shared<Dense>(options, name);
}

}  // namespace

int main(int count, char** arguments) try {
    if (count < 2) return std::fprintf(stderr, "usage: train_lenet FOLDER [EPOCHS [MODEL]]\n"), 2;
    const std::string folder = arguments[1];
    const IdxArray x = read_idx(folder + "/train-images-idx3-ubyte"), y = read_idx(folder + "/train-labels-idx1-ubyte");
    const IdxArray x_test = read_idx(folder + "/t10k-images-idx3-ubyte"),
                   y_test = read_idx(folder + "/t10k-labels-idx1-ubyte");
    const Dataset training{{x.images()}, {y.array()}, {}}, test{{x_test.images()}, {y_test.array()}, {}};

    InputLayerOptions shape;
    shape.shape = {x.shape[1], x.shape[2], 1};
    MaxPooling2DOptions pool;
    RescalingOptions bytes;
    bytes.scale = {1.0 / 255};
    Model model = Model::sequential(
        {std::make_shared<InputLayer>(shape, "image"), std::make_shared<Rescaling>(bytes, "rescaling"),
         conv(6, "conv1"), std::make_shared<MaxPooling2D>(pool, "pool1"), conv(16, "conv2"),
         std::make_shared<MaxPooling2D>(pool, "pool2"), std::make_shared<Flatten>(FlattenOptions(), "flatten"),
         dense(120, "dense1", "relu"), dense(84, "dense2", "relu"), dense(10, "probabilities", "softmax")},
        0);

    Trainer trainer(model, std::make_shared<Adam>(AdamOptions()), {std::make_shared<SparseCategoricalCrossentropy>()},
                    {}, 0);
    FitOptions options;
    options.epochs = count > 2 ? std::atoi(arguments[2]) : 20;
    options.validation = &test;
    options.after_epoch = [](const EpochLog& log) {
        std::printf("epoch %d: loss %.4f, accuracy %.4f, on the test images %.4f\n", static_cast<int>(log.epoch + 1),
                    log.training.loss, log.training.accuracy, log.validation->accuracy);
        return true;
    };
    fit(trainer, training, options);
    save_model(model, count > 3 ? arguments[3] : "lenet.safetensors");
} catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
}
