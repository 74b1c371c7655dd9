// Convolution and dense layers, with arguments made by the functions that the layers call. Packing and the sum of the
// pieces of a weight gradient are rows of their own.
#include <algorithm>

#include "cpu/dispatch.hpp"
#include "layer.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

// A transposed convolution is the gradient to the input of this one.
constexpr Layer kTransposed = {{16, 32, 32, 64}, 128, 2, 2};
constexpr const char* kTransposedText = "transposed 2x2 /2 16x16x16x128 to 64";

// Packing copies what the kernel reads again and again: weights, or gradients when `turned`.
struct Gradient {
    std::vector<convolution::Lowered> calls;
    bool turned;
};
Gradient lower_gradient(const Layer& layer) {
    const convolution::Problem p = layer.problem();
    const View dy = view_of(layer.out(), convolution::output_halo(p)), dx = view_of(layer.in, {});
    if (convolution::prefers_turned(p, dy, dx)) return {{convolution::to_input_turned(p, dy, dx, machine())}, true};
    return {convolution::to_input(p, dy, dx, machine()), false};
}
convolution::Lowered lower_forward(const Layer& layer) {
    return convolution::forward(layer.problem(), layer.in_view(), layer.out_view(), machine());
}

// Weights in the order of the layer or packed, whichever is larger, up to the end of the last vector.
float* some_weights(Memory& memory, const Layer& layer, const convolution::Lowered& l) {
    return memory.floats(std::max(layer.weights(), l.packed_floats) + machine().lanes, -0.1f, 0.1f);
}

Case forward(Kernel<ConvArgs> kernel, const Layer& layer) {
    return {"forward " + layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                const convolution::Lowered l = lower_forward(layer);
                ConvArgs a = l.conv;
                a.x = memory.map(layer.in, convolution::input_halo(layer.problem())).data;
                a.y = memory.map(layer.out()).data;
                a.weights = some_weights(memory, layer, l);
                a.bias = memory.floats(layer.out_c);
                return {call(kernel, a)};
            }};
}

Case to_input(Kernel<ConvArgs> kernel, const Layer& layer, const std::string& text) {
    return {text, layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                const Gradient gradient = lower_gradient(layer);
                const float* dy = memory.map(layer.out(), convolution::output_halo(layer.problem())).data;
                float* dx = memory.map(layer.in).data;
                Work work;
                for (const convolution::Lowered& l : gradient.calls) {
                    ConvArgs a = l.conv;
                    const float* weights = some_weights(memory, layer, l);
                    a.x = gradient.turned ? weights : dy;
                    a.weights = gradient.turned ? memory.floats(l.packed_floats) : weights;
                    a.y = dx;
                    work.push_back(call(kernel, a));
                }
                return work;
            }};
}

Case pack(Kernel<PackArgs> kernel, const std::string& text, int64_t source,
          const std::vector<convolution::Lowered>& calls) {
    int64_t packed = 0;
    for (const convolution::Lowered& l : calls) packed += l.packed_floats;
    return {text, 0, kFloat * static_cast<double>(source + packed), [=](Memory& memory) -> Work {
                const float* from = memory.floats(source, -0.1f, 0.1f);
                Work work;
                for (const convolution::Lowered& l : calls) {
                    PackArgs a = l.pack;
                    a.src = from;
                    a.dst = memory.array<float>(l.packed_floats);
                    work.push_back(call(kernel, a));
                }
                return work;
            }};
}

}  // namespace

Cases cases_conv(Kernel<ConvArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) cases.push_back(forward(kernel, layer));
    for (const Layer& layer : kLayers)
        if (!layer.first()) cases.push_back(to_input(kernel, layer, "to input " + layer.text()));
    cases.push_back(to_input(kernel, kTransposed, kTransposedText));
    return cases;
}

// Convolutions whose output has even sides.
Cases cases_pooled_conv(Kernel<PooledConvArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        const Size out = layer.out();
        if (out.h % 2 || out.w % 2 || layer.problem().groups > 1) continue;
        cases.push_back({layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const Map y = memory.map({out.n, out.h / 2, out.w / 2, out.c});
                             const convolution::LoweredPooled l =
                                 convolution::pooled(p, layer.in_view(), y.view, machine(), true);
                             PooledConvArgs a = l.args;
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.weights = memory.floats(std::max(layer.weights(), l.sums.packed_floats));
                             a.bias = memory.floats(out.c);
                             a.y = y.data;
                             const Kernel<PooledConvArgs> run = kernel;
                             return {{units(a),
                                      [=](int64_t begin, int64_t end, std::byte* scratch) {
                                          PooledConvArgs mine = a;
                                          mine.scratch = reinterpret_cast<float*>(scratch);
                                          run(mine, begin, end);
                                      },
                                      static_cast<size_t>(l.scratch_floats) * sizeof(float)}};
                         }});
    }
    return cases;
}

