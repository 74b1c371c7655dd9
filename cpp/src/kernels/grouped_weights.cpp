// Grouped convolution with few channels a group: gradient to weights, and weights for the gradient to input.
#include "kernels/args_grouped.hpp"
#include "kernels/grouped.hpp"

namespace striate::kernels::STRIATE_ISA {
namespace {

// Sums that are registers: kTaps taps, kLanes input channels of each.
template <int kGroup>
struct Block {
    static constexpr int kMaxLanes = kManyRegisters ? 8 : 4;
    static constexpr int kLanes = kGroup < kMaxLanes ? kGroup : kMaxLanes;
    static constexpr int kTaps = kLanes == 1 ? 9 : kLanes == 2 ? (kManyRegisters ? 9 : 6) : 3;
};

// Lines of output pixels, and where a vector of their channels is.
struct Lines {
    int64_t begin, end, channel;
};

// Sums products over `lines`, and adds them to the slot's rows for these taps and input channels, or begins them.
template <int kGroup, int kFirst, int kTaps, class Lanes>
void add_lines(const GroupedWeightArgs& a, const Lines& lines, const int64_t* offsets, bool first, float* slot,
               Lanes lanes) {
    constexpr int kLanes = Block<kGroup>::kLanes;
    // Prefetch the lines of the next call: only one vector of each pixel is read, and hardware prefetchers miss that.
    const bool ask = kFirst == 0 && offsets[0] == 0;
    const int64_t count = lines.end - lines.begin;
    const int64_t ahead = count * a.x_row + (a.tap_rows - 1) * a.tap_row, dy_ahead = count * a.y_row;
    // Constant indices from the start (no loops for the compiler to unroll), or GCC keeps `acc` in memory for a Part.
    Vec acc[kTaps * kLanes] = {};
    for (int64_t line = lines.begin; line < lines.end; ++line) {
        const float* x = a.x + a.x_offset + line / a.rows * a.x_image + line % a.rows * a.x_row + lines.channel;
        const float* dy = a.dy + line / a.rows * a.y_image + line % a.rows * a.y_row + lines.channel;
        for (int64_t col = a.cols; col > 0; --col, x += a.x_col, dy += a.y_col) {
            const Vec g = lanes.load(dy);
            if (ask) {
                __builtin_prefetch(x + ahead, 0, 2);
                __builtin_prefetch(dy + dy_ahead, 0, 2);
            }
            unroll<0, kTaps>([&](auto tap) STRIATE_BODY {
                const float* p = x + offsets[tap.value];
                unroll<0, kLanes>([&](auto lane) STRIATE_BODY {
                    acc[tap.value * kLanes + lane.value] += g * load_spread<kGroup, kFirst + lane.value>(p, lanes);
                });
            });
        }
    }
    unroll<0, kTaps * kLanes>([&](auto sum) STRIATE_BODY {
        constexpr int kSum = decltype(sum)::value;
        float* to = slot + (kSum / kLanes * kGroup + kFirst + kSum % kLanes) * a.channels + lines.channel;
        lanes.store(to, first ? acc[kSum] : acc[kSum] + lanes.load(to));
    });
}

template <int kGroup, int kTaps>
void taps(const GroupedWeightArgs& a, const Lines& lines, const int64_t* offsets, bool first, float* slot) {
    constexpr int kLanes = Block<kGroup>::kLanes;
    const int64_t left = a.channels - lines.channel;
    unroll<0, kGroup / kLanes>([&](auto block) STRIATE_BODY {
        constexpr int kFirst = decltype(block)::value * kLanes;
        if (left >= kWidth) {
            add_lines<kGroup, kFirst, kTaps>(a, lines, offsets, first, slot, Whole{});
        } else if constexpr (kGroup < kWidth) {
            add_lines<kGroup, kFirst, kTaps>(a, lines, offsets, first, slot, Part{left});
        }
    });
}

using Taps = void (*)(const GroupedWeightArgs&, const Lines&, const int64_t* offsets, bool first, float* slot);
template <int kGroup>
struct ByTaps {
    Taps of[Block<kGroup>::kTaps + 1];
};
template <int kGroup, int kTaps = 1>
constexpr void fill_taps(ByTaps<kGroup>& table) {
    if constexpr (kTaps <= Block<kGroup>::kTaps) {
        table.of[kTaps] = &taps<kGroup, kTaps>;
        fill_taps<kGroup, kTaps + 1>(table);
    }
}
template <int kGroup>
constexpr ByTaps<kGroup> make_taps() {
    ByTaps<kGroup> table{};
    fill_taps<kGroup>(table);
    return table;
}

template <int kGroup>
void pieces(const GroupedWeightArgs& a, int64_t begin, int64_t end) {
    static constexpr ByTaps<kGroup> by_taps = make_taps<kGroup>();
    const int64_t vectors = divide_up(a.channels, kWidth), blocks = divide_up(vectors, a.unit_vectors);
    const int64_t lines = a.images * a.rows, tap_count = a.tap_rows * a.tap_cols;
    const int64_t runs = divide_up(tap_count, Block<kGroup>::kTaps);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t piece = unit / blocks, block = unit % blocks;
        const int64_t vector_end = lesser(vectors, (block + 1) * a.unit_vectors);
        const int64_t line_begin = piece_begin(lines, a.pieces, piece),
                      line_end = piece_begin(lines, a.pieces, piece + 1);
        float* slot = a.slots + piece * tap_count * kGroup * a.channels;
        for (int64_t line = line_begin; line < line_end; line += a.lines)
            for (int64_t vector = block * a.unit_vectors; vector < vector_end; ++vector) {
                const Lines some{line, lesser(line_end, line + a.lines), vector * kWidth};
                for (int64_t run = 0; run < runs; ++run) {
                    const int64_t tap = piece_begin(tap_count, runs, run);
                    const int64_t count = piece_begin(tap_count, runs, run + 1) - tap;
                    int64_t offsets[Block<kGroup>::kTaps];
                    for (int64_t t = 0; t < count; ++t)
                        offsets[t] = (tap + t) / a.tap_cols * a.tap_row + (tap + t) % a.tap_cols * a.tap_col;
                    by_taps.of[count](a, some, offsets, line == line_begin, slot + tap * kGroup * a.channels);
                }
            }
    }
}

}  // namespace

void grouped_weights(const GroupedWeightArgs& a, int64_t begin, int64_t end) {
    with_group(a.group, [&](auto group) { pieces<group.value>(a, begin, end); });
}

void pack_grouped(const GroupedPackArgs& a, int64_t begin, int64_t end) {
    const int64_t taps = a.rows * a.cols;
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t tap = unit % taps, first = unit / taps * a.panel;
        const int64_t count = lesser(a.panel, a.channels - first);
        const float* src = a.src + a.src_offset + tap / a.cols * a.s_row + tap % a.cols * a.s_col + first;
        float* dst = a.dst + unit * a.group * a.panel;
        for (int64_t i = 0; i < a.panel; i += a.group)
            for (int64_t j = 0; j < a.group; ++j)
                for (int64_t k = 0; k < a.group; ++k)
                    dst[k * a.panel + i + j] = i < count ? src[j * a.s_depth + i + k] : 0;
    }
}

}  // namespace striate::kernels::STRIATE_ISA
