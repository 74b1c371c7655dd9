#include "input/augmenter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/cpu.hpp"
#include "cpu/dispatch.hpp"
#include "kernels/units.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

using kernels::Border;

Border border(FillMode mode) {
    switch (mode) {
        case FillMode::automatic:
        case FillMode::reflect:
            return Border::reflect;
        case FillMode::wrap:
            return Border::wrap;
        case FillMode::constant:
            return Border::constant;
        case FillMode::nearest:
            return Border::nearest;
    }
    return Border::reflect;
}

// The pixel of 0 .. n - 1 for any whole coordinate; -1: outside.
int32_t inside(int64_t i, int64_t n, FillMode mode) {
    if (mode == FillMode::constant) return static_cast<int32_t>(i < 0 || i >= n ? -1 : i);
    if (mode == FillMode::nearest) return static_cast<int32_t>(std::clamp<int64_t>(i, 0, n - 1));
    const int64_t period = mode == FillMode::wrap ? n : 2 * n, rest = (i % period + period) % period;
    return static_cast<int32_t>(mode == FillMode::wrap ? rest : std::min(rest, period - 1 - rest));
}

// Pixels of `Bytes` bytes, or of as many as `size` says; -1 takes the fill.
template <size_t Bytes>
void copy_chosen(const std::byte* from, const int32_t* chosen, int64_t count, size_t size, const std::byte* fill,
                 std::byte* to) {
    const size_t bytes = Bytes ? Bytes : size;
    for (int64_t i = 0; i < count; ++i, to += bytes) {
        if (chosen[i] >= 0)
            std::memcpy(to, from + static_cast<size_t>(chosen[i]) * bytes, bytes);
        else if (fill)
            std::memcpy(to, fill, bytes);
        else
            std::memset(to, 0, bytes);
    }
}

void copy_pixels(const void* from, const int32_t* chosen, int64_t count, size_t bytes, const void* fill, void* to) {
    const auto copy = bytes == 1    ? copy_chosen<1>
                      : bytes == 2  ? copy_chosen<2>
                      : bytes == 3  ? copy_chosen<3>
                      : bytes == 4  ? copy_chosen<4>
                      : bytes == 8  ? copy_chosen<8>
                      : bytes == 12 ? copy_chosen<12>
                                    : copy_chosen<0>;
    copy(static_cast<const std::byte*>(from), chosen, count, bytes, static_cast<const std::byte*>(fill),
         static_cast<std::byte*>(to));
}

View whole_image(int64_t h, int64_t w, int64_t c, int64_t row) {
    return {1, h, w, c, h * row, row, c};
}

}  // namespace

Augmenter::Impl::Impl(const Augmentation& a, const Shape& shape, DType t) : change(a), type(t) {
    if (t != DType::uint8 && t != DType::float32)
        throw TypeError(concat("augmentation expects uint8 or float32 images, got ", name_of(t),
                               "; convert with astype(numpy.float32)"));
    check(a);
    if (a.fill == FillMode::automatic) change.fill = FillMode::reflect;
    require(shape.size() == 3 && shape[0] > 0 && shape[1] > 0 && shape[2] > 0,
            "augmentation expects images (N, H, W, C), got ", with_batch(shape));
    height = shape[0], width = shape[1], channels = shape[2];
    // Kernels count in 32 bits, and coordinates are floats.
    require(height < 1 << 20 && width < 1 << 20 && element_count({height + 1, width + 1, channels}) < int64_t{1} << 31,
            "augmentation expects images of less than 2^31 values, got ", with_batch(shape));
    const bool bytes = type == DType::uint8;
    require(!bytes || a.fill != FillMode::constant || (a.fill_value >= 0 && a.fill_value <= 255),
            "Augment's fill_value ", a.fill_value, " is out of the range 0 .. 255 of uint8 images");
    low = a.value_range ? (*a.value_range)[0] : 0.0;
    high = a.value_range ? (*a.value_range)[1] : bytes ? 255.0 : 1.0;
    shades = a.brightness > 0.0 || a.contrast > 0.0 || a.noise > 0.0;
    cuts = bytes || a.value_range;

    const auto fill_value = static_cast<float>(a.fill == FillMode::constant ? a.fill_value : 0.0);
    fill.resize(static_cast<size_t>(channels) * byte_size(type));
    for (int64_t c = 0; c < channels; ++c) {
        const auto byte = static_cast<uint8_t>(bytes ? std::nearbyint(fill_value) : 0.0f);
        std::memcpy(fill.data() + c * byte_size(type), bytes ? static_cast<const void*>(&byte) : &fill_value,
                    byte_size(type));
    }
    for (std::vector<float>* columns : {&along_x, &along_y}) columns->resize(width);
    for (std::vector<float>* rows : {&down_x, &down_y}) rows->resize(height);
    from_x.resize(width), from_y.resize(height);
    scale.resize(channels + kernels::kShadeGroup), shift.resize(channels + kernels::kShadeGroup);
    means.resize(channels);
    if (a.elastic > 0.0) {
        side = a.elastic_grid + 3;
        across.emplace(width, a.elastic_grid), down.emplace(height, a.elastic_grid);
        bend_x.resize(side * width), bend_y.resize(side * width);
    }
}

