#pragma once

#include <stdint.h>

namespace striate::kernels {

// A detector's output for an image: `levels` maps of locations one behind the other, the finest of h x w first; each
// next has half the rows and columns and twice the stride. A location is at the centre of its cell of stride x stride
// pixels and has c numbers: the offset of a box's centre (x, y) and the logarithms of its width and height, all in
// strides, the logit of there being an object, and a logit for each class.
struct DetectionGrid {
    int64_t levels, h, w, stride;
};

// Which location answers for which box (after Tian et al., "FCOS", ICCV 2019): a box belongs to the first level of
// whose strides its longer side is at most `size_limit`, or to the last; there to the locations inside it that are at
// most `radius` strides from its centre each way, and to the cell in which its centre is. Where boxes compete, the
// smallest wins, and of equal ones the first. Unit = image.
struct DetectionAssignArgs {
    DetectionGrid grid;
    int64_t n, boxes;
    const float* targets;  // [n][boxes][5]: x1, y1, x2, y2 in pixels, class; class -1: none; -2 - class: to be ignored
    double size_limit, radius;
    int32_t* assigned;  // [n][locations]: the box, -1 for the background, -2 within an ignored box alone
    double* counts;     // [n]: locations that answer for a box
};

// Of every location that counts, the focal loss (Lin et al., 2017) of there being an object; of those that answer for a
// box, `box_weight` times the generalised (Rezatofighi et al., 2019) or complete (Zheng et al., 2020) IoU loss and
// `class_weight` times the cross-entropy of the class; all divided by the number of the latter in the batch, or by 1.
// Unit = kDetectionPiece locations of an image, with a sum of its own for loss_merge().
struct DetectionLossArgs {
    DetectionGrid grid;
    int64_t n, boxes, c;
    const float* prediction;
    const float* targets;
    const int32_t* assigned;
    const double* counts;
    const float* weights;  // one for every image; null: 1
    bool complete;
    bool balanced;  // weigh objects by alpha and the background by 1 - alpha
    float gamma, alpha;
    double box_weight, class_weight;
    double scale;
    float* gradient;  // null: not wanted
    double* sums;
};

// out[0] = the sum of `sums` times the number of locations that answer for a box, or 1, by which detection_loss() has
// divided; out[1] = that number. One unit.
struct DetectionMergeArgs {
    int64_t size, n;
    const double* sums;    // of detection_loss()
    const double* counts;  // of detection_assign()
    double* out;
};

}  // namespace striate::kernels
