#include "cpu/bands.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <type_traits>
#include <utility>

#include "cpu/cpu.hpp"
#include "kernels/units.hpp"

namespace striate {
namespace {

using kernels::Row;

constexpr size_t kLine = 64;
// Fewer bands than this could not be dealt out evenly to many threads.
constexpr int64_t kMinBands = 16;

// Where the rows of an image are: what is added to the offset of row 0, in floats.
struct Origins {
    int64_t image, x, y;
};

// Rows and columns as the views have them, or rows that follow each other without a gap as one line.
bool by_rows(const kernels::ConvArgs& a, const View& y) {
    return a.rows == y.h && a.cols == y.w;
}

bool fits(const kernels::ConvArgs& a, const BandCall& call) {
    const View &x = call.view_x, &y = call.view_y;
    if (a.groups != 1 || a.y_channel != 1 || a.y_col != y.pixel) return false;
    if (by_rows(a, y)) return a.images == y.n && a.x_row == call.rows.stride * x.row && a.y_row == y.row;
    const bool same = x.h == y.h && x.w == y.w && call.rows.stride == 1 && call.rows.taps == 1;
    return same && a.rows == 1 && a.images * a.cols == y.n * y.h * y.w && a.x_col == x.pixel &&
           x.row == x.w * x.pixel && y.row == y.w * y.pixel;
}
void restrict_to(kernels::ConvArgs& a, const BandCall& call, int64_t first, int64_t count, const Origins& at) {
    const View& y = call.view_y;
    const bool rows = by_rows(a, y);
    a.x_offset += at.x + first * (rows ? a.x_row : y.w * a.x_col);
    a.y_offset += at.y + first * (rows ? a.y_row : y.w * a.y_col);
    a.images = 1;
    (rows ? a.rows : a.cols) = rows ? count : count * y.w;
}

// Depthwise and grouped convolutions.
template <class Args>
bool fits_lines(const Args& a, const BandCall& call) {
    const View& y = call.view_y;
    return a.images == y.n && a.rows == y.h && a.cols == y.w && a.x_row == call.rows.stride * call.view_x.row &&
           a.y_row == y.row && a.y_col == y.pixel;
}
template <class Args>
void restrict_lines(Args& a, int64_t first, int64_t count, const Origins& at) {
    a.x_offset += at.x + first * a.x_row;
    a.y_offset += at.y + first * a.y_row;
    a.images = 1;
    a.rows = count;
}

// What makes each row of an image from the same row alone.
template <class Args>
void restrict_rows(Args& a, int64_t first, int64_t count, const Origins& at) {
    a.x += at.x + first * a.view_x.row;
    a.y += at.y + first * a.view_y.row;
    a.view_x.n = a.view_y.n = 1;
    a.view_x.h = a.view_y.h = count;
}

// `b` may be the same for all images, rows or columns.
void restrict_to(kernels::BinaryArgs& a, int64_t first, int64_t count, const Origins& at) {
    a.a += at.x + first * a.view_a.row;
    a.b += (a.view_b.n > 1 ? at.image * a.view_b.image : 0) + (a.view_b.h > 1 ? first * a.view_b.row : 0);
    a.y += at.y + first * a.view_y.row;
    if (a.view_b.h > 1) a.view_b.h = count;
    a.view_a.n = a.view_b.n = a.view_y.n = 1;
    a.view_a.h = a.view_y.h = count;
}
bool fits(const kernels::BinaryArgs& a) {
    const View &x = a.view_a, &y = a.view_y;
    return x.n == y.n && x.h == y.h && x.w == y.w && x.c == y.c;
}

template <class Args>
Args& as(std::byte* arguments) {
    return *reinterpret_cast<Args*>(arguments);
}

// Calls visit(arguments) with the arguments of the row's type; false for what has no rows of its own.
template <class Visitor>
bool visit_call(Row row, std::byte* arguments, const Visitor& visit) {
    const auto as = [&](auto type) -> decltype(type)& { return *reinterpret_cast<decltype(type)*>(arguments); };
    switch (row) {
        case Row::conv:
            return visit(as(kernels::ConvArgs()));
        case Row::depthwise:
            return visit(as(kernels::DepthwiseArgs()));
        case Row::grouped_conv:
            return visit(as(kernels::GroupedConvArgs()));
        case Row::copy:
            return visit(as(kernels::CopyArgs()));
        case Row::activation_forward:
            return visit(as(kernels::ActivationArgs()));
        case Row::channel_affine:
            return visit(as(kernels::ChannelAffineArgs()));
        case Row::layer_norm:
            return visit(as(kernels::LayerNormArgs()));
        case Row::binary:
            return visit(as(kernels::BinaryArgs()));
        default:
            return false;
    }
}

struct Fits {
    const BandCall& call;
    bool operator()(const kernels::ConvArgs& a) const { return fits(a, call); }
    bool operator()(const kernels::DepthwiseArgs& a) const { return fits_lines(a, call); }
    bool operator()(const kernels::GroupedConvArgs& a) const { return fits_lines(a, call); }
    bool operator()(const kernels::BinaryArgs& a) const { return fits(a); }
    template <class Args>
    bool operator()(const Args& a) const {
        return a.view_x.h == a.view_y.h && call.rows.stride == 1 && call.rows.taps == 1;
    }
};

// Leaves the rows [first, first + count) of one image, and counts the units.
struct Restrict {
    const BandCall& call;
    int64_t first, count;
    const Origins& at;
    int64_t& found;

