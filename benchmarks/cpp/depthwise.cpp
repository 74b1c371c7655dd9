// Nine multiply-adds or so for each float that is read and written: memory is the limit.
#include "layer.hpp"

namespace bench {

using namespace striate::kernels;

Cases cases_depthwise(Kernel<DepthwiseArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kDepthwiseLayers)
        cases.push_back({"forward " + layer.text(), 0, layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             DepthwiseArgs a = convolution::depthwise_forward(p, layer.in_view(), layer.out_view());
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.y = memory.map(layer.out()).data;
                             a.weights = memory.floats(layer.weights());
                             a.bias = memory.floats(layer.out_c);
                             return {call(kernel, a)};
                         }});
    for (const Layer& layer : kDepthwiseLayers)
        cases.push_back({"to input " + layer.text(), 0, layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const Map dy = memory.map(layer.out(), convolution::output_halo(p)),
                                       dx = memory.map(layer.in);
                             const float* weights = memory.floats(layer.weights());
                             Work work;
                             for (DepthwiseArgs a : convolution::depthwise_to_input(p, dy.view, dx.view)) {
                                 a.x = dy.data;
                                 a.y = dx.data;
                                 a.weights = weights;
                                 work.push_back(call(kernel, a));
                             }
                             return work;
                         }});
    return cases;
}

Cases cases_depthwise_weights(Kernel<DepthwiseWeightArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kDepthwiseLayers)
        cases.push_back({layer.text(), 0, layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const auto l = convolution::depthwise_to_weights(p, layer.in_view(), layer.out_view());
                             DepthwiseWeightArgs a = l.weights;
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.dy = memory.map(layer.out()).data;
                             a.slots = memory.array<float>(l.slot_floats);
                             return {call(kernel, a)};
                         }});
    return cases;
}

}  // namespace bench
