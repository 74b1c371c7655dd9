#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

// Ten classes, a thousand, and a few for every pixel of a segmentation.
struct Rows {
    int64_t count, c;
    int64_t elements() const { return count * c; }
    std::string text() const { return std::to_string(count) + " rows of " + std::to_string(c); }
};
constexpr int64_t kPixels = 8 * 128 * 128;
constexpr Rows kClasses[] = {{64, 10}, {64, 1000}, {kPixels, 21}};
constexpr Rows kNumbers[] = {{64, 10}, {kPixels, 1}};

LossRows batch(Memory& memory, const Rows& rows, bool gradient, float low, float high) {
    LossRows b{};
    b.rows = rows.count, b.c = rows.c;
    b.prediction = memory.floats(rows.elements(), low, high);
    b.gradient = gradient ? memory.array<float>(rows.elements()) : nullptr;
    b.rows_per_weight = 1;
    b.scale = 1.0 / static_cast<double>(rows.count);
    b.sums = memory.array<double>(units(b));
    return b;
}

// Predictions and gradients, and what else is read for each row.
double bytes(const Rows& rows, bool gradient, double targets) {
    return kFloat * static_cast<double>(rows.elements()) * (1 + gradient) + targets;
}

struct Element {
    ElementLoss kind;
    const char* name;
    bool logits = false;
};
constexpr Element kElements[] = {
    {ElementLoss::squared_error, "squared error"},
    {ElementLoss::absolute_error, "absolute error"},
    {ElementLoss::huber, "huber"},
    {ElementLoss::binary_crossentropy, "binary crossentropy"},
    {ElementLoss::binary_crossentropy_logits, "binary crossentropy of logits", true},
    {ElementLoss::binary_focal, "binary focal"},
    {ElementLoss::binary_focal_logits, "binary focal of logits", true},
};

}  // namespace

Cases cases_element_loss(Kernel<ElementLossArgs> kernel) {
    Cases cases;
    for (const Element& loss : kElements)
        for (const Rows& rows : kNumbers)
            cases.push_back(
                {std::string(loss.name) + " " + rows.text(), 0,
                 bytes(rows, true, kFloat * static_cast<double>(rows.elements())), [=](Memory& memory) -> Work {
                     ElementLossArgs a{};
                     a.batch = batch(memory, rows, true, loss.logits ? -5.0f : 0.01f, loss.logits ? 5.0f : 0.99f);
                     a.kind = loss.kind;
                     a.target = memory.floats(rows.elements(), 0, 1);
                     a.delta = 0.5f, a.gamma = 2, a.alpha = 0.25f, a.balanced = true;
                     return {call(kernel, a)};
                 }});
    return cases;
}

Cases cases_categorical_loss(Kernel<CategoricalLossArgs> kernel) {
    struct Variant {
        const char* name;
        bool logits, focal;
    };
    Cases cases;
    for (const Variant& v : {Variant{"logits", true, false}, Variant{"probabilities", false, false},
                             Variant{"focal of logits", true, true}, Variant{"focal of probabilities", false, true}})
        for (const Rows& rows : kClasses)
            cases.push_back({std::string(v.name) + " " + rows.text(), 0,
                             bytes(rows, true, kFloat * static_cast<double>(rows.elements())),
                             [=](Memory& memory) -> Work {
                                 CategoricalLossArgs a{};
                                 a.batch = batch(memory, rows, true, v.logits ? -5.0f : 0.01f, v.logits ? 5.0f : 0.99f);
                                 a.from_logits = v.logits, a.focal = v.focal;
                                 a.target = memory.floats(rows.elements(), 0, 1);
                                 a.gamma = 2;
                                 a.alphas = memory.floats(rows.c, 0.25f, 0.25f);
                                 return {call(kernel, a)};
                             }});
    return cases;
}

Cases cases_sparse_loss(Kernel<SparseLossArgs> kernel) {
    struct Variant {
        const char* name;
        bool logits, gradient;
    };
    Cases cases;
    for (const Variant& v : {Variant{"logits", true, true}, Variant{"probabilities", false, true},
                             Variant{"value alone, logits", true, false}})
        for (const Rows& rows : kClasses)
            cases.push_back(
                {std::string(v.name) + " " + rows.text(), 0,
                 bytes(rows, v.gradient, 8.0 * static_cast<double>(rows.count)), [=](Memory& memory) -> Work {
                     SparseLossArgs a{};
                     a.batch = batch(memory, rows, v.gradient, v.logits ? -5.0f : 0.01f, v.logits ? 5.0f : 0.99f);
                     a.from_logits = v.logits;
                     a.labels = {memory.indices(rows.count, rows.c), LabelType::int64, false, 0};
                     a.bad = memory.array<int64_t>(units(a.batch));
                     return {call(kernel, a)};
                 }});
    return cases;
}

