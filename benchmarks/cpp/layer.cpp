#include "layer.hpp"

#include "cpu/dispatch.hpp"

namespace bench {

convolution::Problem Layer::problem() const {
    convolution::Problem p;
    p.in_h = in.h, p.in_w = in.w, p.in_c = in.c;
    p.out_h = convolution::output_size(in.h, kernel, stride, 1, same);
    p.out_w = convolution::output_size(in.w, kernel, stride, 1, same);
    p.out_c = out_c;
    p.kernel = kernel, p.stride = stride, p.dilation = 1;
    p.groups = groups;
    p.pad_top = convolution::padding_before(in.h, kernel, stride, 1, same);
    p.pad_left = convolution::padding_before(in.w, kernel, stride, 1, same);
    return p;
}

View Layer::in_view() const {
    return view_of(in, convolution::input_halo(problem()));
}
View Layer::out_view() const {
    return view_of(out(), {});
}

std::string Layer::text() const {
    const std::string side = std::to_string(kernel);
    std::string name;
    if (in.h == 1 && in.w == 1)
        name = "dense";
    else
        name = side + "x" + side + " /" + std::to_string(stride);
    if (!same) name += " valid";
    if (groups > 1 && !depthwise()) name += " in " + std::to_string(groups) + " groups";
    return name + " " + in.text() + " to " + std::to_string(out_c);
}

Machine machine() {
    return Machine::of(striate::dispatch::kernels().vector_width);
}

}  // namespace bench
