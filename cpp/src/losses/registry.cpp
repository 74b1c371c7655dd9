// The table of losses. A row is `row<Huber>()`: the name that Huber::kType gives, and how to make one from its
// arguments. A new loss needs its include here and one row.
#include <array>

#include "striate/loss.hpp"
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

constexpr std::array<Row, 0> kRows = {};

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