Cases cases_count_labels(Kernel<CountLabelsArgs> kernel) {
    Cases cases;
    for (const int64_t rows : {int64_t{64}, kPixels})
        cases.push_back(
            {std::to_string(rows) + " labels", 0, 8.0 * static_cast<double>(rows), [=](Memory& memory) -> Work {
                 CountLabelsArgs a{rows, {memory.indices(rows, 21), LabelType::int64, true, 20}, nullptr};
                 a.counts = memory.array<double>(units(a));
                 return {call(kernel, a)};
             }});
    return cases;
}

Cases cases_loss_normaliser(Kernel<LossNormaliserArgs> kernel) {
    constexpr int64_t kCounts = kPixels / kMergeChunk;
    return {{std::to_string(kCounts) + " counts", 0, kDouble * kCounts, [=](Memory& memory) -> Work {
                 return {call(kernel, {kPixels, kCounts, memory.doubles(kCounts, 1, 256), memory.array<double>(1)})};
             }}};
}

Cases cases_loss_merge(Kernel<LossMergeArgs> kernel) {
    constexpr int64_t kSums = 256;
    return {{std::to_string(kSums) + " sums", 0, 2 * kDouble * kSums, [=](Memory& memory) -> Work {
                 int64_t* bad = memory.array<int64_t>(kSums);
                 for (int64_t i = 0; i < kSums; ++i) bad[i] = -1;
                 return {call(kernel, {kSums, kSums, memory.doubles(kSums), nullptr, memory.array<double>(2), bad,
                                       memory.array<int64_t>(1)})};
             }}};
}

// Masks of an image segmentation: images, pixels of each, classes.
static constexpr struct {
    int64_t n, pixels, c;
} kMasks[] = {{8, 128 * 128, 1}, {8, 128 * 128, 21}};
static constexpr int64_t kMaskPieces = 16;

// Masks beside probabilities, and labels beside logits.
static OverlapArgs overlap_args(Memory& memory, int64_t n, int64_t pixels, int64_t c, bool labels) {
    const int64_t count = n * pixels * c;
    OverlapArgs a{};
    a.n = n, a.pixels = pixels, a.c = c, a.pieces = kMaskPieces;
    a.link = !labels ? Link::none : c > 1 ? Link::softmax : Link::sigmoid;
    a.prediction = memory.floats(count, labels ? -5.0f : 0.0f, labels ? 5.0f : 1.0f);
    if (labels)
        a.labels = {memory.indices(n * pixels, c), LabelType::int64, false, 0};
    else
        a.target = memory.floats(count, 0, 1);
    a.partials = memory.array<double>(n * kMaskPieces * 3 * c);
    return a;
}

Cases cases_overlap(Kernel<OverlapArgs> kernel) {
    Cases cases;
    for (const bool labels : {false, true})
        for (const auto& m : kMasks) {
            const double count = static_cast<double>(m.n * m.pixels * m.c);
            cases.push_back({Size{m.n, 128, 128, m.c}.text() + (labels ? " labels, logits" : ""), 0,
                             kFloat * count * (labels ? 1 : 2), [=](Memory& memory) -> Work {
                                 return {call(kernel, overlap_args(memory, m.n, m.pixels, m.c, labels))};
                             }});
        }
    return cases;
}

Cases cases_overlap_backward(Kernel<OverlapGradArgs> kernel) {
    Cases cases;
    for (const bool labels : {false, true})
        for (const auto& m : kMasks) {
            const double count = static_cast<double>(m.n * m.pixels * m.c);
            cases.push_back({Size{m.n, 128, 128, m.c}.text() + (labels ? " labels, logits" : ""), 0,
                             kFloat * count * (labels ? 2 : 3), [=](Memory& memory) -> Work {
                                 OverlapGradArgs a{overlap_args(memory, m.n, m.pixels, m.c, labels), nullptr, nullptr,
                                                   nullptr};
                                 a.mean = memory.floats(m.n * m.c, 0, 1);
                                 a.scale = memory.floats(m.n * m.c, 0, 1);
                                 a.gradient = memory.array<float>(m.n * m.pixels * m.c);
                                 return {call(kernel, a)};
                             }});
        }
    return cases;
}

