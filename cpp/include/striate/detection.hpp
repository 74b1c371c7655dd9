// Detection: boxes, how they overlap, which of many are kept, and what a detector's output says. A box is x1, y1, x2,
// y2 in pixels, from the left edge of its first pixel to the right edge of its last.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "striate/tensor.hpp"

namespace striate STRIATE_API {

// Called now and then within long calls; an exception of it ends them.
using Between = std::function<void()>;

struct BoundingBox {
    double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
};

// Intersection over union (Jaccard 1901) of every box of `a` with every box of `b`: out[i * count_b + j]. Where
// `crowd[j]` is set the area of the box of `a` replaces the union. `crowd` may be null.
void box_iou(const BoundingBox* a, int64_t count_a, const BoundingBox* b, int64_t count_b, const bool* crowd,
             double* out, const Between& between = {});

struct Suppression {
    double iou_threshold = 0.5;             // above it the worse box goes
    std::optional<double> score_threshold;  // boxes that score less are left out beforehand
    std::optional<int64_t> most;            // at most so many are kept
};

// Greedy non-maximum suppression within classes: the numbers of the boxes that are kept, best first; of equal scores
// the lower number is better. `labels` may be null: one class.
std::vector<int64_t> non_maximum_suppression(const BoundingBox* boxes, const double* scores, const int64_t* labels,
                                             int64_t count, const Suppression& rule, const Between& between = {});

// The maps of a detector's output (N, rows, columns, 5 + classes), finest first. Each next has twice the stride and
// half the rows and columns; its pixels are below those of the one before, in rows of the finest one's width.
struct DetectionMaps {
    int64_t levels = 1, height = 0, width = 0, stride = 0, classes = 0;  // height and width: of the finest
    int64_t locations() const;
};
// Throws ValueError, naming `owner`, unless there are one to eight strides, each twice the one before.
void check_strides(const std::vector<int64_t>& strides, const std::string& owner);
// Throws ValueError, naming `owner`, if the strides are wrong or the output (without the batch) has another form.
DetectionMaps detection_maps(const Shape& output, const std::vector<int64_t>& strides, const std::string& owner);

struct Detection {
    float x1, y1, x2, y2;
    float score;  // the probability of an object there times that of its class
    int64_t label;
};

// What a detector's output (N, rows, columns, 5 + classes) tells of each image, best first, after suppression. Boxes
// are cut at the edges of the image.
std::vector<std::vector<Detection>> decode_detections(const Array& output, const std::vector<int64_t>& strides,
                                                      const Suppression& rule, const Between& between = {});

}  // namespace striate STRIATE_API
