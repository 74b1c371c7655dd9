#include "layers/steps.hpp"

namespace striate {

double traffic(const PlanContext& plan, const std::vector<TensorId>& reads, const std::vector<TensorId>& writes) {
    double floats = 0.0;
    for (const std::vector<TensorId>* list : {&reads, &writes})
        for (TensorId id : *list) floats += static_cast<double>(element_count(plan.shape(id)));
    return floats * sizeof(float);
}

Step copy_step(const PlanContext& plan, const char* what, TensorId x, const View& view_x, int64_t offset_x, TensorId y,
               const View& view_y, int64_t offset_y) {
    kernels::CopyArgs args{view_x, view_y, nullptr, nullptr};
    Step step =
        kernel_step(plan, what, dispatch::kernels().copy, args, {x}, {y}, [=](kernels::CopyArgs& a, const Frame& f) {
            a.x = f.get(x) + offset_x;
            a.y = f.get(y) + offset_y;
        });
    step.bytes = 8.0 * static_cast<double>(view_y.n * view_y.h * view_y.w * view_y.c);
    return step;
}

}  // namespace striate
