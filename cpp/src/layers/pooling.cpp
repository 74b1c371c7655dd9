#include "layers/pooling.hpp"

#include <algorithm>

#include "cpu/convolution.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"

namespace striate::pooling {
namespace {

constexpr int64_t kMaxPlaces = (int64_t{1} << 31) - 1;  // of a window: kernels number them in 32 bits
constexpr int64_t kMaxOverlaid = int64_t{1} << 16;

}  // namespace

void check(const Pair& pool_size, const Pair& strides, const Padding& padding, const std::string& owner) {
    require(pool_size.h > 0 && pool_size.w > 0, "[", owner, "] pool_size must be positive, got (", pool_size.h, ", ",
            pool_size.w, ")");
    require(pool_size.h <= kMaxPlaces / pool_size.w, "[", owner, "] pool_size must have at most ", kMaxPlaces,
            " places, got (", pool_size.h, ", ", pool_size.w, ")");
    require(strides.h > 0 && strides.w > 0, "[", owner, "] strides must be positive, got (", strides.h, ", ", strides.w,
            ")");
    if (!padding.mode.empty()) {
        require(padding == "valid" || padding == "same", "[", owner,
                "] padding must be 'valid', 'same' or ((top, bottom), (left, right)), got '", padding.mode, "'");
        return;
    }
    const std::vector<int64_t>& m = padding.margins;
    require(m.size() == 4, "[", owner, "] padding must be four numbers (top, bottom, left, right), got ", m.size());
    const bool seen = std::all_of(m.begin(), m.end(), [](int64_t v) { return v >= 0; }) &&
                      std::max(m[0], m[1]) < pool_size.h && std::max(m[2], m[3]) < pool_size.w;
    require(seen, "[", owner, "] padding (top, bottom, left, right) must be at least 0 and less than pool_size (",
            pool_size.h, ", ", pool_size.w, "), got ", to_string(m));
}

Shape infer(const Shape& input, const Pair& pool_size, const Pair& strides, const Padding& padding,
            const std::string& owner) {
    const bool same = padding == "same";
    Shape map = input;
    if (!padding.margins.empty()) {
        map[0] += padding.margins[0] + padding.margins[1];
        map[1] += padding.margins[2] + padding.margins[3];
    }
    require(same || (pool_size.h <= map[0] && pool_size.w <= map[1]), "[", owner, "] pool_size (", pool_size.h, ", ",
            pool_size.w, ") is larger than the map ", with_batch(input), "; use a smaller pool_size or padding='same'");
    // Windows that overlap read every pixel that often.
    const int64_t overlaid = kernels::divide_up(std::min(pool_size.h, map[0]), strides.h) *
                             kernels::divide_up(std::min(pool_size.w, map[1]), strides.w);
    require(overlaid <= kMaxOverlaid, "[", owner, "] pool_size (", pool_size.h, ", ", pool_size.w, ") with strides (",
            strides.h, ", ", strides.w, ") puts ", overlaid, " windows over a pixel, and at most ", kMaxOverlaid,
            " are allowed; use larger strides");
    return {convolution::output_size(map[0], pool_size.h, strides.h, 1, same),
            convolution::output_size(map[1], pool_size.w, strides.w, 1, same), input[2]};
}

kernels::PoolWindow window(const Shape& input, const Pair& pool_size, const Pair& strides, const Padding& padding) {
    kernels::PoolWindow w{pool_size.h, pool_size.w, strides.h, strides.w, 0, 0};
    if (padding == "same") {
        w.top = convolution::padding_before(input[0], pool_size.h, strides.h, 1, true);
        w.left = convolution::padding_before(input[1], pool_size.w, strides.w, 1, true);
    } else if (!padding.margins.empty()) {
        w.top = padding.margins[0];
        w.left = padding.margins[2];
    }
    return w;
}

void emit_max(PlanContext& plan, const kernels::PoolWindow& window, TensorId x, TensorId y, TensorId places,
              bool relu) {
    const kernels::MaxPoolArgs args{window, plan.view(x), plan.view(y), nullptr, nullptr, {nullptr, wide(window)},
                                    relu};
    plan.step(kernel_step(plan, kernels::K::max_pool, relu ? "max pool, relu" : "max pool", args,
                          {reads(args.x, x), writes(args.y, y), writes(args.winners.places, places)}));
}

void emit_max_backward(PlanContext& plan, const kernels::PoolWindow& window, TensorId dy, TensorId places,
                       TensorId dx) {
    const kernels::MaxPoolGradArgs args{window,  plan.view(dy), plan.view(dx),
                                        nullptr, nullptr,       {nullptr, wide(window)}};
    // The forward pass writes through this pointer; here it is only read.
    const void* const& winners = const_cast<const void* const&>(args.winners.places);
    plan.step(kernel_step(plan, kernels::K::max_pool_backward, "max pool backward", args,
                          {reads(args.dy, dy), reads(winners, places), writes(args.dx, dx)}));
}

}  // namespace striate::pooling
