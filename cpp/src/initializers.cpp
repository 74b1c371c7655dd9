#include "striate/initializers.hpp"

#include <algorithm>
#include <cmath>

#include "named_call.hpp"
#include "striate/error.hpp"
#include "striate/random.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

// The standard deviation of a standard normal variable that is cut off at -2 and 2.
constexpr double kTruncatedDeviation = 0.87962566103423978;

enum class Kind { constant, uniform, normal, truncated_normal, scaled_uniform, scaled_normal, orthogonal, identity };
enum class Fan { none, in, average };

struct Row {
    const char* name;
    Kind kind;
    int arguments;
    double first, second;  // the arguments' defaults
    double scale = 1;      // of the variance, over the fan
    Fan fan = Fan::none;
};

constexpr Row kRows[] = {
    {"zeros", Kind::constant, 0, 0, 0},
    {"ones", Kind::constant, 0, 1, 0},
    {"constant", Kind::constant, 1, 0, 0},
    {"random_uniform", Kind::uniform, 2, -0.05, 0.05},
    {"random_normal", Kind::normal, 2, 0, 0.05},
    {"truncated_normal", Kind::truncated_normal, 2, 0, 0.05},
    {"glorot_uniform", Kind::scaled_uniform, 0, 0, 0, 1, Fan::average},
    {"glorot_normal", Kind::scaled_normal, 0, 0, 0, 1, Fan::average},
    {"he_uniform", Kind::scaled_uniform, 0, 0, 0, 2, Fan::in},
    {"he_normal", Kind::scaled_normal, 0, 0, 0, 2, Fan::in},
    {"lecun_uniform", Kind::scaled_uniform, 0, 0, 0, 1, Fan::in},
    {"lecun_normal", Kind::scaled_normal, 0, 0, 0, 1, Fan::in},
    {"orthogonal", Kind::orthogonal, 1, 1, 0},
    {"identity", Kind::identity, 1, 1, 0},
};

// A row with its arguments.
struct Parsed {
    Row row;
    std::string text, owner;
};

template <class... Parts>
void require_argument(bool condition, const Parsed& parsed, const Parts&... parts) {
    require(condition, "[", parsed.owner, "] initializer ", quoted(parsed.text), " ", parts...);
}

void check_arguments(const Parsed& parsed) {
    const Row& row = parsed.row;
    if (row.kind == Kind::uniform)
        require_argument(row.first <= row.second, parsed,
                         "has a minimum above its maximum; the order is (minimum, maximum)");
    if (row.kind == Kind::normal || row.kind == Kind::truncated_normal)
        require_argument(row.second >= 0, parsed,
                         "has a negative standard deviation; the order is (mean, standard deviation)");
}

Parsed parse(const std::string& text, const std::string& owner) {
    NamedCall call = named_call(text, owner, "initializer");
    const auto* found =
        std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& row) { return call.name == row.name; });
    require(found != std::end(kRows), "[", owner, "] there is no initializer ", quoted(text), "; ",
            suggestion(call.name, initializer_names()));
    read_arguments(call, found->arguments);
    Parsed parsed{*found, text, owner};
    if (!call.arguments.empty()) parsed.row.first = call.arguments[0];
    if (call.arguments.size() > 1) parsed.row.second = call.arguments[1];
    check_arguments(parsed);
    return parsed;
}

double fan_of(const Shape& shape, Fan fan) {
    double in = 1, out = 1;
    if (shape.size() == 1) in = out = static_cast<double>(shape[0]);
    if (shape.size() >= 2) {
        double window = 1;
        for (size_t i = 0; i + 2 < shape.size(); ++i) window *= static_cast<double>(shape[i]);
        in = window * static_cast<double>(shape[shape.size() - 2]);
        out = window * static_cast<double>(shape.back());
    }
    return std::max(1.0, fan == Fan::in ? in : (in + out) / 2);
}