size_t Augmenter::Impl::room_bytes() const {
    return sizeof(float) * static_cast<size_t>((height + 1) * (width + 1) * channels + height * width * (channels + 1));
}

void Augmenter::Impl::use(std::byte* room) {
    padded = reinterpret_cast<float*>(room);
    work = padded + (height + 1) * (width + 1) * channels;
    chosen = reinterpret_cast<int32_t*>(work + height * width * channels);
}

bool Augmenter::Impl::whole(const Drawn& drawn) const {
    const std::array<double, 6>& m = drawn.matrix;
    return std::fabs(m[0]) == 1 && m[1] == 0 && m[3] == 0 && std::fabs(m[4]) == 1 && m[2] == std::floor(m[2]) &&
           m[5] == std::floor(m[5]) &&
           std::all_of(drawn.points.begin(), drawn.points.end(), [](double point) { return point == 0; });
}

kernels::PixelMap Augmenter::Impl::coordinates(const Drawn& drawn) {
    const std::array<double, 6>& m = drawn.matrix;
    for (int64_t x = 0; x < width; ++x) {
        along_x[x] = static_cast<float>(m[0] * static_cast<double>(x));
        along_y[x] = static_cast<float>(m[3] * static_cast<double>(x));
    }
    for (int64_t y = 0; y < height; ++y) {
        down_x[y] = static_cast<float>(m[1] * static_cast<double>(y) + m[2]);
        down_y[y] = static_cast<float>(m[4] * static_cast<double>(y) + m[5]);
    }
    kernels::PixelMap map{height,         width,          border(change.fill),
                          along_x.data(), along_y.data(), down_x.data(),
                          down_y.data(),  nullptr,        nullptr,
                          nullptr,        nullptr};
    if (!drawn.points.empty()) {
        spread(drawn.points.data(), side, *across, bend_x.data());
        spread(drawn.points.data() + side * side, side, *across, bend_y.data());
        map.bend_x = bend_x.data(), map.bend_y = bend_y.data();
        map.knots = down->knots.data(), map.shares = down->shares.data();
    }
    return map;
}

void Augmenter::Impl::sources(const Drawn& drawn) {
    const std::array<double, 6>& m = drawn.matrix;
    for (int64_t x = 0; x < width; ++x)
        from_x[x] = inside(static_cast<int64_t>(m[0]) * x + static_cast<int64_t>(m[2]), width, change.fill);
    for (int64_t y = 0; y < height; ++y)
        from_y[y] = inside(static_cast<int64_t>(m[4]) * y + static_cast<int64_t>(m[5]), height, change.fill);
}

void Augmenter::Impl::move(const void* from, size_t pixel_bytes, const void* pixel, const Drawn& drawn, void* to) {
    sources(drawn);
    const size_t row_bytes = static_cast<size_t>(width) * pixel_bytes;
    // Where columns keep their order, those that come from the image itself are one run.
    const auto moved = static_cast<int64_t>(drawn.matrix[2]);
    const int64_t begin = drawn.matrix[0] == 1 ? std::clamp<int64_t>(-moved, 0, width) : 0;
    const int64_t end = drawn.matrix[0] == 1 ? std::clamp<int64_t>(width - moved, begin, width) : 0;
    for (int64_t y = 0; y < height; ++y) {
        std::byte* row = static_cast<std::byte*>(to) + y * row_bytes;
        if (from_y[y] < 0) {
            std::fill_n(chosen, width, -1);
            copy_pixels(nullptr, chosen, width, pixel_bytes, pixel, row);
            continue;
        }
        const std::byte* source = static_cast<const std::byte*>(from) + from_y[y] * row_bytes;
        copy_pixels(source, from_x.data(), begin, pixel_bytes, pixel, row);
        if (begin < end)
            std::memcpy(row + begin * pixel_bytes, source + (begin + moved) * pixel_bytes,
                        static_cast<size_t>(end - begin) * pixel_bytes);
        copy_pixels(source, from_x.data() + end, width - end, pixel_bytes, pixel, row + end * pixel_bytes);
    }
}

