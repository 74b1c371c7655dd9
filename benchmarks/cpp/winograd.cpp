// Winograd's convolution: whole, in its three directions as layers plan it, and its parts. Operations are counted as
// the definition has them, so a rate above the FMA peak means that multiplications were saved.
#include "cpu/winograd.hpp"

#include "cpu/dispatch.hpp"
#include "layer.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

using convolution::WinogradWay;

convolution::WinogradLowered lower_forward(const Layer& layer, bool weights_stay) {
    return convolution::winograd_forward(layer.problem(), layer.in_view(), convolution::input_halo(layer.problem()),
                                         layer.out_view(), machine(), weights_stay);
}
convolution::WinogradLowered lower_to_input(const Layer& layer, bool weights_stay) {
    const Halo halo = convolution::output_halo(layer.problem());
    return convolution::winograd_to_input(layer.problem(), view_of(layer.out(), halo), halo, view_of(layer.in, {}),
                                          machine(), weights_stay);
}
convolution::WinogradWeightsLowered lower_to_weights(const Layer& layer) {
    return convolution::winograd_to_weights(layer.problem(), layer.in_view(), convolution::input_halo(layer.problem()),
                                            layer.out_view(), machine());
}

struct Direction {
    const char* name;
    convolution::WinogradLowered (*lower)(const Layer&, bool);
    bool forward;
};
constexpr Direction kDirections[] = {{"forward ", lower_forward, true}, {"to input ", lower_to_input, false}};

Map source(Memory& memory, const Layer& layer, bool forward) {
    const convolution::Problem p = layer.problem();
    return forward ? memory.map(layer.in, convolution::input_halo(p))
                   : memory.map(layer.out(), convolution::output_halo(p));
}

template <class F>
Cases each_direction(F make, bool weights_stay = true) {
    Cases cases;
    for (const Direction& direction : kDirections)
        for (const Layer& layer : kLayers)
            if (convolution::winograd_fits(layer.problem()))
                make(cases, direction, layer, direction.lower(layer, weights_stay));
    return cases;
}

// With scratch memory for each thread.
template <class Args>
Call whole(Kernel<Args> kernel, const Args& args, int64_t scratch_floats) {
    return {units(args),
            [=](int64_t begin, int64_t end, std::byte* scratch) {
                Args mine = args;
                mine.scratch = reinterpret_cast<float*>(scratch);
                kernel(mine, begin, end);
            },
            static_cast<size_t>(scratch_floats) * sizeof(float)};
}

Cases map_cases(Kernel<WinogradMapArgs> kernel, bool gradient) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        WinogradMapArgs args = gradient ? l.all.gradient : l.all.input;
        args.tiles.count = l.all.block;
        cases.push_back({std::to_string(l.all.block) + " tiles of " + layer.text(), 0,
                         2 * kFloat * static_cast<double>(kWinogradPoints * l.all.block * args.view.c),
                         [=](Memory& memory) -> Work {
                             WinogradMapArgs a = args;
                             a.x = source(memory, layer, !gradient).data;
                             a.out = memory.array<float>(kWinogradPoints * a.point);
                             return {call(kernel, a)};
                         }});
    }
    return cases;
}

}  // namespace

// As layers plan it for weights that stay: one step where there are blocks enough, three where there are not.
Cases cases_winograd(Kernel<WinogradArgs>) {
    return each_direction(
        [](Cases& cases, const Direction& direction, const Layer& layer, const convolution::WinogradLowered& l) {
            cases.push_back({direction.name + layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                                 WinogradArgs a = l.all;
                                 a.input.x = source(memory, layer, direction.forward).data;
                                 a.product.b = memory.floats(l.weight_floats, -0.1f, 0.1f);
                                 a.output.y = memory.map(direction.forward ? layer.out() : layer.in).data;
                                 a.output.bias = memory.floats(a.output.view.c);
                                 const Table& table = striate::dispatch::kernels();
                                 if (l.way == WinogradWay::blocked) return {whole(table.winograd, a, l.scratch_floats)};
                                 a.input.out = memory.array<float>(l.v_floats);
                                 a.product.a = a.input.out;
                                 a.product.c = memory.array<float>(l.m_floats);
                                 a.output.m = a.product.c;
                                 return {call(table.winograd_input, a.input), call(table.winograd_product, a.product),
                                         call(table.winograd_output, a.output)};
                             }});
        });
}