    template <class Args>
    bool operator()(Args& a) const {
        if constexpr (std::is_same_v<Args, kernels::ConvArgs>)
            restrict_to(a, call, first, count, at);
        else if constexpr (std::is_same_v<Args, kernels::BinaryArgs>)
            restrict_to(a, first, count, at);
        else if constexpr (std::is_same_v<Args, kernels::DepthwiseArgs> ||
                           std::is_same_v<Args, kernels::GroupedConvArgs>)
            restrict_lines(a, first, count, at);
        else
            restrict_rows(a, first, count, at);
        found = kernels::units(a);
        return true;
    }
};

}  // namespace

bool fits_bands(const BandCall& call) {
    const KernelCall& k = *call.call;
    if (call.rows.stride < 1 || k.scratch != KernelCall::kNone || k.random != KernelCall::kNone) return false;
    // A map that is read by two pointers would be in two places of a window.
    const auto once = [&](TensorId id) {
        return std::count_if(k.pointers.begin(), k.pointers.end(), [&](const auto& p) { return p.tensor == id; }) == 1;
    };
    if (!once(call.x) || !once(call.y)) return false;
    alignas(std::max_align_t) std::byte arguments[kernels::kMaxArguments];
    std::memcpy(arguments, k.arguments.data(), k.arguments.size());
    return visit_call(k.row, arguments, Fits{call});
}

// What a thread keeps of the map behind a call.
struct Bands::State {
    int64_t image = -1, first = 0, end = 0;  // rows, zeros outside of the map among them
};

Bands::Bands(std::vector<BandCall> calls, size_t near_bytes) : calls_(std::move(calls)), windows_(calls_.size()) {
    for (const BandCall& call : calls_) invoke_.push_back(kernels::invoker(call.call->row));
    const View& last = calls_.back().view_y;
    std::vector<Window> windows(calls_.size());
    for (int64_t height = 1; height <= last.h; ++height) {
        const size_t bytes = windows_for(height, windows);
        if (bytes > near_bytes) break;
        height_ = height;
    }
    if (!fits()) return;
    const int64_t bands = std::max(kernels::divide_up(last.h, height_),
                                   std::min(last.h, kernels::divide_up(kMinBands, std::max<int64_t>(1, last.n))));
    height_ = kernels::divide_up(last.h, bands);
    scratch_ = windows_for(height_, windows_);
}

// Sets the windows for bands of so many rows; returns their bytes.
size_t Bands::windows_for(int64_t height, std::vector<Window>& windows) const {
    int64_t made = height;  // rows that a call makes at a time
    size_t end = 0;
    for (size_t i = calls_.size(); i-- > 0;) {
        const BandCall& call = calls_[i];
        if (call.beside || i == 0) continue;
        Window& window = windows[maker_of(i)];
        window.rows = (made - 1) * call.rows.stride + call.rows.taps;
        window.offset = end + static_cast<size_t>(call.halo_x.left * call.view_x.pixel) * sizeof(float);
        end += static_cast<size_t>(window.rows * call.view_x.row) * sizeof(float);
        end = (end + kLine - 1) / kLine * kLine;
        made = std::min(window.rows, call.view_x.h);
    }
    return end;
}

int64_t Bands::units() const {
    const View& last = calls_.back().view_y;
    return last.n * kernels::divide_up(last.h, height_);
}

// Calls write inside the halos only.
void Bands::clear_halos(std::byte* scratch) const {
    for (size_t i = 1; i < calls_.size(); ++i) {
        const BandCall& call = calls_[i];
        if (call.beside) continue;
        const Window& window = windows_[maker_of(i)];
        const View& v = call.view_x;
        float* const rows = reinterpret_cast<float*>(scratch + window.offset);
        for (int64_t row = 0; row < window.rows; ++row) {
            std::fill_n(rows + row * v.row - call.halo_x.left * v.pixel, call.halo_x.left * v.pixel, 0.0f);
            std::fill_n(rows + row * v.row + v.w * v.pixel, call.halo_x.right * v.pixel, 0.0f);
        }
    }
}

void Bands::run(const Frame& frame, int64_t begin, int64_t end, std::byte* scratch) const {
    std::array<State, kMaxCalls> states;
    clear_halos(scratch);
    const View& last = calls_.back().view_y;
    const int64_t bands = kernels::divide_up(last.h, height_);
    for (int64_t unit = begin; unit < end; ++unit) {
        const int64_t first = unit % bands * height_;
        run_band(frame, unit / bands, first, std::min(first + height_, last.h), states.data(), scratch);
    }
}

void Bands::run_band(const Frame& frame, int64_t image, int64_t first, int64_t last, State* states,
                     std::byte* scratch) const {
    std::array<std::pair<int64_t, int64_t>, kMaxCalls> ranges;  // of rows that each call makes
    for (size_t i = calls_.size(); i-- > 0;) {
        const BandCall& call = calls_[i];
        ranges[i] = call.beside ? ranges[i + 1] : std::make_pair(first, last);
        if (call.beside || i == 0) continue;
        const size_t maker = maker_of(i);
        State& state = states[maker];
        if (first < last) {
            const View& v = call.view_x;
            float* const window =
                reinterpret_cast<float*>(scratch + windows_[maker].offset) - call.halo_x.left * v.pixel;
            const int64_t from = first * call.rows.stride - call.rows.before;
            const int64_t to = (last - 1) * call.rows.stride - call.rows.before + call.rows.taps;
            // Rows that the band before this one has made move to the front.
            const bool goes_on = state.image == image && state.end > from && state.first <= from;
            const int64_t kept = goes_on ? state.end - from : 0;
            if (kept > 0 && from != state.first)
                std::memmove(window, window + (from - state.first) * v.row,
                             static_cast<size_t>(kept * v.row) * sizeof(float));
            state = {image, from, std::max(to, from + kept)};
            first = std::max<int64_t>(from + kept, 0);
            last = std::min(to, v.h);
            const auto clear = [&](int64_t a, int64_t b) {
                if (a < b) std::fill_n(window + (a - from) * v.row, (b - a) * v.row, 0.0f);
            };
            clear(from + kept, std::min<int64_t>(0, to));
            clear(std::max(from + kept, v.h), to);
        }
    }
    for (size_t i = 0; i < calls_.size(); ++i)
        if (ranges[i].first < ranges[i].second)
            run_call(frame, i, image, ranges[i].first, ranges[i].second, states, scratch);
}

void Bands::run_call(const Frame& frame, size_t index, int64_t image, int64_t first, int64_t last, const State* states,
                     std::byte* scratch) const {
    const BandCall& call = calls_[index];
    const KernelCall& k = *call.call;
    alignas(std::max_align_t) std::byte arguments[kernels::kMaxArguments];
    std::memcpy(arguments, k.arguments.data(), k.arguments.size());
    const bool reads_window = index > 0 && !call.beside, makes_window = windows_[index].rows > 0;
    const size_t maker = reads_window ? maker_of(index) : index;
    for (const KernelCall::Pointer& p : k.pointers) {
        const std::byte* to = frame.tensors[p.tensor.index] + p.shift;
        if (reads_window && p.tensor == call.x) to = scratch + windows_[maker].offset;
        if (makes_window && p.tensor == call.y) to = scratch + windows_[index].offset;
        std::memcpy(arguments + p.field, &to, sizeof to);
    }
    const Origins at{image, reads_window ? -states[maker].first * call.view_x.row : image * call.view_x.image,
                     makes_window ? -states[index].first * call.view_y.row : image * call.view_y.image};
    int64_t units = 0;
    visit_call(k.row, arguments, Restrict{call, first, last - first, at, units});
    invoke_[index](cpu().table(), arguments, 0, units);
}

}  // namespace striate
