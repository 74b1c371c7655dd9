#include "graph/fused_normalization.hpp"

#include <utility>

#include "layers/normalization_steps.hpp"
#include "layers/steps.hpp"

namespace striate {
namespace {

using normalization::BatchNorm;
using normalization::pointer;
using normalization::Slope;

// Writes what the backward pass needs of a window: which of its places won, and the x there.
struct Kept {
    TensorId places, chosen;
};

void emit_pool(PlanContext& plan, const BatchNorm& norm, TensorId x, TensorId y, const Kept& kept) {
    const normalization::Affine affine = norm.affine;
    kernels::AffinePoolArgs args{};
    args.view_x = plan.view(x);
    args.view_y = plan.view(y);
    args.relu = affine.relu;
    std::vector<TensorId> reads{x, affine.mean, affine.scale}, writes{y};
    if (affine.shift.valid()) reads.push_back(affine.shift);
    for (const TensorId id : {kept.places, kept.chosen})
        if (id.valid()) writes.push_back(id);
    plan.step(kernel_step(plan, affine.relu ? "normalise, max pool, relu" : "normalise, max pool",
                          dispatch::kernels().affine_pool, args, reads, writes,
                          [=](kernels::AffinePoolArgs& a, const Frame& f) {
                              a.x = f.get(x);
                              a.y = f.get(y);
                              a.mean = f.get(affine.mean);
                              a.scale = f.get(affine.scale);
                              a.shift = pointer(f, affine.shift);
                              a.places = kept.places.valid() ? f.get<uint8_t>(kept.places) : nullptr;
                              a.chosen = pointer(f, kept.chosen);
                          }));
}

void emit_pool_backward(PlanContext& plan, const BatchNorm& norm, TensorId x, TensorId dy, TensorId places,
                        const Slope& slope) {
    const TensorId dx = plan.input_gradient(), mean = norm.affine.mean, scale = norm.affine.scale;
    const bool sloped = slope.slope.valid();
    kernels::AffinePoolGradArgs args{};
    args.view_x = plan.view(x);
    args.view_dy = plan.view(dy);
    args.view_dx = plan.view(dx);
    std::vector<TensorId> reads{dy, places, scale};
    if (sloped)
        for (const TensorId id : {x, mean, slope.slope, slope.offset}) reads.push_back(id);
    plan.step(kernel_step(plan, "normalise, max pool backward", dispatch::kernels().affine_pool_backward, args, reads,
                          {dx}, [=](kernels::AffinePoolGradArgs& a, const Frame& f) {
                              a.x = sloped ? f.get(x) : nullptr;
                              a.dy = f.get(dy);
                              a.dx = f.get(dx);
                              a.places = f.get<uint8_t>(places);
                              a.mean = sloped ? f.get(mean) : nullptr;
                              a.scale = f.get(scale);
                              a.slope = pointer(f, slope.slope);
                              a.offset = pointer(f, slope.offset);
                          }));
}

class FusedNormalization final : public Layer {
  public:
    FusedNormalization(std::shared_ptr<const BatchNormalization> norm, bool pool, bool relu)
        : Layer(norm->name()), norm_(std::move(norm)), pool_(pool), relu_(relu) {}

    std::string type() const override { return norm_->type(); }
    Config config() const override { return norm_->config(); }
    std::vector<Parameter> parameters(const std::vector<Shape>& inputs) const override {
        return norm_->parameters(inputs);
    }
    Shape infer(const std::vector<Shape>& inputs) const override {
        Shape shape = norm_->infer(inputs);
        if (pool_) shape[0] /= 2, shape[1] /= 2;
        return shape;
    }

    void emit(PlanContext& plan) const override {
        if (!pool_) return normalization::emit_batch_normalization(plan, norm_->options(), relu_);
        const TensorId x = plan.input(), y = plan.output();
        BatchNorm norm = normalization::emit_statistics(plan, norm_->options(), x);
        norm.affine.relu = relu_;
        // The sums over the gradient have a term for each window: the x that won, kept, spares them a walk over all x.
        Kept kept;
        if (plan.wants_input_gradient()) kept.places = plan.create(plan.shape(y), {}, DType::uint8);
        if (wants_sums(plan, norm)) kept.chosen = plan.create(plan.shape(y));
        emit_pool(plan, norm, x, y, kept);
        plan.backward([=](PlanContext& p) {
            const TensorId dy = p.output_gradient();
            const Slope slope = kept.chosen.valid() ? emit_gradients(p, norm, kept.chosen, dy) : Slope{};
            if (p.wants_input_gradient()) emit_pool_backward(p, norm, x, dy, kept.places, slope);
        });
    }

  private:
    std::shared_ptr<const BatchNormalization> norm_;
    bool pool_, relu_;
};

}  // namespace

LayerPtr fused_normalization(std::shared_ptr<const BatchNormalization> norm, bool pool, bool relu) {
    return std::make_shared<const FusedNormalization>(std::move(norm), pool, relu);
}

}  // namespace striate
