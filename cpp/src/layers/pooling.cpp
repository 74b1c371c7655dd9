#include "layers/pooling.hpp"

#include "layers/convolution.hpp"
#include "striate/error.hpp"

namespace striate::pooling {

void check(const Pair& pool_size, const Pair& strides, const std::string& padding, const std::string& owner) {
    require(pool_size.h > 0 && pool_size.w > 0, "[", owner, "] pool_size must be positive, got (", pool_size.h, ", ",
            pool_size.w, ")");
    require(strides.h > 0 && strides.w > 0, "[", owner, "] strides must be positive, got (", strides.h, ", ", strides.w,
            ")");
    require(padding == "valid" || padding == "same", "[", owner, "] padding must be 'valid' or 'same', got '", padding,
            "'");
}

Shape infer(const Shape& input, const Pair& pool_size, const Pair& strides, const std::string& padding,
            const std::string& owner) {
    const bool same = padding == "same";
    require(same || (pool_size.h <= input[0] && pool_size.w <= input[1]), "[", owner, "] pool_size (", pool_size.h,
            ", ", pool_size.w, ") is larger than the map ", with_batch(input),
            "; use a smaller pool_size or padding='same'");
    return {convolution::output_size(input[0], pool_size.h, strides.h, 1, same),
            convolution::output_size(input[1], pool_size.w, strides.w, 1, same), input[2]};
}

kernels::PoolWindow window(const Shape& input, const Pair& pool_size, const Pair& strides, const std::string& padding) {
    kernels::PoolWindow w{pool_size.h, pool_size.w, strides.h, strides.w, 0, 0};
    if (padding == "same") {
        w.top = convolution::padding_before(input[0], pool_size.h, strides.h, 1, true);
        w.left = convolution::padding_before(input[1], pool_size.w, strides.w, 1, true);
    }
    return w;
}

}  // namespace striate::pooling
