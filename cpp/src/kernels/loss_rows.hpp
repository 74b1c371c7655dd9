// One face for the two ways a row of classes is worked on: short rows across lanes, kWidth rows at a time; long
// rows along vectors, one at a time. Losses are written once, against this face:
//   each(f)            f(e) for every element e (of every row)
//   prediction(e)      the element of each row
//   times_target(e, v) target * v, and 0 where the target is 0, whatever v
//   keep(e, v), kept(e)  scratch, which ends as the gradient
//   total(f), top(f)   sum and maximum of f(e) over each row, in every lane that belongs to it
//   first(f)           f of the first element of each row, likewise
#pragma once

#include "kernels/args_loss.hpp"
#include "kernels/tile.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

STRIATE_INLINE Vec times(Vec target, Vec v) {
    return select(target == 0.0f, Vec{}, target * v);
}

// Targets given as numbers, with label smoothing.
struct DenseTargets {
    const float* data;
    float keep, add;
};
// Targets given as classes, with label smoothing.
struct LabelTargets {
    Labels labels;
    float keep = 1, add = 0;
};

template <class Targets>
struct ShortRows {
    Tile x, room, t;
    VecI label;
    int64_t c;
    DenseTargets dense;

    struct Element {
        int64_t j;
    };
    template <class F>
    STRIATE_INLINE void each(F f) {
        for (int64_t j = 0; j < c; ++j) f(Element{j});
    }
    STRIATE_INLINE Vec prediction(Element e) const { return x.get(e.j); }
    STRIATE_INLINE Vec times_target(Element e, Vec v) const {
        if constexpr (__is_same(Targets, LabelTargets))
            return times(
                select(label == static_cast<int32_t>(e.j), broadcast(dense.keep + dense.add), broadcast(dense.add)), v);
        else
            return times(t.get(e.j) * dense.keep + dense.add, v);
    }
    STRIATE_INLINE void keep(Element e, Vec v) { room.set(e.j, v); }
    STRIATE_INLINE Vec kept(Element e) const { return room.get(e.j); }
    STRIATE_INLINE Vec per_class(Element e, const float* values) const { return broadcast(values[e.j]); }
    template <class F>
    STRIATE_INLINE Vec total(F f) const {
        Vec sum = {};
        for (int64_t j = 0; j < c; ++j) sum += f(Element{j});
        return sum;
    }
    template <class F>
    STRIATE_INLINE Vec first(F f) const {
        return f(Element{0});
    }
    template <class F>
    STRIATE_INLINE Vec top(F f) const {
        Vec best = f(Element{0});
        for (int64_t j = 1; j < c; ++j) best = max(best, f(Element{j}));
        return best;
    }
};

template <class Targets>
struct LongRow {
    const float* x;
    const float* t;
    float* room;  // null: keep() forgets
    int32_t label;
    int64_t c;
    DenseTargets dense;

    template <class Lanes>
    struct Element {
        int64_t i;
        Lanes lanes;
    };
    template <class F>
    STRIATE_INLINE void each(F f) {
        each_vector(c, [&](int64_t i, auto lanes) { f(Element<decltype(lanes)>{i, lanes}); });
    }
    template <class E>
    STRIATE_INLINE Vec prediction(E e) const {
        return e.lanes.load(x + e.i);
    }
    template <class E>
    STRIATE_INLINE Vec times_target(E e, Vec v) const {
        if constexpr (__is_same(Targets, LabelTargets))
            return times(select(lane_numbers() + static_cast<int32_t>(e.i) == label, broadcast(dense.keep + dense.add),
                                broadcast(dense.add)),
                         v);
        else
            return times(e.lanes.load(t + e.i) * dense.keep + dense.add, v);
    }
    template <class E>
    STRIATE_INLINE void keep(E e, Vec v) {
        if (room) e.lanes.store(room + e.i, v);
    }
    template <class E>
    STRIATE_INLINE Vec kept(E e) const {
        return e.lanes.load(room + e.i);
    }
    template <class E>
    STRIATE_INLINE Vec per_class(E e, const float* values) const {
        return e.lanes.load(values + e.i);
    }
    template <class F>
    STRIATE_INLINE Vec total(F f) const {
        Vec part = {};
        each_vector(c,
                    [&](int64_t i, auto lanes) { part += lanes.keep(f(Element<decltype(lanes)>{i, lanes}), Vec{}); });
        return broadcast(sum(part));
    }
    template <class F>
    STRIATE_INLINE Vec first(F f) const {
        return broadcast(f(Element<Whole>{0, {}})[0]);  // a long row is longer than a vector
    }
    template <class F>
    STRIATE_INLINE Vec top(F f) const {
        Vec best = broadcast(-kInfinity);
        each_vector(c, [&](int64_t i, auto lanes) {
            best = max(best, lanes.keep(f(Element<decltype(lanes)>{i, lanes}), best));
        });
        return broadcast(largest(best));
    }
};

