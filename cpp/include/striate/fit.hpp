// The loop over epochs and batches for a program without Python: the same rows in the same order, and so the same bits,
// as `Trainer.fit` in Python with the same seed.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <vector>

#include "striate/augmentation.hpp"
#include "striate/trainer.hpp"

namespace striate STRIATE_API {

// Over the samples (or marked pixels) of a data set, whatever the batches.
struct Scores {
    double loss = 0;  // Trainer::epoch_loss()
    // The share of labels that were predicted, for a model of one output: class labels (N, ...) or one-hot ones, and a
    // score for each class, of which the highest counts; or 0 and 1, and a score for each, a probability or a logit.
    // NaN where targets are not classes.
    double accuracy = std::numeric_limits<double>::quiet_NaN();
};

struct EpochLog {
    int64_t epoch = 0;  // from 0, over all calls of fit()
    Scores training;    // as the samples were met, each before the step that learned from it
    std::optional<Scores> validation;
};

struct FitOptions {
    int64_t epochs = 1;
    int64_t batch_size = 32;  // samples a step; N is gradient descent, 1 stochastic gradient descent
    bool shuffle = true;      // whether each epoch takes the rows in a new random order
    const Dataset* validation = nullptr;
    // Random changes to the training images, made by a thread one batch ahead. Maps of the images' size (masks, weights
    // of pixels) and the boxes of a DetectionLoss move along.
    std::optional<Augmentation> augmentation;
    std::function<bool(const EpochLog&)> after_epoch;  // returns whether to go on
};

// After Trainer::set_shards() with an exchange, all processes call fit() and evaluate() with the same data and options,
// and get the same scores.
//
// Trains on all of `data`; the trainer is bound to them, or to the validation's, afterwards. Throws ValueError or
// TypeError for data that do not fit.
std::vector<EpochLog> fit(Trainer& trainer, const Dataset& data, const FitOptions& options = {});

// As in inference. The trainer is bound to `data` afterwards.
Scores evaluate(Trainer& trainer, const Dataset& data, int64_t batch_size = 32);

}  // namespace striate STRIATE_API
