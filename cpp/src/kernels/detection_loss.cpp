#include "kernels/detection_layout.hpp"
#include "kernels/simd_math.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

constexpr double kMaxLog = 8;                    // of a width or height in strides
constexpr double kAngles = 0.40528473456935109;  // 4 / pi^2

// What two intervals share and what they span, with the derivatives by the first one's ends.
struct Along {
    double shared, span;
    double shared_low, shared_high, span_low, span_high;
};
STRIATE_INLINE Along along(double low, double high, double other_low, double other_high) {
    Along a{};
    a.shared = (high < other_high ? high : other_high) - (low > other_low ? low : other_low);
    if (a.shared > 0) {
        a.shared_low = low > other_low ? -1 : 0;
        a.shared_high = high < other_high ? 1 : 0;
    } else {
        a.shared = 0;
    }
    a.span = (high > other_high ? high : other_high) - (low < other_low ? low : other_low);
    a.span_low = low < other_low ? -1 : 0;
    a.span_high = high > other_high ? 1 : 0;
    return a;
}

// The loss of a box with the derivatives by its centre and sizes; all in one unit of length.
struct Box {
    double x, y, w, h;
};
double box_loss(const Box& b, const Box& t, bool complete, Box& slope) {
    const Along x = along(b.x - 0.5 * b.w, b.x + 0.5 * b.w, t.x - 0.5 * t.w, t.x + 0.5 * t.w);
    const Along y = along(b.y - 0.5 * b.h, b.y + 0.5 * b.h, t.y - 0.5 * t.h, t.y + 0.5 * t.h);
    const double both = x.shared * y.shared, whole = b.w * b.h + t.w * t.h - both, iou = both / whole;
    // By what is shared along each axis, by what is spanned, and by the sizes as far as they make the area.
    double d_shared = -(1 + iou) / whole, d_area = iou / whole;
    double d_span_x = 0, d_span_y = 0, value = 1 - iou;
    slope = {};
    if (complete) {
        const double diagonal = x.span * x.span + y.span * y.span;
        const double dx = b.x - t.x, dy = b.y - t.y, far = (dx * dx + dy * dy) / diagonal;
        const double turn = __builtin_atan(t.w / t.h) - __builtin_atan(b.w / b.h), v = kAngles * turn * turn;
        // alpha v with alpha = v / (1 - iou + v), differentiated as a whole.
        const double rest = 1 - iou + v, aspect = rest > 0 ? v * v / rest : 0;
        const double d_v = rest > 0 ? v * (rest + rest - v) / (rest * rest) : 0;
        const double d_iou = rest > 0 ? aspect / rest : 0;
        d_shared += d_iou * (1 + iou) / whole;
        d_area -= d_iou * iou / whole;
        d_span_x = -2 * far * x.span / diagonal;
        d_span_y = -2 * far * y.span / diagonal;
        const double d_angle = -2 * kAngles * turn * d_v / (b.w * b.w + b.h * b.h);
        slope = {2 * dx / diagonal, 2 * dy / diagonal, d_angle * b.h, -d_angle * b.w};
        value += far + aspect;
    } else {
        const double hull = x.span * y.span;
        value += 1 - whole / hull;
        d_shared += 1 / hull;
        d_area -= 1 / hull;
        d_span_x = whole / (hull * hull) * y.span;
        d_span_y = whole / (hull * hull) * x.span;
    }
    const double low_x = d_shared * y.shared * x.shared_low + d_span_x * x.span_low;
    const double high_x = d_shared * y.shared * x.shared_high + d_span_x * x.span_high;
    const double low_y = d_shared * x.shared * y.shared_low + d_span_y * y.span_low;
    const double high_y = d_shared * x.shared * y.shared_high + d_span_y * y.span_high;
    slope.x += low_x + high_x;
    slope.y += low_y + high_y;
    slope.w += 0.5 * (high_x - low_x) + d_area * b.h;
    slope.h += 0.5 * (high_y - low_y) + d_area * b.w;
    return value;
}

// The loss of a location's box; its gradient, times `factor`, goes to four floats.
double location_box(const DetectionLossArgs& a, int64_t location, const float* p, const float* target, double factor,
                    float* gradient) {
    const DetectionPlace place = detection_place(a.grid, location);
    const double unit = 1.0 / static_cast<double>(place.stride);
    const bool wide = p[2] > kMaxLog, high = p[3] > kMaxLog;
    const Box box{static_cast<double>(place.column) + 0.5 + p[0], static_cast<double>(place.row) + 0.5 + p[1],
                  __builtin_exp(wide ? kMaxLog : p[2]), __builtin_exp(high ? kMaxLog : p[3])};
    const double x1 = target[0] * unit, y1 = target[1] * unit, x2 = target[2] * unit, y2 = target[3] * unit;
    Box slope;
    const double value = box_loss(box, {0.5 * (x1 + x2), 0.5 * (y1 + y2), x2 - x1, y2 - y1}, a.complete, slope);
    if (gradient) {
        gradient[0] = static_cast<float>(factor * slope.x);
        gradient[1] = static_cast<float>(factor * slope.y);
        gradient[2] = wide ? 0.0f : static_cast<float>(factor * slope.w * box.w);
        gradient[3] = high ? 0.0f : static_cast<float>(factor * slope.h * box.h);
    }
    return value;
}

