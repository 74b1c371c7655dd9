// Layers, a loss and an optimizer written from their definitions, as an embedder would add them: they exercise the plan
// (halos, sums of gradients, work in place, memory by lifetimes) without any kernel.
#pragma once

#include <cstring>
#include <utility>

#include "striate/striate.hpp"

namespace naive {

using namespace striate;

struct NoOptions {
    template <class Self, class Visitor>
    static void fields(Self&, Visitor&&) {}
};

// Enough work on paper that the executor deals it out to all threads.
constexpr double kPlenty = 1e9;

inline Step make_step(const char* what, std::vector<TensorId> reads, std::vector<TensorId> writes, int64_t units,
                      std::function<void(const Frame&, int64_t, int64_t, std::byte*)> run) {
    Step s;
    s.what = what;
    s.reads = std::move(reads);
    s.writes = std::move(writes);
    s.units = units;
    s.flops = kPlenty;
    s.run = std::move(run);
    return s;
}

struct ConvOptions {
    int64_t filters = 1;
    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("filters", self.filters);
    }
};

// 3x3, `same`: reads its halo instead of testing for borders.
class Conv : public LayerOf<Conv, ConvOptions> {
  public:
    static constexpr const char* kType = "NaiveConv";
    using LayerOf::LayerOf;

    Shape infer(const std::vector<Shape>& in) const override {
        const Shape& s = single(in, 3, "(N, H, W, C)");
        return {s[0], s[1], options_.filters};
    }
    std::vector<Parameter> parameters(const std::vector<Shape>& in) const override {
        return {{"kernel", {3, 3, in[0][2], options_.filters}, "glorot_uniform", true}};
    }
    Halo input_halo(const std::vector<Shape>&) const override { return {1, 1, 1, 1}; }
    Halo gradient_halo(const std::vector<Shape>&) const override { return {1, 1, 1, 1}; }

    void emit(PlanContext& plan) const override {
        const TensorId x = plan.input(), y = plan.output(), k = plan.parameter("kernel");
        const View vx = plan.view(x), vy = plan.view(y);
        plan.step(make_step("conv", {x, k}, {y}, vy.n, [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
            for (int64_t n = begin; n < end; ++n)
                each(vy, n, [&](int64_t r, int64_t c, int64_t o) {
                    float sum = 0;
                    for (int64_t i = 0; i < 3; ++i)
                        for (int64_t j = 0; j < 3; ++j)
                            for (int64_t d = 0; d < vx.c; ++d)
                                sum += at(f.get(x), vx, n, r + i - 1, c + j - 1, d) *
                                       f.get(k)[((i * 3 + j) * vx.c + d) * vy.c + o];
                    f.get(y)[n * vy.image + r * vy.row + c * vy.pixel + o] = sum;
                });
        }));
        plan.backward([=](BackwardContext& p) {
            const TensorId dy = p.output_gradient();
            const View vdy = p.view(dy);
            if (p.wants_parameter_gradient("kernel")) {
                const TensorId dk = p.parameter_gradient("kernel");
                p.step(make_step(
                    "conv weights", {x, dy}, {dk}, 9, [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
                        for (int64_t t = begin; t < end; ++t)
                            for (int64_t d = 0; d < vx.c; ++d)
                                for (int64_t o = 0; o < vdy.c; ++o) {
                                    float sum = 0;
                                    for (int64_t n = 0; n < vx.n; ++n)
                                        for (int64_t r = 0; r < vx.h; ++r)
                                            for (int64_t c = 0; c < vx.w; ++c)
                                                sum += at(f.get(x), vx, n, r + t / 3 - 1, c + t % 3 - 1, d) *
                                                       at(f.get(dy), vdy, n, r, c, o);
                                    f.get(dk)[(t * vx.c + d) * vdy.c + o] = sum;
                                }
                    }));
            }
            if (!p.wants_input_gradient()) return;
            const TensorId dx = p.input_gradient();
            const View vdx = p.view(dx);
            p.step(make_step("conv input", {dy, k}, {dx}, vdx.n,
                             [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
                                 for (int64_t n = begin; n < end; ++n)
                                     each(vdx, n, [&](int64_t r, int64_t c, int64_t d) {
                                         float sum = 0;
                                         for (int64_t i = 0; i < 3; ++i)
                                             for (int64_t j = 0; j < 3; ++j)
                                                 for (int64_t o = 0; o < vdy.c; ++o)
                                                     sum += at(f.get(dy), vdy, n, r + 1 - i, c + 1 - j, o) *
                                                            f.get(k)[((i * 3 + j) * vdx.c + d) * vdy.c + o];
                                         f.get(dx)[n * vdx.image + r * vdx.row + c * vdx.pixel + d] = sum;
                                     });
                             }));
        });
    }

  private:
    static float at(const float* p, const View& v, int64_t n, int64_t r, int64_t c, int64_t d) {
        return p[n * v.image + r * v.row + c * v.pixel + d];
    }
    template <class Body>
    static void each(const View& v, int64_t, Body body) {
        for (int64_t r = 0; r < v.h; ++r)
            for (int64_t c = 0; c < v.w; ++c)
                for (int64_t d = 0; d < v.c; ++d) body(r, c, d);
    }
};

// y = x * |x| / 2, so that dy/dx = |x| is smooth enough for differences; reads x in its backward pass.
class Bend : public LayerOf<Bend, NoOptions> {
  public:
    static constexpr const char* kType = "Bend";
    using LayerOf::LayerOf;
    Shape infer(const std::vector<Shape>& in) const override { return single(in); }
    bool elementwise() const override { return true; }