Cases cases_winograd_input(Kernel<WinogradMapArgs> kernel) {
    return map_cases(kernel, false);
}
Cases cases_winograd_gradient(Kernel<WinogradMapArgs> kernel) {
    return map_cases(kernel, true);
}

Cases cases_winograd_transforms(Kernel<WinogradTransformsArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        WinogradTransformsArgs args{l.all.input, l.all.gradient};
        args.input.tiles.count = args.gradient.tiles.count = l.all.block;
        cases.push_back(
            {std::to_string(l.all.block) + " tiles of " + layer.text(), 0,
             2 * kFloat *
                 static_cast<double>(kWinogradPoints * l.all.block * (args.input.view.c + args.gradient.view.c)),
             [=](Memory& memory) -> Work {
                 WinogradTransformsArgs a = args;
                 a.input.x = source(memory, layer, true).data;
                 a.input.out = memory.array<float>(kWinogradPoints * a.input.point);
                 a.gradient.x = source(memory, layer, false).data;
                 a.gradient.out = memory.array<float>(kWinogradPoints * a.gradient.point);
                 return {call(kernel, a)};
             }});
    }
    return cases;
}

Cases cases_winograd_product(Kernel<WinogradProductArgs> kernel) {
    return each_direction(
        [=](Cases& cases, const Direction& direction, const Layer& layer, const convolution::WinogradLowered& l) {
            const WinogradProductArgs args = l.all.product;
            cases.push_back({direction.name + std::to_string(args.rows) + " tiles of " + layer.text(),
                             2.0 * static_cast<double>(kWinogradPoints * args.rows * args.depth * args.channels), 0,
                             [=](Memory& memory) -> Work {
                                 WinogradProductArgs a = args;
                                 a.a = memory.floats(l.v_floats);
                                 a.b = memory.floats(l.weight_floats);
                                 a.c = memory.array<float>(l.m_floats);
                                 return {call(kernel, a)};
                             }});
        });
}

Cases cases_winograd_output(Kernel<WinogradOutputArgs> kernel) {
    return each_direction(
        [=](Cases& cases, const Direction& direction, const Layer& layer, const convolution::WinogradLowered& l) {
            const WinogradOutputArgs args = l.all.output;
            cases.push_back({direction.name + std::to_string(args.tiles.count) + " tiles of " + layer.text(), 0,
                             kFloat * static_cast<double>((kWinogradPoints + 16) * args.tiles.count * args.view.c),
                             [=](Memory& memory) -> Work {
                                 WinogradOutputArgs a = args;
                                 a.m = memory.floats(l.m_floats);
                                 a.y = memory.map(direction.forward ? layer.out() : layer.in).data;
                                 return {call(kernel, a)};
                             }});
        });
}

Cases cases_winograd_weights(Kernel<WinogradWeightsArgs> kernel) {
    return each_direction(
        [=](Cases& cases, const Direction& direction, const Layer& layer, const convolution::WinogradLowered& l) {
            cases.push_back({direction.name + layer.text(), 0, kFloat * static_cast<double>(layer.weights() * 5),
                             [=](Memory& memory) -> Work {
                                 WinogradWeightsArgs a = l.weights;
                                 a.src = memory.floats(layer.weights());
                                 a.dst = memory.array<float>(l.weight_floats);
                                 return {call(kernel, a)};
                             }});
        });
}

// As layers plan it in training, weights included.
Cases cases_winograd_streamed(Kernel<WinogradStreamedArgs> kernel) {
    return each_direction(
        [=](Cases& cases, const Direction& direction, const Layer& layer, const convolution::WinogradLowered& l) {
            if (l.way != WinogradWay::streamed) return;
            cases.push_back({direction.name + layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                                 WinogradMapArgs input = l.all.input;
                                 input.x = source(memory, layer, direction.forward).data;
                                 input.out = memory.array<float>(l.v_floats);
                                 WinogradStreamedArgs a = l.streamed;
                                 a.product.a = input.out;
                                 a.pack.src = a.weights.src = memory.floats(layer.weights(), -0.1f, 0.1f);
                                 a.output.y = memory.map(direction.forward ? layer.out() : layer.in).data;
                                 a.output.bias = memory.floats(l.all.output.view.c);
                                 return {call(striate::dispatch::kernels().winograd_input, input),
                                         whole(kernel, a, l.scratch_floats)};
                             }});
        },
        false);
}

