// Images sampled through maps and shaded.
#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr Size kImages[] = {{1, 28, 28, 1}, {1, 64, 64, 1}, {1, 32, 32, 3}, {1, 224, 224, 3}};

// A small turn, with or without an elastic deformation.
PixelMap turned(const Size& s, bool bends, Memory& memory) {
    float* lines[4];
    for (int i = 0; i < 4; ++i) {
        const int64_t count = i % 2 ? s.h : s.w;
        lines[i] = memory.floats(count);
        const float step = i == 0 || i == 3 ? 0.98f : i == 1 ? -0.17f : 0.17f;
        for (int64_t k = 0; k < count; ++k) lines[i][k] = step * static_cast<float>(k);
    }
    PixelMap map{s.h, s.w, Border::reflect, lines[0], lines[2], lines[1], lines[3], nullptr, nullptr, nullptr, nullptr};
    if (bends) {
        map.bend_x = memory.floats(6 * s.w), map.bend_y = memory.floats(6 * s.w);
        map.knots = memory.ints(s.h, 3), map.shares = memory.floats(4 * s.h, 0, 0.25f);
    }
    return map;
}

}  // namespace

Cases cases_warp(Kernel<WarpArgs> kernel) {
    Cases cases;
    for (const Size& s : kImages)
        for (const bool bends : {false, true})
            cases.push_back(
                {s.text() + (bends ? " elastic" : ""), 0, 2 * kFloat * static_cast<double>(s.elements()),
                 [=](Memory& memory) -> Work {
                     return {call(kernel, {turned(s, bends, memory), s.c, memory.floats((s.h + 1) * (s.w + 1) * s.c),
                                           memory.floats(s.elements())})};
                 }});
    return cases;
}

Cases cases_warp_backward(Kernel<WarpGradArgs> kernel) {
    Cases cases;
    for (const Size& s : kImages)
        cases.push_back({s.text(), 0, 2 * kFloat * static_cast<double>(s.elements()), [=](Memory& memory) -> Work {
                             return {call(kernel, {turned(s, false, memory), s.c, memory.floats(s.elements()),
                                                   memory.floats((s.h + 1) * (s.w + 1) * s.c)})};
                         }});
    return cases;
}

Cases cases_nearest_pixels(Kernel<NearestArgs> kernel) {
    Cases cases;
    for (const Size& s : kImages)
        if (s.c == 1)
            cases.push_back({s.text(), 0, kFloat * static_cast<double>(s.elements()), [=](Memory& memory) -> Work {
                                 return {call(kernel, {turned(s, false, memory), memory.ints(s.elements(), 1)})};
                             }});
    return cases;
}

Cases cases_shade(Kernel<ShadeArgs> kernel) {
    Cases cases;
    for (const Size& s : kImages)
        for (const bool noise : {false, true})
            cases.push_back({s.text() + (noise ? " noise" : ""), 0, (kFloat + 1) * static_cast<double>(s.elements()),
                             [=](Memory& memory) -> Work {
                                 ShadeArgs args{};
                                 args.size = s.elements(), args.c = s.c;
                                 args.x = memory.floats(s.elements(), 0, 255);
                                 args.scale = memory.floats(s.c + kShadeGroup, 0.9f, 1.1f);
                                 args.shift = memory.floats(s.c + kShadeGroup, -9, 9);
                                 args.noise = noise ? 5.0f : 0.0f;
                                 args.source = {1, 2, 3};
                                 args.limited = true, args.low = 0, args.high = 255;
                                 args.bytes = memory.bytes(s.elements());
                                 return {call(kernel, args)};
                             }});
    return cases;
}

}  // namespace bench
