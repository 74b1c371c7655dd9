#include "rewrites/fused_normalization.hpp"

#include <utility>

#include "layers/normalization_steps.hpp"
#include "planning/kernel_call.hpp"

namespace striate {
namespace {

using kernels::K;
using normalization::BatchNorm;
using normalization::Slope;

// Writes what the backward pass needs of a window: which of its places won, and the x there.
struct Kept {
    TensorId places, chosen;
};

void emit_pool(PlanContext& plan, const BatchNorm& norm, TensorId x, TensorId y, const Kept& kept) {
    const normalization::Affine affine = norm.affine;
    const bool relu = affine.activation == kernels::ActivationKind::relu;
    kernels::AffinePoolArgs args{};
    args.view_x = plan.view(x);
    args.view_y = plan.view(y);
    args.relu = relu;
    plan.step(kernel_step(
        plan, K::affine_pool, relu ? "normalise, max pool, relu" : "normalise, max pool", args,
        {reads(args.x, x), writes(args.y, y), reads(args.mean, affine.mean), reads(args.scale, affine.scale),
         reads(args.shift, affine.shift), writes(args.places, kept.places), writes(args.chosen, kept.chosen)}));
}

void emit_pool_backward(BackwardContext& plan, const BatchNorm& norm, TensorId x, TensorId dy, TensorId places,
                        const Slope& slope) {
    const TensorId dx = plan.input_gradient();
    const bool sloped = slope.slope.valid();
    kernels::AffinePoolGradArgs args{};
    args.view_x = plan.view(x);
    args.view_dy = plan.view(dy);
    args.view_dx = plan.view(dx);
    plan.step(kernel_step(
        plan, K::affine_pool_backward, "normalise, max pool backward", args,
        {reads(args.x, sloped ? x : TensorId()), reads(args.dy, dy), writes(args.dx, dx), reads(args.places, places),
         reads(args.mean, sloped ? norm.affine.mean : TensorId()), reads(args.scale, norm.affine.scale),
         reads(args.slope, slope.slope), reads(args.offset, slope.offset)}));
}

class FusedNormalization final : public Layer {
  public:
    bool per_sample() const override { return true; }
    FusedNormalization(std::shared_ptr<const BatchNormalization> norm, bool pool, kernels::ActivationKind activation)
        : Layer(norm->name()), norm_(std::move(norm)), pool_(pool), activation_(activation) {}

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
        if (!pool_) return normalization::emit_batch_normalization(plan, norm_->options(), activation_);
        const TensorId x = plan.input(), y = plan.output();
        BatchNorm norm = normalization::emit_statistics(plan, norm_->options(), x);
        norm.affine.activation = activation_;
        // The sums over the gradient have a term for each window: the x that won, kept, spares them a walk over all x.
        Kept kept;
        if (plan.wants_input_gradient()) kept.places = plan.create(plan.shape(y), {}, DType::uint8);
        if (wants_sums(plan, norm)) kept.chosen = plan.create(plan.shape(y));
        emit_pool(plan, norm, x, y, kept);
        plan.backward([=](BackwardContext& p) {
            const TensorId dy = p.output_gradient();
            const Slope slope = kept.chosen.valid() ? emit_gradients(p, norm, kept.chosen, dy) : Slope{};
            if (p.wants_input_gradient()) emit_pool_backward(p, norm, x, dy, kept.places, slope);
        });
    }

  private:
    std::shared_ptr<const BatchNormalization> norm_;
    bool pool_;
    kernels::ActivationKind activation_;
};

}  // namespace

LayerPtr fused_normalization(std::shared_ptr<const BatchNormalization> norm, bool pool,
                             kernels::ActivationKind activation) {
    return std::make_shared<const FusedNormalization>(std::move(norm), pool, activation);
}

}  // namespace striate
