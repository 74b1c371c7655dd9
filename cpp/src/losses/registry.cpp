// The table of losses. A row is `row<Huber>()`: the name that Huber::kType gives, and how to make one from its
// arguments. A new loss needs its include here and one row.
#include "striate/loss.hpp"
#include "striate/losses/binary_crossentropy.hpp"
#include "striate/losses/binary_focal_crossentropy.hpp"
#include "striate/losses/categorical_crossentropy.hpp"
#include "striate/losses/categorical_focal_crossentropy.hpp"
#include "striate/losses/detection_loss.hpp"
#include "striate/losses/dice.hpp"
#include "striate/losses/huber.hpp"
#include "striate/losses/kl_divergence.hpp"
#include "striate/losses/mean_absolute_error.hpp"
#include "striate/losses/mean_squared_error.hpp"
#include "striate/losses/sparse_categorical_crossentropy.hpp"
#include "striate/losses/tversky.hpp"
#include "striate/losses/weighted_sum.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

struct Row {
    const char* type;
    LossPtr (*make)(const Config& config);
};

template <class L>
LossPtr make(const Config& config) {
    return std::make_shared<const L>(read_fields<typename L::Options>(config, L::kType));
}

template <class L>
constexpr Row row() {
    return {L::kType, make<L>};
}

constexpr Row kRows[] = {
    row<MeanSquaredError>(),
    row<MeanAbsoluteError>(),
    row<Huber>(),
    row<KLDivergence>(),
    row<BinaryCrossentropy>(),
    row<BinaryFocalCrossentropy>(),
    row<CategoricalCrossentropy>(),
    row<CategoricalFocalCrossentropy>(),
    row<SparseCategoricalCrossentropy>(),
    row<Dice>(),
    row<Tversky>(),
    row<WeightedSum>(),
    row<DetectionLoss>(),
};

}  // namespace

LossPtr make_loss(const std::string& type, const Config& config) {
    for (const Row& candidate : kRows)
        if (type == candidate.type) return candidate.make(config);
    fail("there is no loss type ", quoted(type), "; ", suggestion(type, loss_types()));
}

std::vector<std::string> loss_types() {
    std::vector<std::string> types;
    for (const Row& candidate : kRows) types.emplace_back(candidate.type);
    return types;
}

}  // namespace striate
