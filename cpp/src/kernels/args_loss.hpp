#pragma once

#include <stdint.h>

namespace striate::kernels {

// What all losses by rows share: `rows` predictions of `c` numbers each, without gaps. A unit is as many rows as fill
// kChunk floats; it writes the weighted sum of its rows' losses to its own slot of `sums`, and loss_merge() adds them
// up.
struct LossRows {
    int64_t rows, c;
    const float* prediction;
    float* gradient;       // of the whole loss, in memory of its own; null: not wanted
    const float* weights;  // one for every `rows_per_weight` rows; null: 1
    int64_t rows_per_weight;
    double scale;              // what a row's loss counts in the whole: 1 / rows, say
    const double* normaliser;  // a factor to it that is known at run time only; null: 1
    double* sums;
};

// Losses that are the mean over a row of a function of each prediction and its target, as Keras 3 defines them. For
// kl_divergence, it is the sum over a row; both are clipped to [1e-7, 1].
// huber: Huber, 1964. focal: Lin et al., 2017. From probabilities, predictions are clipped to [1e-7, 1 - 1e-7].
enum class ElementLoss : int32_t {
    squared_error,
    absolute_error,
    huber,
    binary_crossentropy,
    binary_crossentropy_logits,
    binary_focal,
    binary_focal_logits,
    kl_divergence,
};
struct ElementLossArgs {
    LossRows batch;
    ElementLoss kind;
    const float* target;  // as many as predictions
    float delta;          // of huber
    float label_smoothing;
    float gamma, alpha;  // of focal losses
    bool balanced;       // focal: weigh ones by alpha and zeros by 1 - alpha
};

enum class LabelType : int32_t { uint8, int32, int64 };
struct Labels {
    const void* data;
    LabelType type;
    bool ignores;  // rows of class `ignored` have no loss
    int64_t ignored;
};
// Cross-entropy over the c classes of a row. From probabilities, predictions are divided by their sum and clipped as
// above; from logits, the softmax is part of the loss.
struct CategoricalLossArgs {
    LossRows batch;
    bool from_logits, focal;
    const float* target;  // as many as predictions; null, in the focal loss only: labels
    float label_smoothing;
    float gamma;          // of the focal loss
    const float* alphas;  // of the focal loss, one for every class
    Labels labels;        // one for every row
};
struct SparseLossArgs {
    LossRows batch;
    bool from_logits;
    Labels labels;  // one for every row
    int64_t*
        bad;  // one for every unit: its first row whose label is neither ignored nor in [0, c), else -1; may be null
};

// counts[unit] = labels that are not ignored, of kMergeChunk labels.
struct CountLabelsArgs {
    int64_t rows;
    Labels labels;
    double* counts;
};
// out[0] = rows / sum of counts, or 0 when all are ignored; out[1] = sum of counts. One unit.
struct LossNormaliserArgs {
    int64_t rows, size;
    const double* counts;
    double* out;
};

// out[0] = the sum of sums, out[1] = the rows that count: normaliser[1], or all. first_bad = the smallest of `bad` that
// is not -1, else -1. One unit.
struct LossMergeArgs {
    int64_t size, rows;
    const double* sums;
    const double* normaliser;  // of loss_normaliser(); null: all rows count
    double* out;
    const int64_t* bad;
    int64_t* first_bad;  // null together with `bad`
};

// What losses of overlap make of predictions: nothing, or probabilities of logits, over the channels of a pixel.
enum class Link : int32_t { none, sigmoid, softmax };
// Losses of overlap: for every image and channel, partials[image][piece][0][c]: sum of target * probability, [1][c]: of
// target, [2][c]: of probability, each pixel times its weight and ignored ones left out. Unit = piece of an image.
struct OverlapArgs {
    int64_t n, pixels, c, pieces;
    Link link;
    const float* prediction;
    const float* target;   // as many as predictions; null: labels
    Labels labels;         // one for every pixel
    const float* weights;  // one for every pixel; null: 1
    double* partials;
};
// Which index of overlap a loss is one less.
struct OverlapIndex {
    bool tversky;
    double alpha, beta;  // of Tversky's index
    double smooth;       // added above and below; negative: 1 where the sum of the target is 0, else 0
};
// The gradient by the predictions, where that by the probabilities is weight * scale * (target - mean). Units as above.
struct OverlapGradArgs {
    OverlapArgs batch;
    const float *mean, *scale;  // [n][c]
    float* gradient;
};
// Dice (Milletari et al., 2016) and Tversky (Salehi et al., 2017) as Keras 3 defines them: sums over all that is not
// kept apart, one loss for each that is, and their mean. It gives overlap_backward() its mean and scale. `out` gets the
// sums that the loss follows from: where images are kept apart, the sum of the losses, each times its weight, and their
// number; else the sum of the weights, the number of images, and for each channel kept apart, or all, the three sums of
// OverlapArgs. One unit.
struct OverlapMergeArgs {
    int64_t n, c, pieces;
    const double* partials;
    bool each_image, each_channel;
    OverlapIndex index;
    const float* weights;  // one for every image; null: 1. When images are not kept apart, their mean counts.
    double loss_scale;     // of the gradient alone
    double* out;
    float *mean, *scale;  // [n][c]; null: no gradient wanted
};

}  // namespace striate::kernels
