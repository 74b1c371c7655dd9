#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

struct Pool {
    const char* name;
    Size x, y;
    PoolWindow window;
    std::string text() const { return std::string(name) + " " + x.text() + " to " + y.text(); }
    double bytes() const { return kFloat * static_cast<double>(x.elements() + y.elements()); }
};
constexpr PoolWindow kHalve = {2, 2, 2, 2, 0, 0}, kOverlap = {3, 3, 2, 2, 0, 0}, kSmooth = {3, 3, 1, 1, 1, 1};
constexpr Pool kPools[] = {
    {"2x2 /2", {32, 32, 32, 64}, {32, 16, 16, 64}, kHalve},    {"2x2 /2", {16, 128, 128, 16}, {16, 64, 64, 16}, kHalve},
    {"2x2 /2", {64, 26, 26, 32}, {64, 13, 13, 32}, kHalve},    {"3x3 /2", {8, 112, 112, 64}, {8, 56, 56, 64}, kOverlap},
    {"3x3 /1", {16, 16, 16, 128}, {16, 16, 16, 128}, kSmooth},
};
constexpr Size kGlobal[] = {{32, 4, 4, 512}, {32, 8, 8, 256}, {16, 56, 56, 64}};

}  // namespace

Cases cases_max_pool(Kernel<MaxPoolArgs> kernel) {
    Cases cases;
    for (const Pool& p : kPools)
        for (const bool training : {false, true})
            cases.push_back(
                {p.text() + (training ? " with winners, relu" : ""), 0,
                 p.bytes() + (training ? static_cast<double>(p.y.elements()) : 0.0), [=](Memory& memory) -> Work {
                     const Map x = memory.map(p.x), y = memory.map(p.y);
                     void* places = training ? memory.bytes(p.y.elements()) : nullptr;
                     return {call(kernel, {p.window, x.view, y.view, x.data, y.data, {places, false}, training})};
                 }});
    return cases;
}

Cases cases_max_pool_backward(Kernel<MaxPoolGradArgs> kernel) {
    Cases cases;
    for (const Pool& p : kPools)
        cases.push_back(
            {p.text(), 0, p.bytes() + static_cast<double>(p.y.elements()), [=](Memory& memory) -> Work {
                 const Map dy = memory.map(p.y), dx = memory.map(p.x);
                 const int places = static_cast<int>(p.window.rows * p.window.columns);
                 return {call(
                     kernel,
                     {p.window, dy.view, dx.view, dy.data, dx.data, {memory.bytes(p.y.elements(), places), false}})};
             }});
    return cases;
}

Cases cases_average_pool(Kernel<AveragePoolArgs> kernel) {
    Cases cases;
    for (const Pool& p : kPools)
        cases.push_back({p.text(), 0, p.bytes(), [=](Memory& memory) -> Work {
                             const Map x = memory.map(p.x), y = memory.map(p.y);
                             return {call(kernel, {p.window, x.view, y.view, x.data, y.data})};
                         }});
    return cases;
}

Cases cases_average_pool_backward(Kernel<AveragePoolGradArgs> kernel) {
    Cases cases;
    for (const Pool& p : kPools)
        cases.push_back({p.text(), 0, p.bytes(), [=](Memory& memory) -> Work {
                             const Map dy = memory.map(p.y), dx = memory.map(p.x);
                             return {call(kernel, {p.window, dy.view, dx.view, dy.data, dx.data})};
                         }});
    return cases;
}

namespace {

Cases global_forward(Kernel<GlobalPoolArgs> kernel, bool winners) {
    Cases cases;
    for (const Size& size : kGlobal)
        cases.push_back({size.text(), 0, kFloat * (size.elements() + size.n * size.c), [=](Memory& memory) -> Work {
                             const Map x = memory.map(size), y = memory.map({size.n, 1, 1, size.c});
                             int32_t* places = winners ? memory.ints(size.n * size.c, 1) : nullptr;
                             return {call(kernel, {x.view, y.view, x.data, y.data, places})};
                         }});
    return cases;
}

Cases global_backward(Kernel<GlobalPoolGradArgs> kernel, bool winners) {
    Cases cases;
    for (const Size& size : kGlobal)
        cases.push_back({size.text(), 0, kFloat * (size.elements() + size.n * size.c), [=](Memory& memory) -> Work {
                             const Map dy = memory.map({size.n, 1, 1, size.c}), dx = memory.map(size);
                             const auto places = static_cast<int32_t>(size.h * size.w);
                             const int32_t* won = winners ? memory.ints(size.n * size.c, places) : nullptr;
                             return {call(kernel, {dy.view, dx.view, dy.data, dx.data, won})};
                         }});
    return cases;
}

}  // namespace

Cases cases_global_average_pool(Kernel<GlobalPoolArgs> kernel) {
    return global_forward(kernel, false);
}
Cases cases_global_average_pool_backward(Kernel<GlobalPoolGradArgs> kernel) {
    return global_backward(kernel, false);
}
Cases cases_global_max_pool(Kernel<GlobalPoolArgs> kernel) {
    return global_forward(kernel, true);
}
Cases cases_global_max_pool_backward(Kernel<GlobalPoolGradArgs> kernel) {
    return global_backward(kernel, true);
}

}  // namespace bench