// As layers plan it where weights are small or tiles many.
Cases cases_winograd_to_weights(Kernel<WinogradToWeightsArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        if (l.way == WinogradWay::streamed) continue;
        cases.push_back({layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             WinogradToWeightsArgs a = l.all;
                             a.input.x = source(memory, layer, true).data;
                             a.gradient.x = memory.map(layer.out()).data;
                             a.du = memory.array<float>(l.du_floats);
                             if (l.way == WinogradWay::blocked) return {whole(kernel, a, l.scratch_floats)};
                             a.input.out = memory.array<float>(l.v_floats);
                             a.gradient.out = memory.array<float>(l.z_floats);
                             a.product.v = a.input.out, a.product.z = a.gradient.out, a.product.du = a.du;
                             const Table& table = striate::dispatch::kernels();
                             Work work;
                             for (int64_t first = 0; first < a.tiles; first += a.block) {
                                 a.product.tiles = std::min(a.block, a.tiles - first);
                                 a.product.accumulate = first > 0;
                                 for (WinogradMapArgs* map : {&a.input, &a.gradient})
                                     map->tiles.first = first, map->tiles.count = a.product.tiles;
                                 work.push_back(call(table.winograd_input, a.input));
                                 work.push_back(call(table.winograd_gradient, a.gradient));
                                 work.push_back(call(table.winograd_weight_product, a.product));
                             }
                             return work;
                         }});
    }
    return cases;
}

Cases cases_winograd_weight_product(Kernel<WinogradWeightProductArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        if (l.way == WinogradWay::streamed) continue;
        const WinogradWeightProductArgs args = l.all.product;
        cases.push_back({std::to_string(l.all.block) + " tiles of " + layer.text(),
                         2.0 * static_cast<double>(kWinogradPoints * l.all.block * args.depth * args.channels), 0,
                         [=](Memory& memory) -> Work {
                             WinogradWeightProductArgs a = args;
                             a.tiles = l.all.block;
                             a.v = memory.floats(l.v_floats);
                             a.z = memory.floats(l.z_floats);
                             a.du = memory.array<float>(l.du_floats);
                             a.accumulate = true;
                             return {call(kernel, a)};
                         }});
    }
    return cases;
}

Cases cases_winograd_weights_streamed(Kernel<WinogradWeightsStreamedArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        if (l.way != WinogradWay::streamed) continue;
        cases.push_back({layer.text(), layer.flops(), layer.bytes(), [=](Memory& memory) -> Work {
                             WinogradMapArgs input = l.all.input, gradient = l.all.gradient;
                             input.x = source(memory, layer, true).data;
                             gradient.x = memory.map(layer.out()).data;
                             input.out = memory.array<float>(l.v_floats);
                             gradient.out = memory.array<float>(l.z_floats);
                             WinogradWeightsStreamedArgs a = l.streamed;
                             a.product.v = input.out, a.product.z = gradient.out;
                             a.dw = memory.array<float>(layer.weights());
                             const Table& table = striate::dispatch::kernels();
                             return {call(table.winograd_input, input), call(table.winograd_gradient, gradient),
                                     whole(kernel, a, l.scratch_floats)};
                         }});
    }
    return cases;
}

Cases cases_winograd_weight_gradient(Kernel<WinogradWeightGradArgs> kernel) {
    Cases cases;
    for (const Layer& layer : kLayers) {
        if (!convolution::winograd_fits(layer.problem())) continue;
        const convolution::WinogradWeightsLowered l = lower_to_weights(layer);
        if (l.way == WinogradWay::streamed) continue;
        cases.push_back(
            {layer.text(), 0, kFloat * static_cast<double>(layer.weights() * 5), [=](Memory& memory) -> Work {
                 WinogradWeightGradArgs a = l.result;
                 a.du = memory.floats(l.du_floats);
                 a.dw = memory.array<float>(layer.weights());
                 return {call(kernel, a)};
             }});
    }
    return cases;
}

}  // namespace bench
