#include "kernels/loss_rows.hpp"
#include "kernels/overlap_index.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

struct Overlap {
    double both = 0, target = 0, prediction = 0;
};

Overlap overlap_of(const OverlapMergeArgs& a, int64_t n0, int64_t n1, int64_t c0, int64_t c1) {
    Overlap sum;
    for (int64_t n = n0; n < n1; ++n)
        for (int64_t piece = 0; piece < a.pieces; ++piece) {
            const double* partial = a.partials + (n * a.pieces + piece) * 3 * a.c;
            for (int64_t c = c0; c < c1; ++c) {
                sum.both += partial[c];
                sum.target += partial[a.c + c];
                sum.prediction += partial[2 * a.c + c];
            }
        }
    return sum;
}

// The probabilities of a group of pixels, and, from a gradient g(e) by them, that by the predictions, left in keep().
struct Given {
    template <class Rows>
    STRIATE_INLINE void begin(Rows&) {}
    template <class Rows, class E>
    STRIATE_INLINE Vec operator()(Rows& r, E e) const {
        return r.prediction(e);
    }
    template <class Rows, class G>
    STRIATE_INLINE void back(Rows& r, G g) const {
        r.each([&](auto e) { r.keep(e, g(e)); });
    }
};
struct BySigmoid {
    template <class Rows>
    STRIATE_INLINE void begin(Rows&) {}
    template <class Rows, class E>
    STRIATE_INLINE Vec operator()(Rows& r, E e) const {
        return sigmoid(r.prediction(e));
    }
    template <class Rows, class G>
    STRIATE_INLINE void back(Rows& r, G g) const {
        r.each([&](auto e) {
            const Vec p = sigmoid(r.prediction(e));
            r.keep(e, g(e) * p * (1.0f - p));
        });
    }
};
struct BySoftmax {
    Vec top, sum;

    template <class Rows>
    STRIATE_INLINE void begin(Rows& r) {
        top = r.top([&](auto e) { return r.prediction(e); });
        sum = r.total([&](auto e) { return exp(r.prediction(e) - top); });
    }
    template <class Rows, class E>
    STRIATE_INLINE Vec operator()(Rows& r, E e) const {
        return exp(r.prediction(e) - top) / sum;
    }
    template <class Rows, class G>
    STRIATE_INLINE void back(Rows& r, G g) const {
        // The probabilities add up to 1 but for rounding, so that what all slopes have in common must go first.
        const Vec base = r.first(g);
        const Vec common = r.total([&](auto e) {
            const Vec p = (*this)(r, e);
            r.keep(e, p);
            return p * (g(e) - base);
        });
        r.each([&](auto e) { r.keep(e, r.kept(e) * (g(e) - base - common)); });
    }
};

// f(targets, link) with the types of both.
template <class F>
STRIATE_INLINE void each_link(const OverlapArgs& a, F f) {
    const auto link = [&](const auto& targets) __attribute__((always_inline)) {
        switch (a.link) {
            case Link::none:
                return f(targets, Given{});
            case Link::sigmoid:
                return f(targets, BySigmoid{});
            case Link::softmax:
                return f(targets, BySoftmax{});
        }
    };
    if (a.target)
        link(DenseTargets{a.target, 1, 0});
    else
        link(LabelTargets{a.labels});
}

// Walks over the pixels of the units [begin, end): work.begin(unit), work(rows, counts, weight) for kWidth pixels or
// one, and work.end(). `counts` are the lanes of pixels that are there and not ignored, `weight` is 0 in the others.
template <class Targets, class Work>
STRIATE_INLINE void each_part(const OverlapArgs& a, const Targets& targets, float* gradient, int64_t begin, int64_t end,
                              Work work) {
    const bool narrow = a.c <= kNarrow;
    const int64_t step = narrow ? kWidth : 1;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / a.pieces * a.pixels, piece = unit % a.pieces;
        const int64_t last = image + piece_begin(a.pixels, a.pieces, piece + 1);
        work.begin(unit);
        for (int64_t row = image + piece_begin(a.pixels, a.pieces, piece); row < last; row += step) {
            const int64_t count = lesser(step, last - row);
            int32_t classes[kWidth];
            float weights[kWidth];
            int64_t bad = 0;  // what is not a class was found before training
            for (int64_t r = 0; r < kWidth; ++r) {
                const int64_t of = narrow ? row + r : row;  // a long row has all lanes
                classes[r] = of < last ? class_of(targets, of, a.c, bad) : -1;
                weights[r] = of < last && a.weights ? a.weights[of] : 1.0f;
            }
            const VecI chosen = *reinterpret_cast<const UnalignedVecI*>(classes);
            const VecI counts = chosen >= 0;
            const Vec weight = select(counts, load(weights), Vec{});
            if (narrow) {
                ShortRows<Targets> rows;
                rows.c = a.c, rows.label = chosen, rows.dense = dense_part(targets);
                rows.x.read(a.prediction + row * a.c, a.c, count, a.c);
                if constexpr (__is_same(Targets, DenseTargets)) rows.t.read(targets.data + row * a.c, a.c, count, a.c);
                work(rows, counts, weight);
                if (gradient) rows.room.write(gradient + row * a.c, a.c, count, a.c);
            } else {
                LongRow<Targets> one;
                one.c = a.c, one.label = classes[0], one.dense = dense_part(targets);
                one.x = a.prediction + row * a.c;
                if constexpr (__is_same(Targets, DenseTargets)) one.t = targets.data + row * a.c;
                one.room = gradient ? gradient + row * a.c : nullptr;
                work(one, counts, weight);
            }
        }
        work.end();
    }
}

