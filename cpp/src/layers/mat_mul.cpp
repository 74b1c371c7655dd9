#include "striate/layers/mat_mul.hpp"

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

using kernels::MatMulKind;

void emit_product(PlanContext& plan, const char* what, MatMulKind kind, TensorId a, TensorId b, TensorId y) {
    const kernels::MatMulArgs args{kind, plan.view(a), plan.view(b), plan.view(y), nullptr, nullptr, nullptr};
    const int64_t depth = kind == MatMulKind::first_transposed ? args.view_a.w : args.view_a.c;
    plan.step(with_flops(
        kernel_step(plan, kernels::K::matmul, what, args, {reads(args.a, a), reads(args.b, b), writes(args.y, y)}),
        2 * static_cast<double>(element_count(plan.shape(y))) * static_cast<double>(depth)));
}

}  // namespace

Shape MatMul::infer(const std::vector<Shape>& inputs) const {
    require(inputs.size() == 2, "[", label(), "] expects two inputs, got ", inputs.size());
    const Shape &a = inputs[0], &b = inputs[1];
    const size_t rank = a.size();
    bool fits = rank == b.size() && (rank == 2 || rank == 3) && (rank == 2 || a[0] == b[0]);
    fits = fits && a[rank - 1] == b[options_.transpose_b ? rank - 1 : rank - 2];
    require(fits, "[", label(), "] expects inputs (N, ..., M, K) and ",
            options_.transpose_b ? "(N, ..., L, K)" : "(N, ..., K, L)", " of 3 or 4 dimensions, got ", with_batch(a),
            " and ", with_batch(b));
    Shape shape = a;
    shape[rank - 1] = b[options_.transpose_b ? rank - 2 : rank - 1];
    return shape;
}

int64_t MatMul::multiply_adds(const std::vector<Shape>& inputs) const {
    return element_count(infer(inputs)) * inputs[0].back();
}

void MatMul::emit(PlanContext& plan) const {
    const TensorId a = plan.input(0), b = plan.input(1);
    const bool turned = options_.transpose_b;
    emit_product(plan, "matrix product", turned ? MatMulKind::second_transposed : MatMulKind::plain, a, b,
                 plan.output());
    plan.backward([=](BackwardContext& p) {
        const TensorId dy = p.output_gradient();
        if (p.wants_input_gradient(0))
            emit_product(p, "matrix product to a", turned ? MatMulKind::plain : MatMulKind::second_transposed, dy, b,
                         p.input_gradient(0));
        if (p.wants_input_gradient(1))
            emit_product(p, "matrix product to b", MatMulKind::first_transposed, turned ? dy : a, turned ? a : dy,
                         p.input_gradient(1));
    });
}

}  // namespace striate
