// The tables of optimizers and of learning-rate schedules. A row is `optimizer<Adam>()` or `schedule<CosineDecay>()`:
// the name that kType gives, and how to make one from its arguments. A new one needs its include here and one row.
#include "striate/optimizers/adadelta.hpp"
#include "striate/optimizers/adagrad.hpp"
#include "striate/optimizers/adam.hpp"
#include "striate/optimizers/lion.hpp"
#include "striate/optimizers/nadam.hpp"
#include "striate/optimizers/rmsprop.hpp"
#include "striate/optimizers/schedules.hpp"
#include "striate/optimizers/sgd.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

template <class Pointer>
struct Row {
    const char* type;
    Pointer (*make)(const Config& config);
};

template <class Pointer, class T>
Pointer make(const Config& config) {
    return std::make_shared<const T>(read_fields<typename T::Options>(config, T::kType));
}

template <class T>
constexpr Row<OptimizerPtr> optimizer() {
    return {T::kType, make<OptimizerPtr, T>};
}
template <class T>
constexpr Row<SchedulePtr> schedule() {
    return {T::kType, make<SchedulePtr, T>};
}

constexpr std::array kOptimizers = {
    optimizer<SGD>(),  optimizer<RMSprop>(), optimizer<Adagrad>(), optimizer<Adadelta>(),
    optimizer<Adam>(), optimizer<AdamW>(),   optimizer<Nadam>(),   optimizer<Lion>(),
};
constexpr std::array kSchedules = {
    schedule<ExponentialDecay>(),       schedule<CosineDecay>(),     schedule<CosineDecayRestarts>(),
    schedule<PiecewiseConstantDecay>(), schedule<PolynomialDecay>(),
};

template <class Rows>
std::vector<std::string> types_of(const Rows& rows) {
    std::vector<std::string> types;
    for (const auto& candidate : rows) types.emplace_back(candidate.type);
    return types;
}

}  // namespace

OptimizerPtr make_optimizer(const std::string& type, const Config& config) {
    for (const auto& candidate : kOptimizers)
        if (type == candidate.type) return candidate.make(config);
    fail("there is no optimizer type ", quoted(type), "; ", suggestion(type, optimizer_types()));
}

SchedulePtr make_schedule(const std::string& type, const Config& config) {
    for (const auto& candidate : kSchedules)
        if (type == candidate.type) return candidate.make(config);
    fail("there is no learning-rate schedule type ", quoted(type), "; ", suggestion(type, schedule_types()));
}

std::vector<std::string> optimizer_types() {
    return types_of(kOptimizers);
}
std::vector<std::string> schedule_types() {
    return types_of(kSchedules);
}

}  // namespace striate
