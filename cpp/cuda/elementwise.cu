// What moves and combines maps element by element, one thread an element.
#include "device.cuh"

namespace striate::cuda {
namespace {

STRIATE_DEVICE float combine(BinaryKind kind, float a, float b, float scale) {
    switch (kind) {
        case BinaryKind::add:
            return a + b;
        case BinaryKind::subtract:
            return a - b;
        case BinaryKind::multiply:
            return a * b;
        case BinaryKind::add_scaled:
            return (a + b) * scale;
        case BinaryKind::maximum:
            return a > b || a != a ? a : b;  // NaN passes
        case BinaryKind::minimum:
            return a < b || a != a ? a : b;
        case BinaryKind::add_relu:
            break;
    }
    return relu_of(a + b);
}

struct Binary {
    template <class I>
    static STRIATE_DEVICE void at(const BinaryArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        a.y[offset_of(a.view_y, p)] =
            combine(a.kind, a.a[broadcast_offset(a.view_a, p)], a.b[broadcast_offset(a.view_b, p)], a.scale);
    }
};
struct FlatBinary {
    template <class I>
    static STRIATE_DEVICE void at(const BinaryArgs& a, I i) {
        a.y[i] = combine(a.kind, a.a[i], a.b[i], a.scale);
    }
};

struct ExtremeBackward {
    template <class I>
    static STRIATE_DEVICE void at(const ExtremeGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_y, i);
        const float g = a.dy[offset_of(a.view_dy, p)];
        const bool here = a.x[broadcast_offset(a.view_x, p)] == a.y[offset_of(a.view_y, p)];
        if (a.dx) a.dx[offset_of(a.view_dx, p)] = here ? g : 0.0f;
        if (a.rest) a.rest[offset_of(a.view_rest, p)] = here ? 0.0f : g;
    }
};

struct ScaleShift {
    template <class I>
    static STRIATE_DEVICE void at(const ScaleShiftArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        a.y[offset_of(a.view_y, p)] = a.x[offset_of(a.view_x, p)] * a.scale + a.shift;
    }
};

struct Accumulate {
    template <class I>
    static STRIATE_DEVICE void at(const AccumulateArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        a.y[offset_of(a.view_y, p)] += a.scale * a.x[offset_of(a.view_x, p)];
    }
};

struct Copy {
    template <class I>
    static STRIATE_DEVICE void at(const CopyArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        a.y[offset_of(a.view_y, p)] = a.x[offset_of(a.view_x, p)];
    }
};
struct FlatCopy {
    template <class I>
    static STRIATE_DEVICE void at(const CopyArgs& a, I i) {
        a.y[i] = a.x[i];
    }
};

struct Fill {
    template <class I>
    static STRIATE_DEVICE void at(const FillArgs& a, I i) {
        a.y[offset_of(a.view, place_of(a.view, i))] = a.value;
    }
};

// An element of the whole map with its halo; those inside are left alone.
struct ZeroHalo {
    template <class I>
    static STRIATE_DEVICE void at(const ZeroHaloArgs& a, I i) {
        View whole = a.view;
        whole.h += a.top + a.bottom, whole.w += a.left + a.right;
        const Place<I> p = place_of(whole, i);
        const int64_t y = static_cast<int64_t>(p.y) - a.top, x = static_cast<int64_t>(p.x) - a.left;
        if (y < 0 || y >= a.view.h || x < 0 || x >= a.view.w)
            a.y[p.n * a.view.image + y * a.view.row + x * a.view.pixel + p.c] = 0.0f;
    }
};

struct ChannelAffine {
    template <class I>
    static STRIATE_DEVICE void at(const ChannelAffineArgs& a, I i) {
        const Place<I> p = place_of(a.view_x, i);
        const int64_t own = p.n * a.image_stride + p.c;
        const float mean = a.mean ? a.mean[own] : 0.0f, shift = a.shift ? a.shift[p.c] : 0.0f;
        const float y = (a.x[offset_of(a.view_x, p)] - mean) * a.scale[own] + shift;
        a.y[offset_of(a.view_y, p)] = a.activation == ActivationKind::relu ? relu_of(y) : y;
    }
};

struct ChannelAffineBackward {
    template <class I>
    static STRIATE_DEVICE void at(const ChannelAffineGradArgs& a, I i) {
        const Place<I> p = place_of(a.view_dy, i);
        const int64_t own = p.n * a.image_stride + p.c;
        const float scale = a.scale[own];
        float g = a.dy[offset_of(a.view_dy, p)], centred = 0;
        const bool relu = a.activation == ActivationKind::relu;
        if (a.slope || relu) centred = a.x[offset_of(a.view_x, p)] - (a.mean ? a.mean[own] : 0.0f);
        if (relu && centred * scale + (a.shift ? a.shift[p.c] : 0.0f) <= 0.0f) g = 0.0f;
        float dx = g * scale;
        if (a.slope) dx = dx + centred * a.slope[own] + a.offset[own];
        a.dx[offset_of(a.view_dx, p)] = dx;
    }
};

struct MergeSums {
    template <class I>
    static STRIATE_DEVICE void at(const MergeSumsArgs& a, I i) {
        double total = 0;
        for (int64_t piece = 0; piece < a.pieces; ++piece) total += a.partials[piece * a.size + i];
        a.out[i] = static_cast<float>(a.scale * total);
    }
};

// Elements of dy that each element of the output gathers: a box of it.
struct Region {
    int64_t n0, y0, x0, c0, n, h, w, c;
    STRIATE_DEVICE int64_t size() const { return n * h * w * c; }
};
template <class I>
STRIATE_DEVICE Region region_of(const View& dy, const View& out, const Place<I>& p) {
    const bool n = out.n < dy.n, h = out.h < dy.h, w = out.w < dy.w, c = out.c < dy.c;
    return {n ? 0 : p.n, h ? 0 : p.y, w ? 0 : p.x, c ? 0 : p.c, n ? dy.n : 1, h ? dy.h : 1, w ? dy.w : 1, c ? dy.c : 1};
}
STRIATE_DEVICE float term(const ReduceBroadcastArgs& a, const Region& r, int64_t i) {
    Place<int64_t> p;
    p.c = r.c0 + i % r.c;
    p.x = r.x0 + i / r.c % r.w;
    p.y = r.y0 + i / r.c / r.w % r.h;
    p.n = r.n0 + i / r.c / r.w / r.h;
    const float g = a.dy[offset_of(a.view_dy, p)];
    return a.other ? g * a.other[broadcast_offset(a.view_other, p)] : g;
}

// 32 neighbouring outputs a block, with eight threads each that add every eighth of what it gathers.
constexpr int kLanes = kBlock / kWarpSize;

__global__ void __launch_bounds__(kBlock) gather_outputs(const ReduceBroadcastArgs a) {
    using Parts = double[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t outputs = elements(a.view_out);
    for (int64_t first = int64_t{blockIdx.x} * kWarpSize; first < outputs; first += int64_t{gridDim.x} * kWarpSize) {
        const int64_t i = first + own;
        LongSum sum;
        const Place<int64_t> p = place_of(a.view_out, i < outputs ? i : 0);
        if (i < outputs) {
            const Region r = region_of(a.view_dy, a.view_out, p);
            const int64_t size = r.size();
            for (int64_t j = lane; j < size; j += kLanes) sum.add(term(a, r, j));
        }
        parts[lane][own] = sum.total();
        __syncthreads();
        if (lane == 0 && i < outputs) {
            double total = 0;
            for (int k = 0; k < kLanes; ++k) total += parts[k][own];
            a.out[offset_of(a.view_out, p)] = a.factor * static_cast<float>(total);
        }
        __syncthreads();
    }
}

// A block for each output, which gathers much.
__global__ void __launch_bounds__(kBlock) gather_output(const ReduceBroadcastArgs a) {
    const int64_t outputs = elements(a.view_out);
    for (int64_t i = blockIdx.x; i < outputs; i += gridDim.x) {
        const Place<int64_t> p = place_of(a.view_out, i);
        const Region r = region_of(a.view_dy, a.view_out, p);
        const int64_t size = r.size();
        LongSum sum;
        for (int64_t j = threadIdx.x; j < size; j += kBlock) sum.add(term(a, r, j));
        const double total = block_sum(sum.total());
        if (threadIdx.x == 0) a.out[offset_of(a.view_out, p)] = a.factor * static_cast<float>(total);
    }
}

// Block (channels / 32, piece): eight threads for a channel add every eighth pixel of the piece's rows.
__global__ void __launch_bounds__(kBlock) sum_channels(const ChannelSumArgs a) {
    using Parts = double[kLanes][kWarpSize];
    STRIATE_SHARED(Parts, parts);
    const View& v = a.view_x;
    const int lane = threadIdx.x / kWarpSize, own = threadIdx.x % kWarpSize;
    const int64_t chunks = divide_up(v.c, kWarpSize), piece = blockIdx.x / chunks;
    const int64_t c = blockIdx.x % chunks * kWarpSize + own;
    LongSum sum;
    if (c < v.c) {
        const int64_t first = piece_begin(rows(v), a.pieces, piece) * v.w;
        const int64_t last = piece_begin(rows(v), a.pieces, piece + 1) * v.w;
        PixelWalk walk(v, first + lane);
        for (int64_t pixel = first + lane; pixel < last; pixel += kLanes, walk.step(kLanes))
            if (!a.places || a.places[pixel * v.c + c] != a.left_out) sum.add(a.x[walk.offset() + c]);
    }
    parts[lane][own] = sum.total();
    __syncthreads();
    if (lane == 0 && c < v.c) {
        double total = 0;
        for (int k = 0; k < kLanes; ++k) total += parts[k][own];
        a.partials[piece * v.c + c] = total;
    }
}

}  // namespace

ChipCheck chip_check_kernel() {
    return &each_element<Fill, FillArgs, uint32_t>;
}

void binary(const BinaryArgs& a, cudaStream_t stream) {
    const int64_t count = elements(a.view_y);
    const bool same = elements(a.view_a) == count && elements(a.view_b) == count;
    if (same && flat(a.view_a) && flat(a.view_b) && flat(a.view_y)) return for_each<FlatBinary>(a, count, stream);
    for_each<Binary>(a, count, stream);
}

void extreme_backward(const ExtremeGradArgs& a, cudaStream_t stream) {
    for_each<ExtremeBackward>(a, elements(a.view_y), stream);
}

void scale_shift(const ScaleShiftArgs& a, cudaStream_t stream) {
    for_each<ScaleShift>(a, elements(a.view_x), stream);
}

void accumulate(const AccumulateArgs& a, cudaStream_t stream) {
    for_each<Accumulate>(a, elements(a.view_x), stream);
}

void copy(const CopyArgs& a, cudaStream_t stream) {
    if (flat(a.view_x) && flat(a.view_y)) return for_each<FlatCopy>(a, elements(a.view_x), stream);
    for_each<Copy>(a, elements(a.view_x), stream);
}

void fill(const FillArgs& a, cudaStream_t stream) {
    for_each<Fill>(a, elements(a.view), stream);
}

void zero_halo(const ZeroHaloArgs& a, cudaStream_t stream) {
    const View& v = a.view;
    for_each<ZeroHalo>(a, v.n * (v.h + a.top + a.bottom) * (v.w + a.left + a.right) * v.c, stream);
}

void channel_affine(const ChannelAffineArgs& a, cudaStream_t stream) {
    for_each<ChannelAffine>(a, elements(a.view_x), stream);
}

void channel_affine_backward(const ChannelAffineGradArgs& a, cudaStream_t stream) {
    for_each<ChannelAffineBackward>(a, elements(a.view_dy), stream);
}

void merge_sums(const MergeSumsArgs& a, cudaStream_t stream) {
    for_each<MergeSums>(a, a.size, stream);
}

void reduce_broadcast(const ReduceBroadcastArgs& a, cudaStream_t stream) {
    const int64_t outputs = elements(a.view_out);
    if (outputs == 0) return;
    const bool whole_pixels = a.view_out.c < a.view_dy.c && outputs < kMaxBlocks;
    if (whole_pixels && elements(a.view_dy) / outputs >= kBlock) {
        STRIATE_LAUNCH(gather_output, static_cast<unsigned>(outputs), kBlock, stream, a);
    } else {
        STRIATE_LAUNCH(gather_outputs, blocks_for(outputs, kWarpSize), kBlock, stream, a);
    }
}

void channel_sums(const ChannelSumArgs& a, cudaStream_t stream) {
    const int64_t blocks = a.pieces * divide_up(a.view_x.c, kWarpSize);
    if (blocks > 0) STRIATE_LAUNCH(sum_channels, static_cast<unsigned>(blocks), kBlock, stream, a);
}

}  // namespace striate::cuda