    void emit(PlanContext& plan) const override {
        const TensorId x = plan.input(), y = plan.output();
        plan.step(mapped(plan, "bend", x, x, y, [](float v, float) { return 0.5f * v * (v < 0 ? -v : v); }));
        plan.backward([=](BackwardContext& p) {
            if (!p.wants_input_gradient()) return;
            const TensorId dy = p.output_gradient(), dx = p.input_gradient();
            p.step(mapped(p, "bend backward", dy, x, dx, [](float g, float v) { return g * (v < 0 ? -v : v); }));
        });
    }

  private:
    template <class Function>
    static Step mapped(PlanContext& p, const char* what, TensorId a, TensorId b, TensorId to, Function function) {
        const View va = p.view(a), vb = p.view(b), vt = p.view(to);
        Step s =
            make_step(what, {a, b}, {to}, va.n * va.h, [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
                for (int64_t r = begin; r < end; ++r)
                    for (int64_t i = 0; i < va.w * va.c; ++i) {
                        const int64_t n = r / va.h, y = r % va.h;
                        f.get(to)[n * vt.image + y * vt.row + i] =
                            function(f.get(a)[n * va.image + y * va.row + i], f.get(b)[n * vb.image + y * vb.row + i]);
                    }
            });
        s.inplace_from = a;
        s.inplace_to = to;
        return s;
    }
};

class Sum : public LayerOf<Sum, NoOptions> {
  public:
    static constexpr const char* kType = "Sum";
    using LayerOf::LayerOf;
    Shape infer(const std::vector<Shape>& in) const override { return in.at(0); }

    void emit(PlanContext& plan) const override {
        const TensorId a = plan.input(0), b = plan.input(1), y = plan.output();
        const View va = plan.view(a), vb = plan.view(b), vy = plan.view(y);
        plan.step(
            make_step("sum", {a, b}, {y}, vy.n * vy.h, [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
                for (int64_t r = begin; r < end; ++r)
                    for (int64_t i = 0; i < vy.w * vy.c; ++i) {
                        const int64_t n = r / vy.h, h = r % vy.h;
                        f.get(y)[n * vy.image + h * vy.row + i] =
                            f.get(a)[n * va.image + h * va.row + i] + f.get(b)[n * vb.image + h * vb.row + i];
                    }
            }));
        plan.backward([](BackwardContext& p) {
            const TensorId dy = p.output_gradient();
            for (size_t i = 0; i < 2; ++i) p.pass_input_gradient(i, dy);
        });
    }
};

class Flat : public LayerOf<Flat, NoOptions> {
  public:
    static constexpr const char* kType = "Flat";
    using LayerOf::LayerOf;
    Shape infer(const std::vector<Shape>& in) const override { return {element_count(single(in))}; }
    void emit(PlanContext& plan) const override {
        plan.output_is(plan.input());
        plan.backward([](BackwardContext& p) { p.pass_input_gradient(0, p.output_gradient()); });
    }
};

// Half the squared error, summed over everything and divided by the batch.
class SquaredError : public LossOf<SquaredError, NoOptions> {
  public:
    static constexpr const char* kType = "SquaredError";
    using LossOf::LossOf;
    void emit(const LossContext& c) const override {
        const int64_t rows = c.plan.shape(c.prediction)[0], size = element_count(c.plan.shape(c.prediction));
        std::vector<TensorId> writes{c.sums};
        if (c.gradient.valid()) writes.push_back(c.gradient);
        const TensorId p = c.prediction, t = c.target, g = c.gradient, v = c.sums;
        const float scale = c.scale;
        c.plan.step(make_step("loss", {p, t}, writes, 1, [=](const Frame& f, int64_t, int64_t, std::byte*) {
            double sum = 0;
            for (int64_t i = 0; i < size; ++i) {
                const float e = f.get(p)[i] - f.get(t)[i];
                sum += 0.5 * e * e;
                if (g.valid()) f.get(g)[i] = scale * e / static_cast<float>(rows);
            }
            f.get<double>(v)[0] = sum;
            f.get<double>(v)[1] = static_cast<double>(rows);
        }));
    }
};

class Descent : public Optimizer {
  public:
    explicit Descent(double rate) : rate_(rate) {}
    std::string type() const override { return "Descent"; }
    Config config() const override { return {}; }
    std::vector<std::string> slots() const override { return {}; }
    size_t scalar_count() const override { return 1; }
    void scalars(int64_t, double rate, float* out) const override { *out = static_cast<float>(rate); }
    double learning_rate(int64_t) const override { return rate_; }
    void emit(const UpdateContext& c) const override {
        const TensorId g = c.gradients, s = c.scalars;
        for (const Segment& segment : c.segments) {
            if (!segment.trainable) continue;
            const TensorId p = c.values[segment.values];
            const int64_t from = segment.offset, to = segment.value_offset;
            c.plan.step(make_step("update", {g, s}, {p}, segment.size,
                                  [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
                                      for (int64_t i = begin; i < end; ++i)
                                          f.get(p)[to + i] -= *f.get(s) * f.get(g)[from + i];
                                  }));
        }
    }

  private:
    double rate_;
};

template <class L, class Options = NoOptions>
LayerPtr make(Options options = {}, std::string name = "") {
    return std::make_shared<L>(options, std::move(name));
}

}  // namespace naive
