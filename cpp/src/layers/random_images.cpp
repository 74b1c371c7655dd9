#include "layers/random_images.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "cpu/cpu.hpp"
#include "striate/error.hpp"

namespace striate::random_images {
namespace {

// Into how many pieces a batch is cut, at most; each has an Augmenter, so that threads share none.
constexpr int64_t kMaxPieces = 64;

using Draw = std::function<void(Uniforms&, Drawn&)>;

bool whole(const View& v) {
    return v.pixel == v.c && v.row == v.w * v.c;
}

void copy_image(const View& from_view, const float* from, const View& to_view, float* to) {
    for (int64_t y = 0; y < from_view.h; ++y)
        for (int64_t x = 0; x < from_view.w; ++x)
            std::copy_n(from + y * from_view.row + x * from_view.pixel, from_view.c,
                        to + y * to_view.row + x * to_view.pixel);
}

// The changes of a batch. Images are contiguous for an Augmenter; those that are not are copied.
class Changes {
  public:
    Changes(const Augmentation& change, bool nearest, Draw draw, const View& v, uint64_t stream)
        : nearest_(nearest),
          draw_(std::move(draw)),
          image_{1, v.h, v.w, v.c, v.h * v.w * v.c, v.w * v.c, v.c},
          batch_(v.n),
          stream_(stream),
          fill_(static_cast<size_t>(v.c), static_cast<float>(change.fill_value)) {
        for (int64_t piece = 0; piece < pieces(); ++piece)
            augmenters_.push_back(Augmenter::without_room(change, {v.h, v.w, v.c}, DType::float32));
        room_ = (augmenters_.front().room_bytes() + 63) / 64 * 64;
    }

    int64_t pieces() const { return std::min(batch_, kMaxPieces); }
    int64_t size() const { return image_.image; }
    size_t scratch(int copies) const { return room_ + copies * sizeof(float) * static_cast<size_t>(size()); }

    void forward(const Frame& f, int64_t begin, int64_t end, std::byte* scratch, const View& from_view,
                 const float* from, const View& to_view, float* to) {
        each_image(f, begin, end, scratch, [&](Augmenter& augmenter, const Drawn& drawn, int64_t i, float* memory) {
            const float* source = read(from_view, from + i * from_view.image, memory);
            float* target = to + i * to_view.image;
            float* made = whole(to_view) ? target : memory + size();
            if (nearest_) {
                augmenter.mask(source, sizeof(float) * fill_.size(), fill_.data(), drawn, made);
            } else {
                augmenter.image(source, drawn, made);
            }
            if (made != target) copy_image(image_, made, to_view, target);
        });
    }

    void backward(const Frame& f, int64_t begin, int64_t end, std::byte* scratch, const View& x_view, const float* x,
                  const View& dy_view, const float* dy, const View& dx_view, float* dx) {
        each_image(f, begin, end, scratch, [&](Augmenter& augmenter, const Drawn& drawn, int64_t i, float* memory) {
            const float* source = x ? read(x_view, x + i * x_view.image, memory) : nullptr;
            const float* gradient = read(dy_view, dy + i * dy_view.image, memory + size());
            float* target = dx + i * dx_view.image;
            float* made = whole(dx_view) ? target : memory + 2 * size();
            augmenter.image_gradient(source, drawn, nearest_, gradient, made);
            if (made != target) copy_image(image_, made, dx_view, target);
        });
    }

  private:
    const float* read(const View& view, const float* from, float* memory) const {
        if (whole(view)) return from;
        copy_image(view, from, image_, memory);
        return memory;
    }

    template <class F>
    void each_image(const Frame& f, int64_t begin, int64_t end, std::byte* scratch, F&& change) {
        Drawn drawn;
        auto* memory = reinterpret_cast<float*>(scratch + room_);
        for (int64_t piece = begin; piece < end; ++piece) {
            Augmenter& augmenter = augmenters_[static_cast<size_t>(piece)];
            augmenter.use(scratch);
            for (int64_t i = batch_ * piece / pieces(); i < batch_ * (piece + 1) / pieces(); ++i) {
                const auto row = static_cast<uint64_t>(f.first_row + i);
                Uniforms numbers(f.seed, kRandomLayers, row, f.iteration, stream_);
                draw_(numbers, drawn);
                change(augmenter, drawn, i, memory);
            }
        }
    }