// The class of a target; the first for what is none. Targets are checked, but the caller may change them meanwhile.
STRIATE_INLINE int64_t class_of(float label, int64_t count) {
    return label >= 0 && label < static_cast<float>(count) ? static_cast<int64_t>(label) : 0;
}

// The cross-entropy of a class from `count` logits.
double class_loss(const float* x, int64_t count, int64_t label, float factor, float* gradient) {
    Vec best = broadcast(-kInfinity);
    each_vector(count, [&](int64_t i, auto lanes) { best = max(best, lanes.keep(lanes.load(x + i), best)); });
    const float top = largest(best);
    Vec part = {};
    each_vector(count, [&](int64_t i, auto lanes) { part += lanes.keep(exp(lanes.load(x + i) - top), Vec{}); });
    const float total = sum(part);
    if (gradient) {
        const float share = factor / total;
        each_vector(count,
                    [&](int64_t i, auto lanes) { lanes.store(gradient + i, exp(lanes.load(x + i) - top) * share); });
        gradient[label] -= factor;
    }
    return static_cast<double>(log(broadcast(total))[0]) + top - x[label];
}

// The focal loss of there being objects at the `count` locations from `first` on.
double objectness(const DetectionLossArgs& a, const float* p, const int32_t* assigned, int64_t count, float factor,
                  float* gradient) {
    float logits[kWidth] = {}, sides[kWidth] = {};
    for (int64_t i = 0; i < count; ++i) {
        logits[i] = p[i * a.c + 4];
        sides[i] = assigned[i] >= 0 ? 1.0f : assigned[i] == -1 ? -1.0f : 0.0f;
    }
    const Vec side = load(sides), z = side * load(logits);
    const VecI counts = side != 0.0f, object = side > 0.0f;
    const Vec wrong = sigmoid(-z), crossentropy = softplus(-z), focal = power(wrong, a.gamma);
    Vec weight = select(counts, broadcast(1.0f), Vec{});
    if (a.balanced) weight = select(object, broadcast(a.alpha), weight * (1.0f - a.alpha));
    const double total = sum_exactly(select(counts, weight * focal * crossentropy, Vec{}));
    if (!gradient) return total;
    const Vec slope = focal * (a.gamma * (1.0f - wrong) * crossentropy + wrong);
    float slopes[kWidth];
    store(slopes, select(counts, -side * weight * slope * factor, Vec{}));
    for (int64_t i = 0; i < count; ++i) gradient[i * a.c + 4] = slopes[i];
    return total;
}

}  // namespace

void detection_loss(const DetectionLossArgs& a, int64_t begin, int64_t end) {
    const int64_t locations = detection_locations(a.grid), pieces = divide_up(locations, kDetectionPiece);
    double answering = 0;
    for (int64_t n = 0; n < a.n; ++n) answering += a.counts[n];
    if (answering < 1) answering = 1;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t image = unit / pieces, first = unit % pieces * kDetectionPiece;
        const int64_t last = lesser(locations, first + kDetectionPiece);
        const int64_t offset = image * locations * a.c;
        const double share = (a.weights ? a.weights[image] : 1.0) / answering, factor = share * a.scale;
        const float* targets = a.targets + image * a.boxes * 5;
        const int32_t* assigned = a.assigned + image * locations;
        double total = 0;
        for (int64_t i = first; i < last; i += kWidth) {
            const int64_t count = lesser(kWidth, last - i);
            const float* p = a.prediction + offset + i * a.c;
            float* gradient = a.gradient ? a.gradient + offset + i * a.c : nullptr;
            if (gradient) each_vector(count * a.c, [&](int64_t j, auto lanes) { lanes.store(gradient + j, Vec{}); });
            total += objectness(a, p, assigned + i, count, static_cast<float>(factor), gradient);
            for (int64_t k = 0; k < count; ++k) {
                if (assigned[i + k] < 0) continue;
                const float* target = targets + assigned[i + k] * 5;
                const float* x = p + k * a.c;
                float* out = gradient ? gradient + k * a.c : nullptr;
                total += a.box_weight * location_box(a, i + k, x, target, factor * a.box_weight, out);
                total +=
                    a.class_weight * class_loss(x + 5, a.c - 5, class_of(target[4], a.c - 5),
                                                static_cast<float>(factor * a.class_weight), out ? out + 5 : nullptr);
            }
        }
        a.sums[unit] = total * share;
    }
}

}  // namespace striate::kernels::STRIATE_ISA
