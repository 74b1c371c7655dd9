#include "layers/margins.hpp"

#include <algorithm>

#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::margins {
namespace {

// The middle of `large`, in the shape of `small`, and where it begins.
View middle(const View& large, const View& small) {
    View view = large;
    view.h = small.h;
    view.w = small.w;
    return view;
}
int64_t offset(const View& large, const std::vector<int64_t>& m) {
    return m[0] * large.row + m[2] * large.pixel;
}

}  // namespace

void check(const std::vector<int64_t>& m, const char* argument, const std::string& owner) {
    require(m.size() == 4, "[", owner, "] ", argument, " must be four numbers (top, bottom, left, right), got ",
            m.size());
    require(std::all_of(m.begin(), m.end(), [](int64_t v) { return v >= 0; }), "[", owner, "] ", argument,
            " must not be negative, got ", to_string(m));
}

void emit_widen(PlanContext& plan, const char* what, TensorId small, TensorId large, const std::vector<int64_t>& m) {
    const View view_small = plan.view(small), view_large = plan.view(large), inside = middle(view_large, view_small);
    const int64_t at = offset(view_large, m);
    const kernels::ZeroHaloArgs ring{inside, nullptr, m[0], m[1], m[2], m[3]};
    plan.step(kernel_step(plan, kernels::K::zero_halo, "zero margins", ring, {writes(ring.y, large, at)}));
    plan.step(copy_step(plan, what, small, view_small, 0, large, inside, at));
}

void emit_narrow(PlanContext& plan, const char* what, TensorId large, TensorId small, const std::vector<int64_t>& m) {
    const View view_small = plan.view(small), view_large = plan.view(large);
    plan.step(
        copy_step(plan, what, large, middle(view_large, view_small), offset(view_large, m), small, view_small, 0));
}

}  // namespace striate::margins
