#include "striate/detection.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "striate/error.hpp"

namespace striate {
namespace {

// As in the loss: the logarithm of a size in strides goes no further.
constexpr float kMaxLog = 8.0f;
// Of an image, so many of the best go into the suppression, or this many times those that are wanted.
constexpr int64_t kMaxCandidates = 1000, kCandidatesEach = 10;
// Boxes that are compared with all others between two calls of a caller's function.
constexpr int64_t kBoxesBetween = 64;

double area(const BoundingBox& b) {
    return std::max(b.x2 - b.x1, 0.0) * std::max(b.y2 - b.y1, 0.0);
}

double shared_area(const BoundingBox& a, const BoundingBox& b) {
    const double width = std::min(a.x2, b.x2) - std::max(a.x1, b.x1);
    const double height = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
    return std::max(width, 0.0) * std::max(height, 0.0);
}

// The share of `both` in `whole`; nothing shared is 0 whatever the whole.
double share(double both, double whole) {
    return both > 0.0 ? both / whole : 0.0;
}

float sigmoid(float x) {
    return 1.0f / (1.0f + std::exp(-x));
}

}  // namespace

void box_iou(const BoundingBox* a, int64_t count_a, const BoundingBox* b, int64_t count_b, const bool* crowd,
             double* out, const Between& between) {
    std::vector<double> areas(static_cast<size_t>(count_b));
    for (int64_t j = 0; j < count_b; ++j) areas[static_cast<size_t>(j)] = area(b[j]);
    for (int64_t i = 0; i < count_a; ++i) {
        if (between && i % kBoxesBetween == 0) between();
        const double own = area(a[i]);
        for (int64_t j = 0; j < count_b; ++j) {
            const double both = shared_area(a[i], b[j]);
            const double whole = crowd && crowd[j] ? own : own + areas[static_cast<size_t>(j)] - both;
            out[i * count_b + j] = share(both, whole);
        }
    }
}

std::vector<int64_t> non_maximum_suppression(const BoundingBox* boxes, const double* scores, const int64_t* labels,
                                             int64_t count, const Suppression& rule, const Between& between) {
    std::vector<int64_t> order(static_cast<size_t>(count));
    std::iota(order.begin(), order.end(), int64_t{0});
    if (rule.score_threshold)
        order.erase(std::remove_if(order.begin(), order.end(),
                                   [&](int64_t i) { return !(scores[i] >= *rule.score_threshold); }),
                    order.end());
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return scores[i] > scores[j]; });
    std::vector<int64_t> kept;
    std::vector<double> areas;  // of those kept
    const auto most = static_cast<size_t>(rule.most.value_or(count));
    int64_t compared = 0;
    for (const int64_t i : order) {
        if (kept.size() >= most) break;
        if (between && compared++ % kBoxesBetween == 0) between();
        const double own = area(boxes[i]);
        bool free = true;
        for (size_t k = 0; k < kept.size() && free; ++k) {
            if (labels && labels[kept[k]] != labels[i]) continue;
            const double both = shared_area(boxes[kept[k]], boxes[i]);
            free = !(share(both, own + areas[k] - both) > rule.iou_threshold);
        }
        if (!free) continue;
        kept.push_back(i);
        areas.push_back(own);
    }
    return kept;
}

int64_t DetectionMaps::locations() const {
    int64_t count = 0;
    for (int64_t l = 0; l < levels; ++l) count += (height >> l) * (width >> l);
    return count;
}

void check_strides(const std::vector<int64_t>& strides, const std::string& owner) {
    require(!strides.empty() && strides.size() <= 8 && strides[0] >= 1 && strides[0] <= 4096, "[", owner,
            "] strides must be one to eight whole numbers, the first within 1 to 4096, got ",
            to_string(Shape(strides)));
    for (size_t l = 1; l < strides.size(); ++l)
        require(strides[l] == 2 * strides[l - 1], "[", owner,
                "] strides must double from each to the next, such as (8, 16), got ", to_string(Shape(strides)));
}