template <class L>
struct SumsOf {
    const OverlapArgs& a;
    L link;
    double* partial = nullptr;
    int64_t held = 0;  // groups whose sums are in `sums` still
    Vec sums[3][kNarrow];

    STRIATE_INLINE SumsOf(const OverlapArgs& args, L l) : a(args), link(l) { clear(); }
    STRIATE_INLINE void clear() {
        for (auto& kind : sums)
            for (int64_t j = 0; j < a.c && j < kNarrow; ++j) kind[j] = Vec{};
        held = 0;
    }
    STRIATE_INLINE void begin(int64_t unit) {
        partial = a.partials + unit * 3 * a.c;
        for (int64_t i = 0; i < 3 * a.c; ++i) partial[i] = 0;
    }
    STRIATE_INLINE void end() {
        if (held == 0) return;
        for (int64_t k = 0; k < 3; ++k)
            for (int64_t j = 0; j < a.c; ++j) partial[k * a.c + j] += sum_exactly(sums[k][j]);
        clear();
    }
    template <class Targets>
    STRIATE_INLINE void operator()(ShortRows<Targets>& r, VecI counts, Vec weight) {
        link.begin(r);
        r.each([&](auto e) {
            const Vec p = select(counts, link(r, e), Vec{}), t = r.times_target(e, weight);
            sums[0][e.j] += times(t, p);
            sums[1][e.j] += t;
            sums[2][e.j] += p * weight;
        });
        if (++held == kBlock) end();
    }
    template <class Targets>
    STRIATE_INLINE void operator()(LongRow<Targets>& r, VecI counts, Vec weight) {
        link.begin(r);
        r.each([&](auto e) {
            const Vec p = select(counts, link(r, e), Vec{}), t = r.times_target(e, weight);
            float three[3][kWidth];
            store(three[0], times(t, p));
            store(three[1], t);
            store(three[2], p * weight);
            const int64_t width = lesser(kWidth, a.c - e.i);
            for (int64_t k = 0; k < 3; ++k)
                for (int64_t i = 0; i < width; ++i) partial[k * a.c + e.i + i] += three[k][i];
        });
    }
};

template <class L>
struct GradientOf {
    const OverlapGradArgs& a;
    L link;
    const float *mean = nullptr, *scale = nullptr;

    STRIATE_INLINE GradientOf(const OverlapGradArgs& args, L l) : a(args), link(l) {}
    STRIATE_INLINE void begin(int64_t unit) {
        mean = a.mean + unit / a.batch.pieces * a.batch.c;
        scale = a.scale + unit / a.batch.pieces * a.batch.c;
    }
    STRIATE_INLINE void end() {}
    template <class Rows>
    STRIATE_INLINE void operator()(Rows& r, VecI counts, Vec weight) {
        link.begin(r);
        link.back(r, [&](auto e) {
            return r.per_class(e, scale) * (r.times_target(e, broadcast(1.0f)) - r.per_class(e, mean));
        });
        r.each([&](auto e) { r.keep(e, select(counts, r.kept(e) * weight, Vec{})); });
    }
};

// Not inlined: one function with the sums of all forms takes twice as long to compile.
template <class Targets, class L>
__attribute__((noinline)) void sum_part(const OverlapArgs& a, const Targets& targets, L link, int64_t begin,
                                        int64_t end) {
    each_part(a, targets, nullptr, begin, end, SumsOf<L>{a, link});
}

}  // namespace

void overlap(const OverlapArgs& a, int64_t begin, int64_t end) {
    each_link(
        a, [&](const auto& targets, auto link)
               __attribute__((always_inline)) { sum_part(a, targets, link, begin, end); });
}

void overlap_backward(const OverlapGradArgs& a, int64_t begin, int64_t end) {
    each_link(
        a.batch, [&](const auto& targets, auto link) __attribute__((always_inline)) {
            each_part(a.batch, targets, a.gradient, begin, end, GradientOf<decltype(link)>{a, link});
        });
}

void overlap_merge(const OverlapMergeArgs& a, int64_t, int64_t) {
    const int64_t images = a.each_image ? a.n : 1, channels = a.each_channel ? a.c : 1;
    double weights = static_cast<double>(a.n);
    if (a.weights) {
        weights = 0;
        for (int64_t n = 0; n < a.n; ++n) weights += a.weights[n];
    }
    a.out[0] = a.each_image ? 0 : weights;
    a.out[1] = static_cast<double>(a.each_image ? images * channels : a.n);
    const double share = a.loss_scale / static_cast<double>(images * channels);
    for (int64_t image = 0; image < images; ++image)
        for (int64_t channel = 0; channel < channels; ++channel) {
            const int64_t n0 = a.each_image ? image : 0, n1 = a.each_image ? image + 1 : a.n;
            const int64_t c0 = a.each_channel ? channel : 0, c1 = a.each_channel ? channel + 1 : a.c;
            const Overlap s = overlap_of(a, n0, n1, c0, c1);
            const OverlapValue value = overlap_index(a.index, s.both, s.target, s.prediction);
            double weight = weights / static_cast<double>(a.n);
            if (a.each_image) {
                weight = a.weights ? a.weights[image] : 1;
                a.out[0] += weight * (1 - value.index);
            } else {
                double* sums = a.out + 2 + 3 * channel;
                sums[0] = s.both, sums[1] = s.target, sums[2] = s.prediction;
            }
            if (!a.mean) continue;
            for (int64_t n = n0; n < n1; ++n)
                for (int64_t c = c0; c < c1; ++c) {
                    a.mean[n * a.c + c] = static_cast<float>(value.centre);
                    a.scale[n * a.c + c] = static_cast<float>(-share * weight * value.slope);
                }
        }
}

}  // namespace striate::kernels::STRIATE_ISA
