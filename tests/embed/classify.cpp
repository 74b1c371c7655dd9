// Predicts with a model: floats from stdin, floats to stdout. In C++17, and includes nothing but what it needs.
#include <cstdio>
#include <striate/io.hpp>

int main(int count, char** arguments) try {
    if (count != 2) return 2;
    const striate::Model model = striate::load_model(arguments[1]);
    striate::Shape shape = model.input_shapes()[0];
    shape.insert(shape.begin(), 1);
    striate::Tensor x(shape);
    if (std::fread(x.data(), sizeof(float), static_cast<size_t>(x.size()), stdin) != static_cast<size_t>(x.size()))
        throw striate::ValueError("too few numbers");
    const std::vector<striate::Tensor> y = model.predict({x});
    std::fwrite(y[0].data(), sizeof(float), static_cast<size_t>(y[0].size()), stdout);
} catch (const striate::ValueError& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}