STRIATE_INLINE int64_t label_at(const Labels& labels, int64_t row) {
    switch (labels.type) {
        case LabelType::uint8:
            return static_cast<const uint8_t*>(labels.data)[row];
        case LabelType::int32:
            return static_cast<const int32_t*>(labels.data)[row];
        case LabelType::int64:
            break;
    }
    return static_cast<const int64_t*>(labels.data)[row];
}

// The class of a row, or -1 for one that has no loss: an ignored one or, noted in `bad`, one whose label is not a
// class.
STRIATE_INLINE int32_t class_of(const DenseTargets&, int64_t, int64_t, int64_t&) {
    return 0;
}
STRIATE_INLINE int32_t class_of(const LabelTargets& t, int64_t row, int64_t c, int64_t& bad) {
    const int64_t label = label_at(t.labels, row);
    if (t.labels.ignores && label == t.labels.ignored) return -1;
    if (label >= 0 && label < c) return static_cast<int32_t>(label);
    if (bad < 0) bad = row;
    return -1;
}
STRIATE_INLINE DenseTargets dense_part(const DenseTargets& t) {
    return t;
}
STRIATE_INLINE DenseTargets dense_part(const LabelTargets& t) {
    return {nullptr, t.keep, t.add};
}

// Runs loss(rows, want_gradient) -> Vec over the units [begin, end): it returns each row's loss and leaves the gradient
// of it by the predictions in keep().
template <class Targets, class Loss>
STRIATE_INLINE void each_row(const LossRows& b, const Targets& targets, int64_t* bad, int64_t begin, int64_t end,
                             Loss loss) {
    const int64_t per_unit = loss_rows(b.c);
    const bool narrow = b.c <= kNarrow;
    const int64_t step = narrow ? kWidth : 1;
    const double factor = b.scale * (b.normaliser ? *b.normaliser : 1.0);
    for (int64_t unit = begin; unit < end; ++unit) {
        double total = 0;
        int64_t first_bad = -1;
        const int64_t last = lesser(b.rows, (unit + 1) * per_unit);
        for (int64_t row = unit * per_unit; row < last; row += step) {
            const int64_t count = lesser(step, last - row);
            int32_t classes[kWidth];
            float weights[kWidth];
            for (int64_t r = 0; r < kWidth; ++r) {
                classes[r] = r < count ? class_of(targets, row + r, b.c, first_bad) : -1;
                weights[r] = r < count && b.weights ? b.weights[(row + r) / b.rows_per_weight] : 1.0f;
            }
            const VecI chosen = *reinterpret_cast<const UnalignedVecI*>(classes);
            if (narrow) {
                ShortRows<Targets> rows;
                rows.c = b.c, rows.label = chosen, rows.dense = dense_part(targets);
                rows.x.read(b.prediction + row * b.c, b.c, count, b.c);
                if (rows.dense.data) rows.t.read(rows.dense.data + row * b.c, b.c, count, b.c);
                const Vec value = loss(rows, b.gradient != nullptr);
                const Vec weight = load(weights);
                total += sum_exactly(select(chosen >= 0, value * weight, Vec{}));
                if (!b.gradient) continue;
                const Vec scale = weight * static_cast<float>(factor);
                rows.each([&](auto e) { rows.keep(e, select(chosen >= 0, rows.kept(e) * scale, Vec{})); });
                rows.room.write(b.gradient + row * b.c, b.c, count, b.c);
            } else {
                LongRow<Targets> one;
                one.c = b.c, one.label = classes[0], one.dense = dense_part(targets);
                one.x = b.prediction + row * b.c;
                one.t = one.dense.data ? one.dense.data + row * b.c : nullptr;
                one.room = b.gradient ? b.gradient + row * b.c : nullptr;
                const bool counts = classes[0] >= 0;
                const Vec value = loss(one, b.gradient != nullptr);
                if (counts) total += value[0] * weights[0];
                if (!b.gradient) continue;
                const Vec scale = broadcast(weights[0] * static_cast<float>(factor));
                one.each([&](auto e) { one.keep(e, counts ? one.kept(e) * scale : Vec{}); });
            }
        }
        b.sums[unit] = total;
        if (bad) bad[unit] = first_bad;
    }
}

}  // namespace
}  // namespace striate::kernels::STRIATE_ISA
