// Batches that are cut in shards: the tree, and training in one process and in several.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "check.hpp"
#include "graph/tree_sum.hpp"
#include "process_threads.hpp"
#include "striate/striate.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

namespace {

using Numbers = std::vector<float>;

std::vector<Numbers> leaves(int64_t shards, int64_t size, uint64_t seed) {
    std::vector<Numbers> all(static_cast<size_t>(shards), Numbers(static_cast<size_t>(size)));
    for (int64_t s = 0; s < shards; ++s)
        fill_normal(all[static_cast<size_t>(s)].data(), size, 0, 1, seed, static_cast<uint64_t>(s));
    return all;
}

// The definition.
Numbers sum_of(const std::vector<Numbers>& all, int64_t first, int64_t count) {
    if (count == 1) return all[static_cast<size_t>(first)];
    int64_t half = 1;
    while (2 * half < count) half *= 2;
    Numbers left = sum_of(all, first, half);
    const Numbers right = sum_of(all, first + half, count - half);
    for (size_t i = 0; i < left.size(); ++i) left[i] += right[i];
    return left;
}

TEST_CASE("sums in a tree do not depend on the number of processes") {
    check::Random random(7);
    for (int round = 0; round < 60; ++round) {
        const int64_t shards = 1 + random.integer(0, 63);
        const int processes = static_cast<int>(random.integer(1, std::min<int64_t>(shards, 9)));
        const int64_t size = 16 * random.integer(0, 39), state = random.integer(0, 49);
        const std::vector<Numbers> numbers = leaves(shards, size, static_cast<uint64_t>(round)),
                                   states = leaves(shards, state, static_cast<uint64_t>(100 + round));
        std::vector<char> counts(static_cast<size_t>(shards), 1);
        for (int64_t s = 1; s < shards; ++s) counts[static_cast<size_t>(s)] = random.integer(0, 4) > 0;
        const Numbers wanted = sum_of(numbers, 0, shards);
        Numbers mean(static_cast<size_t>(state));
        for (size_t i = 0; i < mean.size(); ++i) {
            double sum = 0, count = 0;
            for (size_t s = 0; s < states.size(); ++s)
                if (counts[s]) sum += states[s][i], ++count;
            mean[i] = static_cast<float>(sum / count);
        }
        in_processes(processes, [&](Exchange& exchange) {
            TreeSum tree(shards, &exchange);
            StateMean means;
            for (int again = 0; again < 2; ++again) {
                Numbers arena(static_cast<size_t>(size)), averages(static_cast<size_t>(state));
                means.begin(state, tree.first_shard(), tree.last_shard());
                tree.add_own(arena.data(), size, [&](int64_t shard) {
                    const auto s = static_cast<size_t>(shard);
                    std::copy(numbers[s].begin(), numbers[s].end(), arena.begin());
                    std::copy(states[s].begin(), states[s].end(), means.put(shard));
                });
                Parts nodes, sums;
                tree.exchange_nodes(nodes);
                means.exchange_states(nodes, tree, counts);
                exchange.wait(exchange.begin(nodes.send, nodes.receive));
                tree.add_nodes();
                means.average(averages.data());
                tree.exchange_sums(sums);
                means.exchange_means(sums, averages.data());
                exchange.wait(exchange.begin(sums.send, sums.receive));
                CHECK(arena == wanted);
                CHECK(averages == mean);
            }
        });
    }
    Room room(3);
    RoomExchange exchange(room, 1);
    CHECK_THROWS_WITH_AS(TreeSum(2, &exchange), Contains("shards must be at least the number of processes, 3, got 2"),
                         ValueError);
}

constexpr int64_t kRows = 53, kIgnored = 2;

// Images with a label for each pixel, some of which are not to count, and a number for each image.
struct Task {
    Numbers pixels = Numbers(kRows * 64), numbers = Numbers(kRows), weights = Numbers(kRows);
    std::vector<int32_t> labels = std::vector<int32_t>(kRows * 64);

