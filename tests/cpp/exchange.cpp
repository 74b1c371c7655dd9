// What tests/test_exchange.py has a C++ program do with files of Python's: predict, train, save.
//   exchange predict MODEL X OUT
//   exchange devices MODEL...     compares what each computes on the CPU and on devices that have some of the kernels
//   exchange train MODEL STATE X Y LOSS OPTIMIZER EPOCHS MODEL_OUT STATE_OUT AUGMENTED
// AUGMENTED is 0, or 1 for the changes in augmentation() below.
// Arrays are files: type (0 float32, 1 uint8, 2 int64) and number of axes as int64, the axes, the values.
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "device_check.hpp"
#include "striate/striate.hpp"

using namespace striate;

namespace {

struct Stored {
    std::vector<char> bytes;
    Array array;
};

Stored read_array(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    int64_t head[2] = {};
    file.read(reinterpret_cast<char*>(head), sizeof head);
    Stored stored;
    stored.array.type = head[0] == 0 ? DType::float32 : head[0] == 1 ? DType::uint8 : DType::int64;
    stored.array.shape.resize(static_cast<size_t>(head[1]));
    file.read(reinterpret_cast<char*>(stored.array.shape.data()), head[1] * 8);
    const int64_t size = element_count(stored.array.shape) * static_cast<int64_t>(byte_size(stored.array.type));
    stored.bytes.resize(static_cast<size_t>(size));
    if (!file.read(stored.bytes.data(), size)) throw ValueError("cannot read " + path);
    stored.array.data = stored.bytes.data();
    return stored;
}

void write_array(const std::string& path, const Tensor& tensor) {
    std::ofstream file(path, std::ios::binary);
    const int64_t head[2] = {0, static_cast<int64_t>(tensor.shape().size())};
    file.write(reinterpret_cast<const char*>(head), sizeof head);
    file.write(reinterpret_cast<const char*>(tensor.shape().data()), head[1] * 8);
    file.write(reinterpret_cast<const char*>(tensor.data()), tensor.size() * 4);
    if (!file) throw ValueError("cannot write " + path);
}

Augmentation augmentation() {
    Augmentation change;
    change.flip_horizontal = 0.5, change.rotation = 20, change.brightness = 0.1, change.noise = 0.05;
    change.seed = 3;
    return change;
}

void train(char** a) {
    Model model = load_model(a[0]);
    const Stored x = read_array(a[2]), y = read_array(a[3]);
    Trainer trainer(model, make_optimizer(a[5], {}), {make_loss(a[4], {})}, {}, 0);
    load_training(trainer, a[1]);
    FitOptions options;
    options.batch_size = 4;
    options.epochs = std::atoi(a[6]);
    if (std::atoi(a[9])) options.augmentation = augmentation();
    const std::vector<EpochLog> history = fit(trainer, {{x.array}, {y.array}, {}}, options);
    save_model(model, a[7]);
    save_training(trainer, a[8]);
    for (const EpochLog& log : history) std::printf("%.17g %.17g\n", log.training.loss, log.training.accuracy);
}

}  // namespace

int main(int count, char** arguments) try {
    const std::string task = count > 1 ? arguments[1] : "";
    if (task == "predict" && count == 5) {
        const Stored x = read_array(arguments[3]);
        write_array(arguments[4], load_model(arguments[2]).predict({x.array})[0]);
    } else if (task == "train" && count == 12) {
        train(arguments + 2);
    } else if (task == "devices") {
        int errors = 0;
        const auto check = [&](bool correct, const std::string& error) {
            if (!correct) ++errors, std::fprintf(stderr, "%s\n", error.c_str());
        };
        for (int i = 2; i < count; ++i)
            test::compare_devices(
                arguments[i],
                [&](const std::function<void(Model&)>& move) {
                    Model model = load_model(arguments[i]);
                    move(model);
                    return test::compute(model, make_optimizer("Adam", {}));
                },
                check);
        return errors > 0;
    } else {
        return std::fprintf(stderr, "see the head of exchange.cpp\n"), 2;
    }
} catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
}
