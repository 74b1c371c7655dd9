// The plan: gradients of graphs with fan-out, shared layers and residual paths against differences; the same bits at
// any number of threads; memory that is never shared by two tensors that live at the same time.
#include "check.hpp"
#include "graph/model_state.hpp"
#include "naive_layers.hpp"
#include "planning/memory.hpp"
#include "weights.hpp"

using namespace striate;
using namespace striate::test;

namespace {

Tensor random_tensor(Shape shape, uint64_t seed) {
    Tensor t(std::move(shape));
    check::Random random(seed);
    for (int64_t i = 0; i < t.size(); ++i) t.data()[i] = static_cast<float>(random.uniform(-1, 1));
    return t;
}

// Input -> shared convolution twice, a residual sum, a branch that is read three times.
Model branched(uint64_t seed) {
    const Symbol x = input({5, 6, 2});
    const LayerPtr shared = naive::make<naive::Conv>(naive::ConvOptions{2}, "shared");
    const Symbol a = apply(shared, {x});
    const Symbol b = apply(naive::make<naive::Bend>(), {a});
    const Symbol c = apply(shared, {b});
    const Symbol d = apply(naive::make<naive::Sum>(), {c, b});
    const Symbol e = apply(naive::make<naive::Sum>(), {d, b});
    const Symbol f = apply(naive::make<naive::Conv>(naive::ConvOptions{3}), {e});
    const Symbol g = apply(naive::make<naive::Flat>(), {f});
    return Model({x}, {g}, seed);
}

double weighted_output(Model& model, const Tensor& x, const Tensor& weights) {
    const Tensor y = std::move(model.forward({x})[0]);
    double sum = 0;
    for (int64_t i = 0; i < y.size(); ++i) sum += static_cast<double>(y.data()[i]) * weights.data()[i];
    return sum;
}

TEST_CASE("gradients agree with differences") {
    Model model = branched(3);
    Tensor x = random_tensor({2, 5, 6, 2}, 1);
    const Tensor g = random_tensor({2, 90}, 2);
    model.forward({x});
    const Tensor dx = std::move(model.backward({g})[0]);
    // `changed` is called after each change of what is at `place`.
    const auto slope = [&](float* place, const auto& changed) {
        const float old = *place, h = 0.01f;
        const auto at = [&](float value) {
            *place = value;
            changed();
            return weighted_output(model, x, g);
        };
        const double up = at(old + h), down = at(old - h);
        *place = old;
        changed();
        return (up - down) / (2 * static_cast<double>(h));
    };
    for (int64_t i = 0; i < x.size(); i += 7)
        CHECK_CLOSE(dx.data()[i], slope(x.data() + i, [] {}), 5e-3, "input " + std::to_string(i));
    model.forward({x});
    model.backward({g});
    for (size_t p = 0; p < model.parameters().size(); ++p) {
        const std::vector<float> gradient = gradient_of(model, p);
        std::vector<float> value = value_of(model, p);
        CHECK(gradient.size() == value.size());
        const auto changed = [&] { model.write_parameter(p, value.data()); };
        for (size_t i = 0; i < gradient.size(); i += 5)
            CHECK_CLOSE(gradient[i], slope(&value[i], changed), 2e-2, model.parameters()[p].name + std::to_string(i));
    }
    model.forward({x});
    model.backward({g});
    CHECK_THROWS_WITH_AS(model.backward({g}), Contains("forward()"), ValueError);
}

std::vector<float> train(int threads, int64_t batch) {
    set_num_threads(threads);
    Model model = branched(3);
    const Tensor x = random_tensor({7, 5, 6, 2}, 1), y = random_tensor({7, 90}, 2);
    Trainer trainer(model, std::make_shared<naive::Descent>(0.02), {std::make_shared<naive::SquaredError>()}, {}, 5);
    trainer.bind({{x}, {y}, {}});
    double first = 0, last = 0;
    for (int step = 0; step < 12; ++step) {
        last = 0;
        for (int64_t at = 0; at < 7; at += batch) {
            const int64_t count = std::min<int64_t>(batch, 7 - at);
            last += trainer.train_step(nullptr, at, count) * static_cast<double>(count);
        }
        if (step == 0) first = last;
    }
    CHECK(last < 0.9 * first);
    set_num_threads(1);
    return values_of(model);
}

TEST_CASE("results have the same bits for any number of threads") {
    for (int64_t batch : {7, 3}) {
        const std::vector<float> one = train(1, batch);
        for (int threads : {2, 3, 4, 8}) CHECK(train(threads, batch) == one);
    }
}

TEST_CASE("predictions do not depend on the size of batches") {
    Model model = branched(4);
    const Tensor x = random_tensor({9, 5, 6, 2}, 8);
    const Tensor all = std::move(model.predict({x}, 9)[0]);
    for (int64_t size : {1, 2, 4, 100}) {
        const Tensor some = std::move(model.predict({x}, size)[0]);
        CHECK(std::equal(all.data(), all.data() + all.size(), some.data()));
    }
    const auto node = model.node_gradients({x}, {random_tensor({9, 90}, 3)}, {1, 2});
    CHECK(node.values.size() == 2);
    CHECK(node.gradients[0].shape() == (Shape{9, 5, 6, 2}));
    CHECK_THROWS_WITH_AS(model.predict({random_tensor({9, 60}, 8)}), Contains("reshape it to (9, 5, 6, 2)"),
                         ValueError);
    CHECK_THROWS_WITH_AS(model.predict({random_tensor({0, 5, 6, 2}, 8)}), Contains("empty batch"), ValueError);
}

TEST_CASE("frozen layers do not change") {
    Model model = branched(4);
    model.set_trainable("shared", false);
    const Tensor x = random_tensor({3, 5, 6, 2}, 1), y = random_tensor({3, 90}, 2);
    const std::vector<float> before = value_of(model, 0), other = value_of(model, 1);
    Trainer trainer(model, std::make_shared<naive::Descent>(0.02), {std::make_shared<naive::SquaredError>()}, {}, 5);
    trainer.bind({{x}, {y}, {}});
    trainer.train_step(nullptr, 0, 3);
    CHECK(before == value_of(model, 0));
    CHECK(other[0] != value_of(model, 1)[0]);
}

// Random lifetimes: no two storages that live at the same time overlap, but for a haloed map none of another geometry
// ever.
TEST_CASE("tensors that are alive at the same time do not overlap") {
    check::Random random(11);
    for (int round = 0; round < 200; ++round) {
        std::vector<Storage> all(static_cast<size_t>(random.integer(1, 30)));
        size_t total = 0;
        for (Storage& s : all) {
            s.bytes = static_cast<size_t>(random.integer(1, 500));
            s.use(static_cast<int>(random.integer(0, 20)));
            s.use(s.first + static_cast<int>(random.integer(0, 6)));
            s.forever = random.integer(0, 9) == 0;
            if (random.integer(0, 2) == 0) {
                const int64_t kind = random.integer(1, 2);
                s.map = {kind, 1, 1, 1};
                s.halo = {1, 1, 1, 1};
                s.bytes = static_cast<size_t>(100 * kind);
            }
            total += (s.bytes + 63) / 64 * 64;
        }
        const ArenaSizes sizes = lay_out(all, round % 2 ? 8192 : 0);
        CHECK(sizes.own + sizes.shared <= total);
        for (size_t i = 0; i < all.size(); ++i) {
            const size_t size = all[i].forever ? sizes.own : sizes.shared;
            CHECK(all[i].offset % 64 == 0);
            CHECK(all[i].offset + all[i].bytes <= size);
            for (size_t j = 0; j < i; ++j) {
                if (all[i].forever != all[j].forever) continue;  // in different arenas
                const bool apart =
                    all[i].offset + all[i].bytes <= all[j].offset || all[j].offset + all[j].bytes <= all[i].offset;
                const bool same_time = all[i].first <= all[j].last && all[j].first <= all[i].last;
                const bool must = same_time || all[i].forever || all[j].forever || !all[i].same_geometry(all[j]);
                if (all[i].halo.empty() && all[j].halo.empty() && !all[i].forever && !all[j].forever) {
                    if (same_time) CHECK(apart);
                } else if (must) {
                    CHECK(apart);
                }
            }
        }
    }
}

// Plans take turns in one workspace, and leave nothing behind for each other.
TEST_CASE("plans use one workspace in turn") {
    Model model = branched(3);
    Parameters& parameters = model.state().parameters;
    const Tensor x = random_tensor({7, 5, 6, 2}, 4);
    std::vector<std::unique_ptr<Plan>> plans;
    Workspace shared;
    size_t largest = 0;
    for (const int64_t batch : {3, 7, 1, 5}) {
        PlanRequest request;
        request.batch = batch;
        request.outputs = model.graph().outputs;
        plans.push_back(build_plan(model.graph(), parameters, request));
        largest = std::max(largest, plans.back()->arena_bytes());
    }
    for (int round = 0; round < 3; ++round)
        for (const auto& plan : plans) {
            const int64_t batch = plan->request().batch;
            Tensor out({batch, 90});
            plan->use(shared);
            CHECK(shared.arena.size() <= largest);
            std::fill_n(shared.arena.data() + shared.arena.size() - 64, 64, std::byte{0xff});
            plan->data.outputs[0] = out.data();
            plan->data.inputs[0] = {x.data(), DType::float32};
            plan->run(Plan::gather, Plan::end, 0, 0);
            const Tensor alone = std::move(branched(3).predict({Array(x)}, 7)[0]);
            CHECK(std::equal(out.data(), out.data() + out.size(), alone.data()));
        }
    CHECK(shared.arena.size() > 0);
    drop_idle(plans, 1, shared);
    CHECK(plans.size() == 4);  // small ones are kept
    for (int i = 0; i < 8; ++i) plans.push_back(build_plan(model.graph(), parameters, plans[0]->request()));
    drop_idle(plans, 1, shared);
    REQUIRE(plans.size() == 8);
    CHECK(plans[0]->request().batch == 3);
}

TEST_CASE("the measured size of a plan is the size that it allocates") {
    for (const bool training : {false, true}) {
        Model model = branched(3);
        PlanRequest request = model.state().request(7);
        request.training = request.backward = training;
        Parameters& parameters = model.state().parameters;
        const size_t measured = measure_plan(model.graph(), parameters, request);
        CHECK(!parameters.has_gradients());
        CHECK(measured == build_plan(model.graph(), parameters, request)->arena_bytes());
        CHECK(measured == model.arena_bytes(7, training));
    }
}

}  // namespace