    Task() {
        fill_normal(pixels.data(), kRows * 64, 0, 1, 1, 0);
        fill_normal(numbers.data(), kRows, 0, 1, 2, 0);
        check::Random random(3);
        for (size_t i = 0; i < labels.size(); ++i)
            labels[i] = random.integer(0, 3) == 0 || i < 64 * 9 ? kIgnored : pixels[i] > 0;
        for (float& weight : weights) weight = 0.5f + 0.25f * static_cast<float>(random.integer(0, 3));
    }
    Dataset data() const {
        return {{{pixels.data(), DType::float32, {kRows, 8, 8, 1}}},
                {{labels.data(), DType::int32, {kRows, 8, 8}}, {numbers.data(), DType::float32, {kRows, 1}}},
                {{weights.data(), DType::float32, {kRows}}}};
    }
};

template <class L, class Set>
LayerPtr layer(const char* name, const Set& set) {
    typename L::Options options;
    set(options);
    return std::make_shared<L>(options, name);
}

Model network(bool normalized) {
    const Symbol x = input({8, 8, 1}, "image");
    const auto conv = [](int64_t filters, const char* name) {
        return layer<Conv2D>(name,
                             [&](Conv2DOptions& o) { o.filters = filters, o.kernel_size = 3, o.padding = "same"; });
    };
    Symbol y = apply(conv(6, "conv"), {x});
    if (normalized) y = apply(layer<BatchNormalization>("norm", [](auto&) {}), {y});
    y = apply(layer<Dropout>("dropout", [](DropoutOptions& o) { o.rate = 0.3; }), {y});
    const Symbol classes = apply(conv(2, "classes"), {y});
    Symbol z = apply(layer<SpatialDropout2D>("spatial", [](SpatialDropout2DOptions& o) { o.rate = 0.2; }), {y});
    z = apply(layer<Flatten>("flatten", [](auto&) {}), {z});
    z = apply(layer<Dense>("number", [](DenseOptions& o) { o.units = 1; }), {z});
    return Model({x}, {classes, z}, 0);
}

// Training on the task for a few epochs, and all numbers that come of it.
struct Run {
    Model model;
    Trainer trainer;

    explicit Run(bool normalized, bool plain = false)
        : model(network(normalized)), trainer(model, optimizer(plain), losses(), {1.0, 0.5}, 11) {}

    static OptimizerPtr optimizer(bool plain) {
        if (!plain) {
            AdamOptions adam;
            adam.clipnorm = 0.5;
            return std::make_shared<Adam>(adam);
        }
        SGDOptions sgd;
        sgd.learning_rate = 1.0;
        return std::make_shared<SGD>(sgd);
    }
    static std::vector<LossPtr> losses() {
        SparseCategoricalCrossentropyOptions sparse;
        sparse.from_logits = true;
        sparse.ignore_class = kIgnored;
        return {std::make_shared<SparseCategoricalCrossentropy>(sparse), std::make_shared<MeanSquaredError>()};
    }