DetectionMaps detection_maps(const Shape& output, const std::vector<int64_t>& strides, const std::string& owner) {
    check_strides(strides, owner);
    require(output.size() == 3, "[", owner, "] expects an output (N, rows, columns, 5 + classes), got ",
            with_batch(output));
    require(output[2] >= 6, "[", owner,
            "] expects an output of at least 6 channels: 4 of the box, 1 of there being an ",
            "object and 1 for each class; got ", with_batch(output));
    DetectionMaps maps;
    maps.levels = static_cast<int64_t>(strides.size());
    maps.stride = strides[0];
    maps.width = output[1];
    maps.classes = output[2] - 5;
    // rows = height (1 + 1/4 + ...): below each other in rows of one width, each level is a quarter of the one before.
    int64_t whole = 0;
    const int64_t finest = int64_t{1} << (2 * (maps.levels - 1));
    for (int64_t l = 0; l < maps.levels; ++l) whole += finest >> (2 * l);
    maps.height = output[0] / whole * finest;
    const int64_t halvings = int64_t{1} << (maps.levels - 1);
    require(output[0] % whole == 0 && maps.width % halvings == 0, "[", owner, "] an output ", with_batch(output),
            " is not ", maps.levels, " map(s) of strides ", to_string(Shape(strides)),
            ", one below the other; take models.detector with these strides");
    return maps;
}

std::vector<std::vector<Detection>> decode_detections(const Array& output, const std::vector<int64_t>& strides,
                                                      const Suppression& rule, const Between& between) {
    require(!output.shape.empty(), "[decode] expects an output (N, rows, columns, 5 + classes)");
    if (output.type != DType::float32) throw TypeError(concat("[decode] expects float32, got ", name_of(output.type)));
    const DetectionMaps maps = detection_maps(Shape(output.shape.begin() + 1, output.shape.end()), strides, "decode");
    const auto* p = static_cast<const float*>(output.data);
    const int64_t wanted = std::min(rule.most.value_or(maps.locations()), maps.locations());
    const auto most = static_cast<size_t>(std::max(kMaxCandidates, kCandidatesEach * wanted));
    const auto least = static_cast<float>(rule.score_threshold.value_or(0.0));
    const auto right = static_cast<float>(maps.width * maps.stride);
    const auto bottom = static_cast<float>(maps.height * maps.stride);
    std::vector<std::vector<Detection>> found(static_cast<size_t>(output.shape[0]));
    std::vector<Detection> candidates;
    std::vector<BoundingBox> boxes;
    std::vector<double> scores;
    std::vector<int64_t> labels;
    for (std::vector<Detection>& image : found) {
        if (between) between();
        candidates.clear();
        for (int64_t l = 0; l < maps.levels; ++l) {
            const auto stride = static_cast<float>(maps.stride << l);
            for (int64_t row = 0; row < maps.height >> l; ++row)
                for (int64_t column = 0; column < maps.width >> l; ++column, p += 5 + maps.classes) {
                    const float object = sigmoid(p[4]);
                    if (!(object >= least)) continue;
                    const float* logits = p + 5;
                    const float* best = std::max_element(logits, logits + maps.classes);
                    float total = 0.0f;
                    for (int64_t k = 0; k < maps.classes; ++k) total += std::exp(logits[k] - *best);
                    const float score = object / total;
                    if (!(score >= least)) continue;
                    const float x = (static_cast<float>(column) + 0.5f + p[0]) * stride;
                    const float y = (static_cast<float>(row) + 0.5f + p[1]) * stride;
                    const float w = 0.5f * std::exp(std::min(p[2], kMaxLog)) * stride;
                    const float h = 0.5f * std::exp(std::min(p[3], kMaxLog)) * stride;
                    const Detection one{std::clamp(x - w, 0.0f, right),
                                        std::clamp(y - h, 0.0f, bottom),
                                        std::clamp(x + w, 0.0f, right),
                                        std::clamp(y + h, 0.0f, bottom),
                                        score,
                                        best - logits};
                    if (one.x2 > one.x1 && one.y2 > one.y1) candidates.push_back(one);
                }
        }
        std::stable_sort(candidates.begin(), candidates.end(),
                         [](const Detection& a, const Detection& b) { return a.score > b.score; });
        if (candidates.size() > most) candidates.resize(most);
        boxes.clear();
        scores.clear();
        labels.clear();
        for (const Detection& one : candidates) {
            boxes.push_back({one.x1, one.y1, one.x2, one.y2});
            scores.push_back(one.score);
            labels.push_back(one.label);
        }
        Suppression among = rule;
        among.score_threshold.reset();
        for (const int64_t i : non_maximum_suppression(boxes.data(), scores.data(), labels.data(),
                                                       static_cast<int64_t>(boxes.size()), among, between))
            image.push_back(candidates[static_cast<size_t>(i)]);
    }
    return found;
}

}  // namespace striate
