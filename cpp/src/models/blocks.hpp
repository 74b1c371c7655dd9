// What the ready networks share: checked arguments, the input's start, normalised layers, the classifying end.
#pragma once

#include <optional>
#include <string>

#include "striate/error.hpp"
#include "striate/graph.hpp"
#include "striate/layers.hpp"
#include "striate/make.hpp"
#include "striate/model.hpp"
#include "striate/models.hpp"

namespace striate::models {

// Keras's momentum of 0.99 needs thousands of steps before the averages are fit for inference; 0.9 needs dozens, and a
// short training on a small set has no more.
constexpr double kMomentum = 0.9, kEpsilon = 1e-5;

// Throw ValueError, naming the network.
void check_arguments(const char* caller, const Shape& input_shape, int64_t classes, double dropout);
bool are_counts(const std::vector<int64_t>& values);
// The multiple of `unit` that is nearest to `side`, at least one: for messages.
int64_t nearest_multiple(int64_t side, int64_t unit);

// The input times `rescale`, where that is given.
Symbol begin(const Symbol& start, const std::optional<double>& rescale);

struct ConvOptions {
    int64_t strides = 1;
    bool normalize = true;
    bool relu = true;
    bool symmetric = false;  // (size - 1) / 2 zeros on each side, also where a stride of an even map needs fewer before
};
// Convolution (He initialisation, "same" unless symmetric), batch normalisation, ReLU; without normalisation, with a
// bias.
Symbol conv(const Symbol& x, int64_t filters, int64_t size, const std::string& name, const ConvOptions& options = {});
Symbol batch_norm(const Symbol& x, const std::string& name);
Symbol relu(const Symbol& x, const std::string& name);
Symbol max_pool(const Symbol& x, const std::string& name);
// Fully connected layer (He initialisation), batch normalisation, ReLU; without normalisation, with a bias.
Symbol dense(const Symbol& x, int64_t units, const std::string& name, bool normalize = true);
// Dropout, or nothing for a rate of 0.
Symbol drop(const Symbol& x, double rate, const std::string& name);

// The model from `start` to `end`, or, by way of a layer, to one logit for each class.
Model whole(const Symbol& start, const Symbol& end, const std::optional<uint64_t>& seed);
Model finish(const Symbol& start, const Symbol& x, int64_t classes, const std::optional<uint64_t>& seed);

}  // namespace striate::models