    bool nearest_;
    Draw draw_;
    View image_;
    int64_t batch_;
    uint64_t stream_;
    std::vector<float> fill_;  // a pixel
    std::vector<Augmenter> augmenters_;
    size_t room_ = 0;
};

void emit(PlanContext& plan, const Augmentation& change, bool nearest, Draw draw) {
    if (!plan.training()) {
        plan.output_is(plan.input());
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
        return;
    }
    require(cpu().has(kernels::K::warp.row), "[", plan.name(),
            "] random changes of images belong to training; call use_training_kernels() before predict");
    const TensorId x = plan.input(), y = plan.output();
    const View x_view = plan.view(x), y_view = plan.view(y);
    const auto changes = std::make_shared<Changes>(change, nearest, std::move(draw), x_view, plan.random_stream());
    // Some arithmetic for each value, so that a batch of more than a few values is shared by the threads.
    const auto work = [=](Step& step, const char* what, int copies) {
        const double values = static_cast<double>(x_view.n * changes->size());
        step.what = what;
        step.units = changes->pieces();
        step.scratch = changes->scratch(copies);
        step.flops = 16 * values;
        step.bytes = 8 * values;
    };
    Step forward;
    work(forward, "random change of images", 2);
    forward.reads = {x}, forward.writes = {y};
    forward.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte* scratch) {
        changes->forward(f, begin, end, scratch, x_view, f.get(x), y_view, f.get(y));
    };
    plan.step(std::move(forward));
    const bool reads_x = change.value_range.has_value();
    plan.backward([=](BackwardContext& p) {
        if (!p.wants_input_gradient()) return;
        const TensorId dy = p.output_gradient(), dx = p.input_gradient();
        const View dy_view = p.view(dy), dx_view = p.view(dx);
        Step backward;
        work(backward, "gradient of changed images", 3);
        backward.reads = {dy}, backward.writes = {dx};
        if (reads_x) backward.reads.push_back(x);
        backward.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte* scratch) {
            changes->backward(f, begin, end, scratch, x_view, reads_x ? f.get(x) : nullptr, dy_view, f.get(dy), dx_view,
                              f.get(dx));
        };
        p.step(std::move(backward));
    });
}

}  // namespace

Range range_of(const std::vector<double>& factor, double low, double high, const std::string& owner, const char* name) {
    require(factor.size() == 1 || factor.size() == 2, "[", owner, "] ", name,
            " must be a number or (lowest, highest), got ", factor.size(), " numbers");
    const Range range = {factor.size() == 1 ? -std::fabs(factor[0]) : factor[0],
                         factor.size() == 1 ? std::fabs(factor[0]) : factor[1]};
    require(range[0] >= low && range[0] <= range[1] && range[1] <= high, "[", owner, "] ", name,
            " must be a number or (lowest, highest) within ", low, " .. ", high, ", got ", range[0], " .. ", range[1]);
    return range;
}

Range value_range_of(const std::vector<double>& range, const std::string& owner) {
    const bool fits = range.size() == 2 && std::isfinite(range[0]) && std::isfinite(range[1]) && range[0] < range[1];
    require(fits, "[", owner, "] value_range must be two numbers (lowest, highest), such as (0, 255)");
    return {range[0], range[1]};
}

void check(const ImageSampling& sampling, const std::string& owner) {
    const std::vector<std::string> fills = {"reflect", "wrap", "constant", "nearest"};
    require(std::find(fills.begin(), fills.end(), sampling.fill_mode) != fills.end(), "[", owner,
            "] fill_mode must be reflect, wrap, constant or nearest, got '", sampling.fill_mode, "'");
    require(sampling.interpolation == "bilinear" || sampling.interpolation == "nearest", "[", owner,
            "] interpolation must be bilinear or nearest, got '", sampling.interpolation, "'");
    require(std::isfinite(static_cast<float>(sampling.fill_value)), "[", owner, "] fill_value must be finite, got ",
            sampling.fill_value);
}

void emit_moves(PlanContext& plan, const ImageSampling& sampling, std::function<Motion(Uniforms&)> draw) {
    Augmentation change;
    change.fill = fill_mode(sampling.fill_mode);
    change.fill_value = sampling.fill_value;
    const View v = plan.view(plan.input());
    emit(plan, change, sampling.interpolation == "nearest",
         [draw = std::move(draw), h = v.h, w = v.w](Uniforms& numbers, Drawn& drawn) {
             drawn.matrix = matrix_of(draw(numbers), h, w);
         });
}

void emit_shades(PlanContext& plan, const Range& value_range, std::function<void(Uniforms&, Drawn&)> draw) {
    Augmentation change;
    change.brightness = change.contrast = 1.0;  // both may change
    change.value_range = value_range;
    const View v = plan.view(plan.input());
    emit(plan, change, false,
         [draw = std::move(draw), still = matrix_of({}, v.h, v.w)](Uniforms& numbers, Drawn& drawn) {
             drawn.matrix = still;
             draw(numbers, drawn);
         });
}

}  // namespace striate::random_images