    std::vector<double> train(const Dataset& data, int64_t epochs = 2) {
        std::vector<double> numbers;
        FitOptions options;
        options.epochs = epochs;
        options.batch_size = 15;  // the last batch has 8 rows
        options.validation = &data;
        for (const EpochLog& log : fit(trainer, data, options))
            numbers.insert(numbers.end(), {log.training.loss, log.validation->loss});
        const std::vector<float> weights = values_of(model);
        numbers.insert(numbers.end(), weights.begin(), weights.end());
        Numbers slot(static_cast<size_t>(trainer.parameter_arena_size()));
        for (size_t i = 0; i < trainer.slot_count(); ++i) {
            trainer.read_slot(i, slot.data());
            numbers.insert(numbers.end(), slot.begin(), slot.end());
        }
        return numbers;
    }
};

TEST_CASE("results have the same bits in any number of processes") {
    const Task task;
    for (const int64_t shards : {1, 4, 6, 20}) {
        set_num_threads(1);
        Run alone(true);
        alone.trainer.set_shards(shards);
        const std::vector<double> wanted = alone.train(task.data());
        set_num_threads(2);
        for (const int processes : {1, 2, 3, 4}) {
            if (processes > shards) continue;
            in_processes(processes, [&](Exchange& exchange) {
                Run run(true);
                run.trainer.set_shards(shards, &exchange);
                const std::vector<double> got = run.train(task.data());
                CHECK(got == wanted);
            });
        }
        if (shards > 1) continue;
        Run before(true);
        CHECK(before.train(task.data()) == wanted);
    }
}

// Without batch normalisation, shards give the gradient of the whole batch but for rounding.
TEST_CASE("shards give the gradient of the whole batch") {
    const Task task;
    Run whole(false, true);
    whole.trainer.bind(task.data());
    const std::vector<float> start = values_of(whole.model);
    const double loss = whole.trainer.train_step(nullptr, 0, 40);
    const std::vector<float> wanted = values_of(whole.model);
    for (const int64_t shards : {2, 3, 7, 40, 64}) {
        Run cut(false, true);
        cut.trainer.bind(task.data());
        cut.trainer.set_shards(shards);
        CHECK(cut.trainer.shards() == shards);
        CHECK_CLOSE(cut.trainer.train_step(nullptr, 0, 40), loss, 1e-6, "loss");
        const std::vector<float> got = values_of(cut.model);
        for (size_t i = 0; i < got.size(); ++i) CHECK_CLOSE(got[i] - start[i], wanted[i] - start[i], 2e-6, "gradient");
        CHECK_CLOSE(cut.trainer.losses()[0], whole.trainer.losses()[0], 1e-6, "loss of an output");
    }
}

// A batch of fewer rows than shards; rows of this process alone.
TEST_CASE("a batch can have fewer rows than shards, and rows of one process only") {
    const Task task;
    std::vector<int64_t> order(static_cast<size_t>(kRows));
    for (int64_t i = 0; i < kRows; ++i) order[static_cast<size_t>(i)] = (i * 7) % kRows;
    Run alone(true);
    alone.trainer.set_shards(4);
    alone.trainer.bind(task.data());
    Numbers classes(20 * 128), numbers(20);
    for (const int64_t count : {20, 3, 1, 2})
        alone.trainer.train_step(order.data(), 0, count, {classes.data(), numbers.data()});
    const double tested = alone.trainer.test_step(order.data(), 0, 20);
    alone.trainer.begin_epoch();
    alone.trainer.test_step(order.data(), 0, 20);
    alone.trainer.test_step(order.data() + 20, 0, 2);
    alone.trainer.finish_pass();
    CHECK(tested > 0);
    in_processes(3, [&](Exchange& exchange) {
        Run run(true);
        run.trainer.set_shards(4, &exchange);
        run.trainer.bind(task.data());
        for (const int64_t count : {20, 3, 1, 2}) {
            const auto [first, last] = run.trainer.own_rows(count);
            Numbers own_classes(static_cast<size_t>((last - first) * 128 + 1)),
                own(static_cast<size_t>(last - first + 1));
            run.trainer.train_part(order.data() + first, 0, count, {own_classes.data(), own.data()});
            if (count == 2) CHECK(std::equal(own.begin(), own.end() - 1, numbers.begin() + first));
        }
        run.trainer.begin_epoch();
        run.trainer.test_part(order.data() + run.trainer.own_rows(20).first, 0, 20);
        run.trainer.test_part(order.data() + 20 + run.trainer.own_rows(2).first, 0, 2);
        run.trainer.finish_pass();
        CHECK(values_of(run.model) == values_of(alone.model));
        CHECK(run.trainer.epoch_loss() == alone.trainer.epoch_loss());
    });
}

TEST_CASE("an error of one process is an error of all") {
    Task task;
    in_processes(3, [&](Exchange& exchange) {
        Run run(true);
        run.trainer.set_shards(3, &exchange);
        run.trainer.bind(task.data());
        run.trainer.train_step(nullptr, 0, 12);
        const std::vector<float> before = values_of(run.model);
        CHECK_THROWS_WITH_AS(Trainer(run.model, Run::optimizer(true), Run::losses(), {}, 0).set_shards(0),
                             Contains("shards"), ValueError);
        CHECK_THROWS_WITH_AS(run.trainer.set_shards(2, &exchange), Contains("number of processes, 3, got 2"),
                             ValueError);
        std::string message;
        try {
            if (exchange.rank() == 1)
                run.trainer.fail_step("a damaged picture");
            else
                run.trainer.train_step(nullptr, 0, 12);
        } catch (const DistributedError& error) {
            message = error.what();
        }
        std::string other;
        try {
            run.trainer.train_step(nullptr, exchange.rank() == 2 ? 50 : 0, 12);
        } catch (const DistributedError& error) {
            other = error.what();
        }
        CHECK(message == "rank 1, step 1: a damaged picture");
        CHECK(other.find("rank 2, step 1: rows 58 to 62 are not within") == 0);
        CHECK(values_of(run.model) == before);
        CHECK(!run.trainer.stop_agreed());
        run.trainer.ask_to_stop(exchange.rank() == 0);
        run.trainer.train_step(nullptr, 0, 12);
        CHECK(run.trainer.stop_agreed());
        CHECK(run.trainer.iteration() == 2);
        run.trainer.begin_epoch();
        run.trainer.test_step(nullptr, 0, 12);
        std::string test;
        try {
            run.trainer.finish_pass(exchange.rank() == 1 ? "no memory" : "");
        } catch (const DistributedError& error) {
            test = error.what();
        }
        CHECK(test == "rank 1, step 2: no memory");
    });
}

}  // namespace
