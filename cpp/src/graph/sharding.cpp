#include "graph/sharding.hpp"

#include <algorithm>
#include <cstring>

#include "graph/trainer_state.hpp"
#include "striate/error.hpp"

namespace striate {
namespace {

constexpr double kFine = 0.0, kStops = 1.0, kFailed = 2.0;
constexpr size_t kTextBytes = 1024;  // of a failure's message, cut

template <class T>
int64_t count_others(const Array& labels, int64_t first, int64_t count, int64_t ignored) {
    const T* const from = static_cast<const T*>(labels.data) + first;
    return std::count_if(from, from + count, [&](T label) { return static_cast<int64_t>(label) != ignored; });
}

int64_t others(const Array& labels, int64_t first, int64_t count, int64_t ignored) {
    switch (labels.type) {
        case DType::uint8:
            return count_others<uint8_t>(labels, first, count, ignored);
        case DType::int32:
            return count_others<int32_t>(labels, first, count, ignored);
        default:  // bind() has seen to it that labels are integers
            return count_others<int64_t>(labels, first, count, ignored);
    }
}

}  // namespace

Sharding::Sharding(Trainer::State& trainer, int64_t shards, Exchange* exchange)
    : trainer_(trainer), exchange_(exchange), tree_(shards, exchange) {
    width_ = 1;
    for (const std::vector<double>& sums : trainer.epoch_sums) width_ += static_cast<int64_t>(sums.size());
    most_own_ = (shards + tree_.processes() - 1) / tree_.processes();
    message_.resize(static_cast<size_t>(1 + most_own_ * width_));
    pass_.resize(message_.size());
    totals_.resize(static_cast<size_t>(width_));
    size_t floats = 0;
    for (const auto& store : trainer.model.parameters.stores()) floats += store->state.size() / sizeof(float);
    before_.resize(floats);
    state_.resize(floats);
    for (size_t o = 0; o < trainer.losses.size(); ++o) {
        if (!trainer.losses[o]) continue;
        std::vector<int64_t> classes = trainer.losses[o]->ignored_classes();
        std::sort(classes.begin(), classes.end());
        classes.erase(std::unique(classes.begin(), classes.end()), classes.end());
        for (const int64_t label : classes) counted_.push_back({o, label});
    }
}

double Sharding::train(const int64_t* list, int64_t first, int64_t count, int64_t skipped,
                       const std::vector<float*>& predictions) {
    require(count > 0, "a step needs at least one row, got ", count);
    const Rows rows{list, first, count, skipped};
    Failure failure;
    failure.attempt([&] { check(rows); });
    return step(rows, predictions, failure);
}

void Sharding::fail_step(const std::string& why) {
    Failure failure;
    failure.set(why, std::make_exception_ptr(DistributedError(why)));
    step({}, {}, failure);
}

double Sharding::step(const Rows& rows, const std::vector<float*>& predictions, Failure& failure) {
    Trainer::State& t = trainer_;
    if (!counted_.empty()) {
        failure.attempt([&] { count_targets(rows); });
        share_counts(failure);
    }
    struct Restore {  // an error leaves the moving averages of the step before
        ~Restore() {
            if (sharding) sharding->write_state(sharding->before_.data());
        }
        Sharding* sharding;
    } restore{this};
    read_state(before_.data());
    message_.assign(message_.size(), 0.0);
    mean_.begin(static_cast<int64_t>(state_.size()), tree_.first_shard(), tree_.last_shard());
    failure.attempt([&] {
        Mirrored& gradients = t.model.parameters.gradients();
        tree_.add_own(reinterpret_cast<float*>(gradients.host()), t.model.parameters.arena_size(),
                      [&](int64_t shard) { run_shard(shard, rows, predictions); });
    });
    agree(failure, message_);
    add_sums();
    exchange_all(rows.count);
    // From here on nothing can fail in one process alone.
    restore.sharding = nullptr;
    write_state(state_.data());
    const auto [begin, end] = own_rows(rows.count);
    const bool has_plan = !t.plans.empty() && t.plans.front()->request().training && end > begin;
    Plan& last = has_plan ? *t.plans.front() : t.plan(1, true, rows.count);
    t.optimizer->scalars(t.iteration, t.learning_rate(), reinterpret_cast<float*>(t.scalars.change()));
    last.run(Plan::update, Plan::end, t.seed, static_cast<uint64_t>(t.iteration));
    size_t at = 0;
    const double loss = t.account(last.penalty(), rows.count, [&](size_t o) -> const double* {
        const double* const sums = totals_.data() + at;
        at += t.epoch_sums[o].size();
        return t.losses[o] ? sums : nullptr;
    });
    ++t.iteration;
    t.model.parameters.changed();
    return loss;
}

void Sharding::check(const Rows& rows) const {
    const auto [begin, end] = own_rows(rows.count);
    if (begin < end) check_rows(trainer_.bound.rows, rows.list, rows.first + begin - rows.skipped, end - begin);
}

std::vector<float*> Sharding::predictions_of(const std::vector<float*>& all, int64_t rows) const {
    std::vector<float*> moved = all;
    const Graph& graph = trainer_.model.graph;
    for (size_t o = 0; o < moved.size(); ++o)
        if (moved[o]) moved[o] += rows * element_count(graph.nodes[graph.outputs[o]].shape);
    return moved;
}

void Sharding::run_shard(int64_t shard, const Rows& rows, const std::vector<float*>& predictions) {
    Trainer::State& t = trainer_;
    const int64_t begin = shard_begin(rows.count, shard), count = shard_begin(rows.count, shard + 1) - begin;
    Mirrored& gradients = t.model.parameters.gradients();
    if (count == 0) {
        std::fill_n(gradients.change(), gradients.size(), std::byte{0});
        return;
    }
    Plan& p = t.plan(count, true, rows.count);
    for (const Counted& counted : counted_)
        for (auto& [label, number] : p.whole()[counted.output].counted)
            if (label == counted.ignored) number = counted.all;
    const int64_t at = begin - rows.skipped;
    t.aim(p, rows.list ? rows.list + at : nullptr, rows.first + at, count, predictions_of(predictions, at));
    write_state(before_.data());
    p.run(Plan::gather, Plan::update, t.seed, static_cast<uint64_t>(t.iteration), begin);
    gradients.change();
    read_state(mean_.put(shard));
    double* to = sums_of(shard);
    for (size_t o = 0; o < t.losses.size(); ++o) {
        const double* const sums = p.loss_sums(o);
        if (sums) std::copy_n(sums, t.epoch_sums[o].size(), to);
        to += t.epoch_sums[o].size();
    }
}

double Sharding::test(const int64_t* list, int64_t first, int64_t count, int64_t skipped,
                      const std::vector<float*>& predictions) {
    require(count > 0, "a step needs at least one row, got ", count);
    Trainer::State& t = trainer_;
    const Rows rows{list, first, count, skipped};
    check(rows);
    double total = 0.0, taken = 0.0;
    for (int64_t shard = tree_.first_shard(); shard < tree_.last_shard(); ++shard) {
        const int64_t begin = shard_begin(count, shard), size = shard_begin(count, shard + 1) - begin;
        if (size == 0) continue;
        Plan& p = t.plan(size, false);
        const int64_t at = begin - skipped;
        total += static_cast<double>(size) *
                 t.run(p, list ? list + at : nullptr, first + at, size, predictions_of(predictions, at));
        taken += static_cast<double>(size);
        double* to = pass_.data() + 1 + (shard - tree_.first_shard()) * width_;
        for (size_t o = 0; o < t.losses.size(); ++o) {
            const double* const sums = p.loss_sums(o);
            for (size_t i = 0; i < t.epoch_sums[o].size(); ++i, ++to)
                if (sums) *to += sums[i];
        }
        *to += p.penalty() * static_cast<double>(size);
    }
    pass_[0] += static_cast<double>(count);
    return taken > 0.0 ? total / taken : 0.0;
}

void Sharding::begin_pass() {
    std::fill(pass_.begin(), pass_.end(), 0.0);
}

void Sharding::finish_pass(const std::string& why) {
    Trainer::State& t = trainer_;
    Failure failure;
    if (!why.empty()) failure.set(why, std::make_exception_ptr(DistributedError(why)));
    const double rows = pass_[0];
    message_ = pass_;
    agree(failure, message_);
    add_sums();
    const double* from = totals_.data();
    for (std::vector<double>& sums : t.epoch_sums)
        for (double& sum : sums) sum = *from++;
    t.epoch_penalty = *from;
    t.epoch_rows = rows;
}

void Sharding::count_targets(const Rows& rows) {
    Trainer::State& t = trainer_;
    const auto [begin, end] = own_rows(rows.count);
    for (Counted& counted : counted_) {
        counted.own = 0.0;
        if (!t.bound.labels[counted.output]) continue;
        const Array& labels = t.bound.data.targets[counted.output];
        const int64_t each = element_count(labels.shape) / std::max<int64_t>(1, t.bound.rows);
        int64_t own = 0;
        const int64_t at = begin - rows.skipped;
        if (!rows.list) own = others(labels, (rows.first + at) * each, (end - begin) * each, counted.ignored);
        for (int64_t i = 0; rows.list && i < end - begin; ++i) {
            const int64_t row = rows.list[at + i];
            require(row >= 0 && row < t.bound.rows, "row ", row, " is not within the ", t.bound.rows,
                    " rows of the data");
            own += others(labels, row * each, each, counted.ignored);
        }
        counted.own = static_cast<double>(own);
    }
}

void Sharding::share_counts(Failure& failure) {
    std::vector<double> numbers(1 + counted_.size());
    for (size_t i = 0; i < counted_.size(); ++i) numbers[1 + i] = counted_[i].own;
    agree(failure, numbers);
    for (size_t i = 0; i < counted_.size(); ++i) {
        counted_[i].all = 0.0;
        for (int p = 0; p < tree_.processes(); ++p)
            counted_[i].all += all_[static_cast<size_t>(p) * numbers.size() + 1 + i];
    }
}

void Sharding::agree(const Failure& failure, std::vector<double>& message) {
    if (failure.failed() && tree_.processes() == 1) failure.rethrow();
    message[0] = failure.failed() ? kFailed : stop ? kStops : kFine;
    all_.resize(message.size() * static_cast<size_t>(tree_.processes()));
    if (exchange_) {
        exchange_->gather(message.data(), message.size() * sizeof(double), all_.data());
    } else {
        std::copy(message.begin(), message.end(), all_.begin());
    }
    double worst = kFine;
    for (size_t i = 0; i < all_.size(); i += message.size()) worst = std::max(worst, all_[i]);
    if (worst == kFailed) throw_for_all(failure);
    stop_agreed = worst == kStops;
}

void Sharding::throw_for_all(const Failure& failure) {
    std::vector<char> mine(kTextBytes), all(kTextBytes * static_cast<size_t>(tree_.processes()));
    if (failure.failed()) {
        const std::string text = concat(exchange_->name(), ", step ", trainer_.iteration, ": ", failure.text());
        std::copy_n(text.begin(), std::min(text.size(), kTextBytes - 1), mine.begin());
    }
    exchange_->gather(mine.data(), mine.size(), all.data());
    std::string message;
    for (int p = 0; p < tree_.processes(); ++p) {
        const char* const text = all.data() + static_cast<size_t>(p) * kTextBytes;
        if (*text && message.size() < kTextBytes) message += (message.empty() ? "" : "; ") + std::string(text);
    }
    throw DistributedError(message);
}

void Sharding::add_sums() {
    std::fill(totals_.begin(), totals_.end(), 0.0);
    for (int p = 0; p < tree_.processes(); ++p) {
        const double* from = all_.data() + static_cast<size_t>(p) * message_.size() + 1;
        for (int64_t shard = tree_.first_shard(p); shard < tree_.first_shard(p + 1); ++shard)
            for (int64_t i = 0; i < width_; ++i) totals_[static_cast<size_t>(i)] += *from++;
    }
}

void Sharding::exchange_all(int64_t count) {
    std::vector<char> has_rows;
    for (int64_t shard = 0; shard < tree_.shards(); ++shard)
        has_rows.push_back(shard_begin(count, shard) < shard_begin(count, shard + 1));
    const auto run = [&](Parts& parts) {
        if (!parts.send.empty() || !parts.receive.empty()) exchange_->wait(exchange_->begin(parts.send, parts.receive));
    };
    Parts nodes, sums;
    tree_.exchange_nodes(nodes);
    mean_.exchange_states(nodes, tree_, has_rows);
    run(nodes);
    tree_.add_nodes();
    mean_.average(state_.data());
    tree_.exchange_sums(sums);
    mean_.exchange_means(sums, state_.data());
    run(sums);
}

void Sharding::add_up(std::vector<int64_t>& numbers) const {
    if (!exchange_) return;
    std::vector<int64_t> all(numbers.size() * static_cast<size_t>(tree_.processes()));
    exchange_->gather(numbers.data(), numbers.size() * sizeof(int64_t), all.data());
    std::fill(numbers.begin(), numbers.end(), 0);
    for (size_t i = 0; i < all.size(); ++i) numbers[i % numbers.size()] += all[i];
}

void Sharding::read_state(float* to) const {
    for (const auto& store : trainer_.model.parameters.stores()) {
        if (store->state.size() == 0) continue;
        std::memcpy(to, store->state.read(), store->state.size());
        to += store->state.size() / sizeof(float);
    }
}

void Sharding::write_state(const float* from) {
    for (const auto& store : trainer_.model.parameters.stores()) {
        if (store->state.size() == 0) continue;
        std::memcpy(store->state.change(), from, store->state.size());
        from += store->state.size() / sizeof(float);
    }
}

void Trainer::set_shards(int64_t shards, Exchange* exchange) {
    State& t = *state_;
    require(shards >= 1, "shards must be at least 1, got ", shards);
    t.sharding = shards > 1 || exchange ? std::make_unique<Sharding>(t, shards, exchange) : nullptr;
}

int64_t Trainer::shards() const {
    return state_->sharding ? state_->sharding->tree().shards() : 1;
}

std::pair<int64_t, int64_t> Trainer::own_rows(int64_t count) const {
    return state_->sharding ? state_->sharding->own_rows(count) : std::pair<int64_t, int64_t>{0, count};
}

double Trainer::train_part(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    if (!state_->sharding) return train_step(rows, first, count, predictions);
    const Writing writing(state_->model.weights);
    return state_->sharding->train(rows, first, count, own_rows(count).first, predictions);
}

double Trainer::test_part(const int64_t* rows, int64_t first, int64_t count, const std::vector<float*>& predictions) {
    if (!state_->sharding) return test_step(rows, first, count, predictions);
    const Reading reading(state_->model.weights);
    return state_->sharding->test(rows, first, count, own_rows(count).first, predictions);
}

void Trainer::fail_step(const std::string& why) {
    if (!state_->sharding) throw DistributedError(why);
    const Writing writing(state_->model.weights);
    state_->sharding->fail_step(why);
}

void Trainer::finish_pass(const std::string& failure) {
    if (state_->sharding) state_->sharding->finish_pass(failure);
}

void Trainer::add_up(std::vector<int64_t>& numbers) const {
    if (state_->sharding) state_->sharding->add_up(numbers);
}

void Trainer::ask_to_stop(bool stop) {
    if (state_->sharding) state_->sharding->stop = stop;
}

bool Trainer::stop_agreed() const {
    return state_->sharding && state_->sharding->stop_agreed;
}

}  // namespace striate