void Augmenter::Impl::sample(const void* from, const Drawn& drawn, float* to) {
    const kernels::Table& table = cpu().table();
    const auto kind = type == DType::uint8 ? kernels::SourceKind::uint8 : kernels::SourceKind::float32;
    const int64_t row = (width + 1) * channels;
    table.gather({kind, from, nullptr, whole_image(height, width, channels, row), padded, 1.0f, 0.0f}, 0, height);
    if (change.fill == FillMode::constant) {
        const auto value = static_cast<float>(change.fill_value);
        for (int64_t y = 0; y < height; ++y) std::fill_n(padded + y * row + width * channels, channels, value);
        std::fill_n(padded + height * row, row, value);
    }
    table.warp({coordinates(drawn), channels, padded, to}, 0, height);
}

void Augmenter::Impl::choose(const Drawn& drawn) {
    if (!whole(drawn)) return cpu().table().nearest_pixels({coordinates(drawn), chosen}, 0, height);
    sources(drawn);
    for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
            chosen[y * width + x] =
                from_y[y] < 0 || from_x[x] < 0 ? -1 : static_cast<int32_t>(from_y[y] * width + from_x[x]);
}

void Augmenter::Impl::shade(const float* values, const Drawn& drawn, void* to, bool limited) {
    const kernels::Table& table = cpu().table();
    const int64_t pixels = height * width;
    const bool changed = shades;
    const float factor = changed && change.contrast > 0.0 ? drawn.contrast : 1.0f;
    if (factor != 1.0f) {
        table.channel_sums(
            {whole_image(height, width, channels, width * channels), values, means.data(), 1, nullptr, 0}, 0, 1);
        for (double& mean : means) mean /= static_cast<double>(pixels);
    }
    for (int64_t i = 0; i < channels + kernels::kShadeGroup; ++i) {
        scale[i] = factor;
        shift[i] = (changed ? drawn.brightness : 0.0f) +
                   (factor == 1.0f ? 0.0f : static_cast<float>(means[i % channels] * (1.0 - factor)));
    }
    const bool bytes = type == DType::uint8;
    kernels::ShadeArgs args{};
    args.size = pixels * channels, args.c = channels;
    args.x = values;
    args.scale = scale.data(), args.shift = shift.data();
    args.noise = static_cast<float>(change.noise * (high - low));
    args.source = {drawn.noise[0], drawn.noise[1], static_cast<uint32_t>(drawn.noise[2])};
    args.limited = limited;
    args.low = static_cast<float>(bytes ? std::clamp(low, 0.0, 255.0) : low);
    args.high = static_cast<float>(bytes ? std::clamp(high, 0.0, 255.0) : high);
    args.floats = bytes ? nullptr : static_cast<float*>(to);
    args.bytes = bytes ? static_cast<uint8_t*>(to) : nullptr;
    table.shade(args, 0, kernels::units(args));
}

void Augmenter::Impl::shade_gradient(const float* values, const Drawn& drawn, const float* gradient, float* out) {
    const int64_t size = height * width * channels;
    if (cuts) {  // nothing comes through where the values were cut
        shade(values, drawn, work, false);
        const auto least = static_cast<float>(low), most = static_cast<float>(high);
        for (int64_t i = 0; i < size; ++i) out[i] = work[i] < least || work[i] > most ? 0.0f : gradient[i];
        gradient = out;
    }
    const float factor = change.contrast > 0.0 ? drawn.contrast : 1.0f;
    if (factor == 1.0f) {
        if (out != gradient) std::copy_n(gradient, size, out);
        return;
    }
    // Each value is a part of its channel's mean too.
    const View view = whole_image(height, width, channels, width * channels);
    cpu().table().channel_sums({view, gradient, means.data(), 1, nullptr, 0}, 0, 1);
    for (int64_t c = 0; c < channels; ++c) {
        scale[c] = factor;
        shift[c] = static_cast<float>((1.0 - factor) * means[c] / static_cast<double>(height * width));
    }
    for (int64_t i = 0; i < size; ++i) out[i] = gradient[i] * scale[i % channels] + shift[i % channels];
}

