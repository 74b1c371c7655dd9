#include "graph/plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>

#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

bool switched_on(const char* variable) {
    const char* text = std::getenv(variable);
    if (!text || !*text) return true;
    const std::string value = text;
    require(value == "0" || value == "1", "the environment variable ", variable, " must be 0 or 1, got ", quoted(value),
            "; set it to one or unset it");
    return value == "1";
}

}  // namespace

PlanOptions PlanOptions::from_environment() {
    return {switched_on("STRIATE_FUSION"), switched_on("STRIATE_WINOGRAD")};
}

void Plan::run(Section from, Section to, uint64_t seed, uint64_t iteration) {
    const Frame frame{tensors_.data(), seed, iteration};
    if (prepared_version_ != parameters_->version()) {
        const uint64_t version = parameters_->version();
        if (!prepare_.empty()) executor_.run(prepare_, 0, prepare_.size(), frame, true, scratch_);
        prepared_version_ = version;
    }
    const bool with_output =
        std::any_of(data.outputs.begin(), data.outputs.end(), [](const float* p) { return p != nullptr; });
    executor_.run(steps_, sections_[from], sections_[to], frame, with_output, scratch_, recorder);
}

double Plan::loss_value(size_t output) const {
    double value;
    std::memcpy(&value, tensors_[loss_values_[output].index], sizeof(value));
    return value;
}

void Plan::read(TensorId tensor, float* out) const {
    const View& v = views_[tensor.index];
    const float* from = reinterpret_cast<const float*>(tensors_[tensor.index]);
    for (int64_t n = 0; n < v.n; ++n)
        for (int64_t y = 0; y < v.h; ++y)
            for (int64_t x = 0; x < v.w; ++x, out += v.c)
                std::memcpy(out, from + n * v.image + y * v.row + x * v.pixel, v.c * sizeof(float));
}

void Plan::read_watched(size_t index, float* value, float* gradient) const {
    const View& v = views_[watched_values_[index].index];
    read(watched_values_[index], value);
    if (watched_gradients_[index].valid()) {
        read(watched_gradients_[index], gradient);
    } else {
        std::fill_n(gradient, v.n * v.h * v.w * v.c, 0.0f);
    }
}

void Plan::read_input_gradient(size_t index, float* out) const {
    if (input_gradients_[index].valid()) read(input_gradients_[index], out);
}

}  // namespace striate
