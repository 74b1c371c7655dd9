// Elements by their numbers, and products of matrices as attention has them.
#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr Size kMap = {8, 56, 56, 64};

std::vector<int64_t> reflected(int64_t size) {
    std::vector<int64_t> indices;
    for (int64_t i = -2; i < size + 2; ++i) indices.push_back(i < 0 ? -i : i >= size ? 2 * size - 2 - i : i);
    return indices;
}

struct Product {
    const char* name;
    MatMulKind kind;
    Size a, b, y;
};
constexpr Product kProducts[] = {
    {"q k", MatMulKind::second_transposed, {4, 8, 197, 64}, {4, 8, 197, 64}, {4, 8, 197, 197}},
    {"p v", MatMulKind::plain, {4, 8, 197, 197}, {4, 8, 197, 64}, {4, 8, 197, 64}},
    {"to k", MatMulKind::first_transposed, {4, 8, 197, 197}, {4, 8, 197, 64}, {4, 8, 197, 64}},
};

}  // namespace

Cases cases_take(Kernel<TakeArgs> kernel) {
    Cases cases;
    const Size wide{kMap.n, kMap.h, kMap.w + 4, kMap.c};
    cases.push_back({"reflected columns " + kMap.text(), 0, kFloat * (kMap.elements() + wide.elements()),
                     [=](Memory& memory) -> Work {
                         static const std::vector<int64_t> indices = reflected(kMap.w);
                         const Map x = memory.map(kMap), y = memory.map(wide);
                         return {call(kernel, {x.view, y.view, 1, indices.data(), x.data, y.data})};
                     }});
    return cases;
}

Cases cases_take_backward(Kernel<TakeGradArgs> kernel) {
    Cases cases;
    cases.push_back({"every column " + kMap.text(), 0, 2 * kFloat * kMap.elements(), [=](Memory& memory) -> Work {
                         static std::vector<int64_t> numbers;
                         for (int64_t i = static_cast<int64_t>(numbers.size()); i <= kMap.w; ++i) numbers.push_back(i);
                         const Map dy = memory.map(kMap), dx = memory.map(kMap);
                         return {call(kernel, {dy.view, dx.view, 1, numbers.data(), numbers.data(), dy.data, dx.data})};
                     }});
    return cases;
}

Cases cases_matmul(Kernel<MatMulArgs> kernel) {
    Cases cases;
    for (const Product& p : kProducts) {
        const int64_t depth = p.kind == MatMulKind::first_transposed ? p.a.w : p.a.c;
        cases.push_back({std::string(p.name) + " " + p.y.text(), 2.0 * p.y.elements() * static_cast<double>(depth),
                         kFloat * (p.a.elements() + p.b.elements() + p.y.elements()), [=](Memory& memory) -> Work {
                             const Map a = memory.map(p.a), b = memory.map(p.b), y = memory.map(p.y);
                             return {call(kernel, {p.kind, a.view, b.view, y.view, a.data, b.data, y.data})};
                         }});
    }
    return cases;
}

}  // namespace bench
