// Convolutions in groups of a few channels. The gradient to weights is measured without the sum of its pieces.
#include "cpu/grouped.hpp"

#include "layer.hpp"

namespace bench {

using namespace striate::kernels;

Cases cases_grouped_conv(Kernel<GroupedConvArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kGroupedLayers) {
        if (!convolution::groups_fit(layer.problem(), machine())) continue;
        cases.push_back({"forward " + layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const auto l =
                                 convolution::grouped_forward(p, layer.in_view(), layer.out_view(), machine());
                             GroupedConvArgs a = l.conv;
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.y = memory.map(layer.out()).data;
                             a.weights = memory.floats(l.packed_floats, -0.1f, 0.1f);
                             a.bias = memory.floats(layer.out_c);
                             return {call(kernel, a)};
                         }});
        cases.push_back({"to input " + layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const Map dy = memory.map(layer.out(), convolution::output_halo(p)),
                                       dx = memory.map(layer.in);
                             Work work;
                             for (const auto& l : convolution::grouped_to_input(p, dy.view, dx.view, machine())) {
                                 GroupedConvArgs a = l.conv;
                                 a.x = dy.data;
                                 a.y = dx.data;
                                 a.weights = memory.floats(l.packed_floats, -0.1f, 0.1f);
                                 work.push_back(call(kernel, a));
                             }
                             return work;
                         }});
    }
    return cases;
}

Cases cases_grouped_weights(Kernel<GroupedWeightArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kGroupedLayers) {
        if (!convolution::groups_fit(layer.problem(), machine())) continue;
        cases.push_back({layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const auto l =
                                 convolution::grouped_to_weights(p, layer.in_view(), layer.out_view(), machine());
                             GroupedWeightArgs a = l.weights;
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.dy = memory.map(layer.out()).data;
                             a.slots = memory.array<float>(l.slot_floats);
                             return {call(kernel, a)};
                         }});
    }
    return cases;
}

Cases cases_pack_grouped(Kernel<GroupedPackArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kGroupedLayers) {
        const convolution::Problem p = layer.problem();
        if (!convolution::groups_fit(p, machine())) continue;
        const View dy = view_of(layer.out(), convolution::output_halo(p)), dx = view_of(layer.in, {});
        const auto calls = convolution::grouped_to_input(p, dy, dx, machine());
        cases.push_back({"to input " + layer.text(), 0, 2 * kFloat * static_cast<double>(layer.weights()),
                         [=](Memory& memory) -> Work {
                             const float* from = memory.floats(layer.weights(), -0.1f, 0.1f);
                             Work work;
                             for (const auto& l : calls) {
                                 GroupedPackArgs a = l.pack;
                                 a.src = from;
                                 a.dst = memory.array<float>(l.packed_floats);
                                 work.push_back(call(kernel, a));
                             }
                             return work;
                         }});
    }
    return cases;
}

}  // namespace bench