Cases cases_pack_weights(Kernel<PackArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        const convolution::Lowered ahead = lower_forward(layer);
        if (!ahead.direct) cases.push_back(pack(kernel, "forward " + layer.text(), layer.weights(), {ahead}));
        if (layer.first()) continue;
        const Gradient gradient = lower_gradient(layer);
        const int64_t source = gradient.turned ? layer.out().elements() : layer.weights();
        cases.push_back(pack(kernel, "to input " + layer.text(), source, gradient.calls));
    }
    return cases;
}

Cases cases_conv_weights(Kernel<ConvWeightArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers)
        cases.push_back({layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             const convolution::Problem p = layer.problem();
                             const convolution::LoweredWeights l =
                                 convolution::to_weights(p, layer.in_view(), layer.out_view(), machine());
                             ConvWeightArgs a = l.weights;
                             a.x = memory.map(layer.in, convolution::input_halo(p)).data;
                             a.dy = memory.map(layer.out()).data;
                             a.slots = memory.array<float>(l.slot_floats);
                             return {{units(a),
                                      [=](int64_t begin, int64_t end, std::byte* scratch) {
                                          ConvWeightArgs mine = a;
                                          mine.scratch = reinterpret_cast<float*>(scratch);
                                          kernel(mine, begin, end);
                                      },
                                      static_cast<size_t>(l.scratch_floats) * sizeof(float)}};
                         }});
    return cases;
}

// By the multiply-adds that are done, a quarter of those of the definition.
Cases cases_maxima_weights(Kernel<MaximaWeightArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        const convolution::Problem p = layer.problem();
        if (!convolution::maxima_fit(p)) continue;
        Size maxima = layer.out();
        maxima.h /= 2, maxima.w /= 2;
        cases.push_back({layer.text(), layer.flops() / 4, layer.bytes(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(layer.in, convolution::input_halo(p)), dy = memory.map(maxima);
                             const convolution::LoweredMaximaWeights l =
                                 convolution::maxima_to_weights(p, x.view, dy.view);
                             MaximaWeightArgs a = l.weights;
                             a.x = x.data, a.dy = dy.data;
                             a.places = memory.bytes(maxima.elements());
                             a.slots = memory.array<float>(l.slot_floats);
                             a.bias = memory.array<float>(l.bias_floats);
                             return {{units(a),
                                      [=](int64_t begin, int64_t end, std::byte* scratch) {
                                          MaximaWeightArgs mine = a;
                                          mine.scratch = reinterpret_cast<float*>(scratch);
                                          kernel(mine, begin, end);
                                      },
                                      static_cast<size_t>(l.scratch_floats) * sizeof(float)}};
                         }});
    }
    return cases;
}

Cases cases_sum_slots(Kernel<SlotSumArgs> kernel) {
    Cases cases;
    const auto add = [&](const SlotSumArgs& sum, int64_t slot_floats, const Layer& layer) {
        cases.push_back(
            {std::to_string(sum.pieces) + (layer.depthwise() ? " pieces of depthwise " : " pieces of ") + layer.text(),
             0, kFloat * static_cast<double>(slot_floats + layer.weights()), [=](Memory& memory) -> Work {
                 SlotSumArgs a = sum;
                 a.slots = memory.floats(slot_floats);
                 a.out = memory.array<float>(layer.weights());
                 return {call(kernel, a)};
             }});
    };
    for (const Layer& layer : kLayers) {
        const auto l = convolution::to_weights(layer.problem(), layer.in_view(), layer.out_view(), machine());
        if (!l.direct) add(l.sum, l.slot_floats, layer);
    }
    for (const Layer& layer : kDepthwiseLayers) {
        const auto l = convolution::depthwise_to_weights(layer.problem(), layer.in_view(), layer.out_view());
        add(l.sum, l.slot_floats, layer);
    }
    return cases;
}

Cases cases_channel_sums(Kernel<ChannelSumArgs> kernel) {
    Cases cases;
    for (const Size& size : {Size{16, 32, 32, 64}, Size{16, 128, 128, 16}, Size{32, 8, 8, 256}, Size{64, 1, 1, 128}})
        cases.push_back(
            {size.text(), 0, kFloat * static_cast<double>(size.elements()), [=](Memory& memory) -> Work {
                 const Map x = memory.map(size);
                 const int64_t pieces = sum_pieces(size.n * size.h, size.elements());
                 return {call(kernel, {x.view, x.data, memory.array<double>(pieces * size.c), pieces, nullptr, 0})};
             }});
    return cases;
}

Cases cases_fma_peak(Kernel<FmaPeakArgs> kernel) {
    constexpr int64_t kUnits = 64, kSteps = int64_t{1} << 20;
    const double lanes = striate::dispatch::kernels().vector_width;
    return {{"registers alone", 2.0 * lanes * kUnits * kSteps, 0,
             [=](Memory& memory) -> Work { return {call(kernel, {memory.floats(kUnits, 0.999f, 1), kUnits})}; }}};
}

}  // namespace bench
