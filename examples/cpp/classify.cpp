// Classifies one image, a binary PGM file or a picture of an IDX file, with a model of train_lenet or of Python.
//   classify MODEL IMAGE.pgm
//   classify MODEL IMAGES-idx3-ubyte NUMBER
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <striate/striate.hpp>

using namespace striate;

namespace {

std::vector<uint8_t> read_pgm(const std::string& path, int64_t& height, int64_t& width) {
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    int64_t largest = 0;
    file >> kind >> width >> height >> largest;
    file.get();
    if (!file || kind != "P5" || width < 1 || height < 1 || width > 65536 || height > 65536 || largest != 255)
        throw ValueError("'" + path + "' is no PGM file of bytes");
    std::vector<uint8_t> pixels(static_cast<size_t>(width * height));
    if (!file.read(reinterpret_cast<char*>(pixels.data()), width * height))
        throw ValueError("'" + path + "' ends too soon");
    return pixels;
}

}  // namespace

int main(int count, char** arguments) try {
    if (count < 3) return std::fprintf(stderr, "usage: classify MODEL IMAGE.pgm | MODEL IMAGES-idx3-ubyte NUMBER\n"), 2;
    const Model model = load_model(arguments[1]);
    std::vector<uint8_t> pixels;
    int64_t height = 0, width = 0;
    if (count > 3) {
        const IdxArray images = read_idx(arguments[2]);
        const long number = std::atol(arguments[3]);
        if (images.shape.size() != 3 || number < 0 || number >= images.shape[0]) throw ValueError("no such image");
        height = images.shape[1], width = images.shape[2];
        const auto first = images.values.begin() + number * height * width;
        pixels.assign(first, first + height * width);
    } else {
        pixels = read_pgm(arguments[2], height, width);
    }
    const std::vector<Tensor> outputs = model.predict({{pixels.data(), DType::uint8, {1, height, width, 1}}});
    const Tensor& probabilities = outputs[0];
    int64_t best = 0;
    for (int64_t c = 1; c < probabilities.size(); ++c)
        if (probabilities.data()[c] > probabilities.data()[best]) best = c;
    std::printf("class %lld, probability %.4f\n", static_cast<long long>(best), probabilities.data()[best]);
} catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
}