// Eight sums side by side: a fixed order that the compiler can vectorise.
double dot(const double* a, const double* b, int64_t n) {
    double sums[8] = {};
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (int k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
    for (; i < n; ++i) sums[0] += a[i] * b[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

// x -= 2 v (v . x) for a unit vector v.
void reflect(const double* v, double* x, int64_t n) {
    const double factor = 2 * dot(v, x, n);
    for (int64_t i = 0; i < n; ++i) x[i] -= factor * v[i];
}

// Replaces the columns (each of `rows` numbers, one after the other; rows >= columns) by the Q of their QR
// decomposition, with signs such that R has a positive diagonal, which makes Q uniform among orthonormal frames
// (Mezzadri, 2007). Householder.
void orthonormalise(std::vector<double>& a, int64_t rows, int64_t columns) {
    std::vector<double> sign(static_cast<size_t>(columns));
    for (int64_t k = 0; k < columns; ++k) {
        double* v = a.data() + k * rows + k;
        const int64_t n = rows - k;
        const double norm = std::sqrt(dot(v, v, n));
        sign[k] = v[0] < 0 ? 1 : -1;  // of the reflected column's first element, away from v[0]
        v[0] -= sign[k] * norm;
        const double length = std::sqrt(dot(v, v, n));
        for (int64_t i = 0; i < n; ++i) v[i] = length > 0 ? v[i] / length : 0;
        for (int64_t j = k + 1; j < columns; ++j) reflect(v, a.data() + j * rows + k, n);
    }
    // Column j of Q is the product of the reflections applied to the j-th unit vector. Going backwards, each reflection
    // is needed only by the columns from its own on, so that Q can take over their memory.
    std::vector<double> v(static_cast<size_t>(rows));
    for (int64_t k = columns - 1; k >= 0; --k) {
        double* column = a.data() + k * rows;
        std::copy(column + k, column + rows, v.begin());
        std::fill(column, column + rows, 0.0);
        column[k] = 1;
        for (int64_t j = k; j < columns; ++j) reflect(v.data(), a.data() + j * rows + k, rows - k);
    }
    for (int64_t k = 0; k < columns; ++k)
        for (int64_t i = 0; i < rows; ++i) a[k * rows + i] *= sign[k];
}

void fill_orthogonal(const Shape& shape, double gain, uint64_t seed, uint64_t stream, float* out) {
    const int64_t size = element_count(shape), columns = shape.back(), rows = size / std::max<int64_t>(columns, 1);
    if (size == 0) return;
    const int64_t tall = std::max(rows, columns), narrow = std::min(rows, columns);
    fill_normal(out, size, 0, 1, seed, stream);
    std::vector<double> frame(out, out + size);
    orthonormalise(frame, tall, narrow);
    // Columns follow each other in `frame`: as it is when the rows of `out` are the frame's vectors, transposed
    // when its columns are.
    for (int64_t r = 0; r < rows; ++r)
        for (int64_t c = 0; c < columns; ++c)
            out[r * columns + c] =
                static_cast<float>(gain * (rows >= columns ? frame[c * tall + r] : frame[r * tall + c]));
}

void fill_identity(const Shape& shape, double gain, float* out) {
    std::fill(out, out + element_count(shape), 0.0f);
    for (int64_t i = 0; i < std::min(shape[0], shape[1]); ++i) out[i * shape[1] + i] = static_cast<float>(gain);
}

}  // namespace

void initialize(const std::string& initializer, const Shape& shape, uint64_t seed, uint64_t stream, float* out,
                const std::string& owner) {
    const Parsed parsed = parse(initializer, owner);
    const Row& row = parsed.row;
    const int64_t size = element_count(shape);
    const double variance = row.fan == Fan::none ? 0 : row.scale / fan_of(shape, row.fan);
    switch (row.kind) {
        case Kind::constant:
            std::fill(out, out + size, static_cast<float>(row.first));
            return;
        case Kind::uniform:
            fill_uniform(out, size, row.first, row.second, seed, stream);
            return;
        case Kind::normal:
            fill_normal(out, size, row.first, row.second, seed, stream);
            return;
        case Kind::truncated_normal:
            fill_truncated_normal(out, size, row.first, row.second, seed, stream);
            return;
        case Kind::scaled_uniform:
            fill_uniform(out, size, -std::sqrt(3 * variance), std::sqrt(3 * variance), seed, stream);
            return;
        case Kind::scaled_normal:
            fill_truncated_normal(out, size, 0, std::sqrt(variance) / kTruncatedDeviation, seed, stream);
            return;
        case Kind::orthogonal:
            require_argument(shape.size() >= 2, parsed, "needs a shape of two dimensions or more, got ",
                             to_string(shape));
            fill_orthogonal(shape, row.first, seed, stream, out);
            return;
        case Kind::identity:
            require_argument(shape.size() == 2, parsed, "needs a shape of two dimensions, got ", to_string(shape));
            fill_identity(shape, row.first, out);
            return;
    }
}

void check_initializer(const std::string& initializer, const std::string& owner) {
    parse(initializer, owner);
}

std::vector<std::string> initializer_names() {
    std::vector<std::string> names;
    for (const Row& row : kRows) names.emplace_back(row.name);
    return names;
}

}  // namespace striate
