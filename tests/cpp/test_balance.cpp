// The choice between one thread and all, on machines that exist on paper.
#include "cpu/balance.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "check.hpp"

using striate::Balance;

namespace {

constexpr double kMs = 1e-3;

struct Spent {
    double seconds = 0, alone = 0;  // as chosen, and if every run had been on one thread
    int shared = 0, runs = 0;
};

// Runs for a while; `together` and `alone` say what a run takes, by its number.
Spent run(Balance& balance, double seconds, const std::function<double(int)>& together,
          const std::function<double(int)>& alone) {
    Spent spent;
    while (spent.seconds < seconds) {
        const bool shared = balance.shared();
        const double took = shared ? together(spent.runs) : alone(spent.runs);
        balance.took(took);
        spent.seconds += took;
        spent.alone += alone(spent.runs);
        spent.shared += shared;
        ++spent.runs;
    }
    return spent;
}

std::function<double(int)> always(double seconds) {
    return [=](int) { return seconds; };
}

TEST_CASE("threads are used on free cores") {
    for (const int threads : {2, 16, 64})
        for (const double one : {0.2, 5.0, 400.0}) {
            Balance balance(threads, one * kMs);
            const double together = one / (0.8 * threads) * kMs;
            CHECK(balance.shared());
            const Spent spent = run(balance, 3000 * one * kMs, always(together), always(one * kMs));
            CHECK(spent.seconds < 1.05 * together * spent.runs);
            CHECK(spent.shared > 0.97 * spent.runs);
        }
}

TEST_CASE("one thread is used while other processes hold the cores") {
    // Fifty times slower on two threads than on one: few runs until that is known, and less than 5 % from then on.
    Balance balance(2, 0.1 * kMs);
    const Spent before = run(balance, 0.2, always(5 * kMs), always(0.1 * kMs));
    CHECK(before.shared <= 4);
    CHECK(!balance.shared());
    const Spent spent = run(balance, 20.0, always(5 * kMs), always(0.1 * kMs));
    CHECK(spent.seconds < 1.05 * spent.alone);
    CHECK(spent.shared > 0);  // it looks again
}

TEST_CASE("work that is too small for several threads stays on one") {
    Balance balance(2, 0.1 * kMs);
    const Spent spent = run(balance, 5.0, always(0.12 * kMs), always(0.1 * kMs));
    CHECK(spent.seconds < 1.05 * spent.alone);
}

TEST_CASE("a rare long wait of several threads is counted") {
    // Most runs are faster on two threads, but every twentieth takes a turn of the scheduler.
    const auto together = [](int i) { return i % 20 ? 0.06 * kMs : 6 * kMs; };
    Balance balance(2, 0.1 * kMs);
    run(balance, 1.0, together, always(0.1 * kMs));
    const Spent spent = run(balance, 20.0, together, always(0.1 * kMs));
    CHECK(spent.seconds < 1.05 * spent.alone);
}

TEST_CASE("the choice follows the load of the machine") {
    Balance balance(2, 10 * kMs);
    run(balance, 2.0, always(6 * kMs), always(10 * kMs));
    CHECK(balance.shared());
    const Spent held = run(balance, 20.0, always(60 * kMs), always(15 * kMs));
    CHECK(held.seconds < 1.10 * held.alone);
    CHECK(held.shared < 0.05 * held.runs);
    run(balance, 20.0, always(6 * kMs), always(10 * kMs));
    const Spent after = run(balance, 5.0, always(6 * kMs), always(10 * kMs));
    CHECK(after.shared > 0.95 * after.runs);
}

TEST_CASE("a slow first run after a pause does not end the use of threads") {
    // The first run after each pause is slow.
    bool slept = true;
    Balance balance(2, 1 * kMs);
    const auto together = [&](int) { return std::exchange(slept, false) ? 1.5 * kMs : 0.6 * kMs; };
    const auto alone = [&](int) {
        slept = true;
        return 1 * kMs;
    };
    Spent spent;
    for (int i = 0; i < 10000; ++i) {
        const bool shared = balance.shared();
        balance.took(shared ? together(i) : alone(i));
        spent.shared += shared;
    }
    CHECK(spent.shared > 9500);
}

TEST_CASE("several slow runs after a pause do not end the use of threads") {
    // Up to ten slow runs after a pause, and a long one by chance now and then.
    int slow = 10;
    Balance balance(2, 0.06 * kMs);
    Spent spent;
    for (int i = 0; i < 200000; ++i) {
        const bool shared = balance.shared();
        slow = shared ? std::max(0, slow - 1) : std::min(10, slow + 1);
        const bool chance = i % 20000 == 10000;
        balance.took(chance ? 3 * kMs : !shared ? 0.06 * kMs : slow > 0 ? 0.11 * kMs : 0.05 * kMs);
        spent.shared += shared;
    }
    CHECK(spent.shared > 170000);
}

}  // namespace
