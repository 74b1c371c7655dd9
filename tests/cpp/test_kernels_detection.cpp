// The detection kernels of every instruction set: the same bits however the work is cut, and the gradient against
// central differences of the value. What the values are, Python's tests say.
#include <algorithm>
#include <cmath>

#include "kernel_check.hpp"

using namespace striate::kernels;
using check::Random;
using check::run_all;

namespace {

struct Case {
    DetectionGrid grid;
    int64_t n, boxes, classes;
    bool complete, balanced, weighted;
    float gamma;
};

std::vector<float> random_targets(const Case& c, Random& random) {
    std::vector<float> targets;
    const double width = static_cast<double>(c.grid.w * c.grid.stride), height = double(c.grid.h * c.grid.stride);
    for (int64_t i = 0; i < c.n * c.boxes; ++i) {
        const double x = random.uniform(0, 0.8 * width), y = random.uniform(0, 0.8 * height);
        targets.push_back(float(x));
        targets.push_back(float(y));
        targets.push_back(float(x + random.uniform(0.02, 0.9) * (width - x)));
        targets.push_back(float(y + random.uniform(0.02, 0.9) * (height - y)));
        const auto label = static_cast<float>(random.integer(0, c.classes - 1));
        // Images without boxes, ignored boxes, and gaps.
        const int64_t kind = i / c.boxes % 3 == 2 ? 0 : random.integer(0, 5);
        targets.push_back(kind == 0 ? -1.0f : kind == 1 ? -2 - label : label);
    }
    return targets;
}

// Where an edge of the box that a location tells of passes one of its target's, the loss has no derivative.
bool near_kink(const DetectionGrid& grid, int64_t location, const float* p, const float* target) {
    const DetectionPlace place = detection_place(grid, location);
    const double at[] = {double(place.column) + 0.5 + p[0], double(place.row) + 0.5 + p[1]};
    for (int axis = 0; axis < 2; ++axis) {
        const double half = 0.5 * std::exp(double(p[2 + axis]));
        for (const double edge : {at[axis] - half, at[axis] + half})
            for (const int side : {axis, axis + 2})
                if (std::fabs(edge - double(target[side]) / double(place.stride)) < 0.02) return true;
    }
    return false;
}

void test(const Table& table, const Case& c, Random& random) {
    const std::string context = striate::concat(table.isa, " ", c.grid.levels, " maps of ", c.grid.h, "x", c.grid.w,
                                                c.complete ? " ciou" : " giou", " gamma ", c.gamma);
    const int64_t locations = detection_locations(c.grid), numbers = 5 + c.classes, size = c.n * locations * numbers;
    const std::vector<float> targets = random_targets(c, random);
    std::vector<int32_t> assigned(c.n * locations, 77);
    std::vector<double> counts(c.n, 77);
    const DetectionAssignArgs assign{c.grid, c.n, c.boxes, targets.data(), 4.0, 1.5, assigned.data(), counts.data()};
    run_all(table.detection_assign, assign);
    const std::vector<int32_t> whole = assigned;
    std::fill(assigned.begin(), assigned.end(), 99);
    run_in_pieces(table.detection_assign, assign, units(assign), random);
    CHECK(whole == assigned);
    double answering = 0;
    for (const double count : counts) answering += count;
    CHECK(answering == double(std::count_if(whole.begin(), whole.end(), [](int32_t box) { return box >= 0; })));

    std::vector<float> prediction(size), gradient(size, 99), weights(c.n);
    for (float& p : prediction) p = static_cast<float>(random.normal());
    for (int64_t i = 0; i < c.n * locations; ++i) {
        float* p = prediction.data() + i * numbers;
        const float* target = targets.data() + (i / locations * c.boxes + whole[i]) * 5;
        while (whole[i] >= 0 && near_kink(c.grid, i % locations, p, target))
            for (int k = 0; k < 4; ++k) p[k] = static_cast<float>(random.normal());
    }
    for (float& w : weights) w = static_cast<float>(random.uniform(0.5, 2));
    DetectionLossArgs loss{};
    loss.grid = c.grid, loss.n = c.n, loss.boxes = c.boxes, loss.c = numbers;
    loss.prediction = prediction.data(), loss.targets = targets.data(), loss.assigned = assigned.data();
    loss.counts = counts.data(), loss.weights = c.weighted ? weights.data() : nullptr;
    loss.complete = c.complete, loss.balanced = c.balanced, loss.gamma = c.gamma, loss.alpha = 0.25f;
    loss.box_weight = 2, loss.class_weight = 0.5, loss.scale = 0.75, loss.gradient = gradient.data();
    std::vector<double> sums(units(loss), 99);
    loss.sums = sums.data();
    run_all(table.detection_loss, loss);
    const std::vector<float> slope = gradient;
    const std::vector<double> parts = sums;
    std::fill(gradient.begin(), gradient.end(), 99.0f);
    run_in_pieces(table.detection_loss, loss, units(loss), random);
    CHECK(slope == gradient);
    CHECK(parts == sums);
    loss.gradient = nullptr;
    const auto value = [&] {
        run_all(table.detection_loss, loss);
        double total = 0;
        for (const double part : sums) total += part;
        return loss.scale * total;
    };
    value();
    CHECK(parts == sums);
    // In directions of random numbers.
    for (int attempt = 0; attempt < 3; ++attempt) {
        const std::vector<float> at = prediction;
        std::vector<float> way(size);
        double want = 0, norm = 0;
        for (int64_t i = 0; i < size; ++i) {
            way[i] = static_cast<float>(1e-3 * random.normal());
            want += double(slope[i]) * double((at[i] + way[i]) - (at[i] - way[i]));
            norm += double(slope[i]) * double(slope[i]);
        }
        for (int64_t i = 0; i < size; ++i) prediction[i] = at[i] + way[i];
        const double above = value();
        for (int64_t i = 0; i < size; ++i) prediction[i] = at[i] - way[i];
        const double difference = above - value();
        prediction = at;
        // What the floats of the value lose, and what the loss bends within a step.
        CHECK_CLOSE(difference, want, 1e-2 * 2e-3 * std::sqrt(norm) + 2e-6, context);
    }
}

}  // namespace

TEST_CASE("the loss of detectors has the same bits for any cut, and its gradient agrees with differences") {
    Random random(11);
    for (const Table* table : check::tables())
        for (const bool complete : {false, true})
            for (const float gamma : {0.0f, 2.0f}) {
                test(*table, {{1, 1, 1, 8}, 1, 1, 1, complete, false, false, gamma}, random);
                test(*table, {{1, 5, 7, 8}, 4, 6, 3, complete, true, true, gamma}, random);
                test(*table, {{2, 8, 10, 4}, 5, 3, 20, complete, true, false, gamma}, random);
                test(*table, {{3, 32, 32, 4}, 2, 9, 2, complete, false, true, gamma}, random);
            }
}