Augmenter::Augmenter(const Augmentation& change, const Shape& shape, DType type, bool has_room)
    : impl_(std::make_unique<Impl>(change, shape, type)) {
    if (!has_room) return;
    impl_->own = AlignedBuffer(impl_->room_bytes());
    impl_->use(impl_->own.data());
}
Augmenter::~Augmenter() = default;
Augmenter::Augmenter(Augmenter&&) noexcept = default;

void Augmenter::displacements(const Drawn& drawn, float* out) const {
    const Impl& m = *impl_;
    std::vector<float> columns(static_cast<size_t>(m.side * m.width));
    for (int axis = 0; axis < 2; ++axis) {
        spread(drawn.points.data() + axis * m.side * m.side, m.side, *m.across, columns.data());
        for (int64_t y = 0; y < m.height; ++y)
            for (int64_t x = 0; x < m.width; ++x) {
                float sum = 0.0f;
                for (int64_t k = 0; k < 4; ++k)
                    sum += m.down->shares[4 * y + k] * columns[(m.down->knots[y] + k) * m.width + x];
                *out++ = sum;
            }
    }
}

size_t Augmenter::room_bytes() const {
    return impl_->room_bytes();
}

void Augmenter::use(std::byte* room) {
    impl_->use(room);
}

void Augmenter::image(const void* from, const Drawn& drawn, void* to) {
    Impl& m = *impl_;
    const bool bytes = m.type == DType::uint8;
    float* values = bytes ? m.work : static_cast<float*>(to);
    if (m.whole(drawn)) {
        m.move(from, static_cast<size_t>(m.channels) * byte_size(m.type), m.fill.data(), drawn, to);
        if (!m.shades) return;
        if (bytes)
            cpu().table().gather({kernels::SourceKind::uint8, to, nullptr,
                                  whole_image(m.height, m.width, m.channels, m.width * m.channels), values, 1.0f, 0.0f},
                                 0, m.height);
    } else {
        m.sample(from, drawn, values);
        if (!bytes && !m.shades) return;
    }
    m.shade(values, drawn, to, m.cuts && m.shades);
}

void Augmenter::mask(const void* from, size_t pixel_bytes, const void* fill, const Drawn& drawn, void* to) {
    Impl& m = *impl_;
    if (m.whole(drawn)) return m.move(from, pixel_bytes, fill, drawn, to);
    m.choose(drawn);
    copy_pixels(from, m.chosen, m.height * m.width, pixel_bytes, fill, to);
}

void Augmenter::image_gradient(const float* from, const Drawn& drawn, bool nearest, const float* gradient, float* out) {
    Impl& m = *impl_;
    const kernels::Table& table = cpu().table();
    const int64_t row = m.width * m.channels, size = m.height * row;
    const bool whole = m.whole(drawn);
    if (m.shades && !nearest) {
        if (m.cuts && whole) m.move(from, sizeof(float) * static_cast<size_t>(m.channels), m.fill.data(), drawn, out);
        if (m.cuts && !whole) m.sample(from, drawn, out);
        m.shade_gradient(out, drawn, gradient, out);
        gradient = out;
    }
    if (!whole && !nearest) {
        std::fill_n(m.padded, (m.height + 1) * (row + m.channels), 0.0f);
        table.warp_backward({m.coordinates(drawn), m.channels, gradient, m.padded}, 0, 1);
        for (int64_t y = 0; y < m.height; ++y) std::copy_n(m.padded + y * (row + m.channels), row, out + y * row);
        return;
    }
    m.choose(drawn);
    std::fill_n(m.padded, size, 0.0f);
    for (int64_t i = 0; i < m.height * m.width; ++i) {
        if (m.chosen[i] < 0) continue;
        float* to = m.padded + m.chosen[i] * m.channels;
        for (int64_t c = 0; c < m.channels; ++c) to[c] += gradient[i * m.channels + c];
    }
    std::copy_n(m.padded, size, out);
}

}  // namespace striate