Cases cases_overlap_merge(Kernel<OverlapMergeArgs> kernel) {
    Cases cases;
    for (const auto& m : kMasks) {
        const int64_t partials = m.n * kMaskPieces * 3 * m.c;
        cases.push_back(
            {Size{m.n, 128, 128, m.c}.text(), 0, kDouble * static_cast<double>(partials), [=](Memory& memory) -> Work {
                 OverlapMergeArgs a{};
                 a.n = m.n, a.c = m.c, a.pieces = kMaskPieces;
                 a.partials = memory.doubles(partials, 0, 1);
                 a.loss_scale = 1;
                 a.each_image = true;
                 a.out = memory.array<double>(2);
                 a.mean = memory.array<float>(m.n * m.c);
                 a.scale = memory.array<float>(m.n * m.c);
                 return {call(kernel, a)};
             }});
    }
    return cases;
}

// A detector on 128 x 128 pixels: two maps, ten classes, eight boxes an image.
namespace {

constexpr DetectionGrid kMaps{2, 16, 16, 8};
constexpr int64_t kImages = 16, kBoxes = 100, kDrawn = 8, kClasses10 = 10;

const float* detection_targets(Memory& memory) {
    float* targets = memory.floats(kImages * kBoxes * 5, 0, 1);
    for (int64_t i = 0; i < kImages * kBoxes; ++i) {
        float* t = targets + 5 * i;
        t[0] = 90 * t[0], t[1] = 90 * t[1], t[2] = t[0] + 8 + 30 * t[2], t[3] = t[1] + 8 + 30 * t[3];
        t[4] = i % kBoxes < kDrawn ? static_cast<float>(i % kClasses10) : -1.0f;
    }
    return targets;
}

}  // namespace

Cases cases_detection_assign(Kernel<DetectionAssignArgs> kernel) {
    const int64_t locations = detection_locations(kMaps);
    return {{"16 images of 8 boxes", 0, kFloat * static_cast<double>(kImages * (5 * kBoxes + locations)),
             [=](Memory& memory) -> Work {
                 return {call(kernel, {kMaps, kImages, kBoxes, detection_targets(memory), 4.0, 1.5,
                                       memory.array<int32_t>(kImages * locations), memory.array<double>(kImages)})};
             }}};
}

Cases cases_detection_loss(Kernel<DetectionLossArgs> kernel) {
    const int64_t locations = detection_locations(kMaps), size = kImages * locations * (5 + kClasses10);
    Cases cases;
    for (const bool complete : {false, true})
        cases.push_back({complete ? "16 images, ciou" : "16 images, giou", 0, 2 * kFloat * static_cast<double>(size),
                         [=](Memory& memory) -> Work {
                             DetectionLossArgs a{};
                             a.grid = kMaps, a.n = kImages, a.boxes = kBoxes, a.c = 5 + kClasses10;
                             a.prediction = memory.floats(size, -2, 2);
                             a.targets = detection_targets(memory);
                             int32_t* assigned = memory.array<int32_t>(kImages * locations);
                             for (int64_t i = 0; i < kImages * locations; ++i)
                                 assigned[i] = i % 8 == 0 ? static_cast<int32_t>(i / 8 % kDrawn) : -1;
                             a.assigned = assigned;
                             a.counts = memory.doubles(kImages, 30, 50);
                             a.complete = complete, a.balanced = true, a.gamma = 2, a.alpha = 0.25f;
                             a.box_weight = 2, a.class_weight = 1, a.scale = 1;
                             a.gradient = memory.array<float>(size);
                             a.sums = memory.array<double>(units(a));
                             return {call(kernel, a)};
                         }});
    return cases;
}

Cases cases_detection_merge(Kernel<DetectionMergeArgs> kernel) {
    constexpr int64_t kSums = 256;
    return {{std::to_string(kSums) + " sums", 0, kDouble * (kSums + kImages), [=](Memory& memory) -> Work {
                 return {call(kernel, {kSums, kImages, memory.doubles(kSums), memory.doubles(kImages, 30, 50),
                                       memory.array<double>(2)})};
             }}};
}

}  // namespace bench
