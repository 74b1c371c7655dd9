// The instruction set of CONTRIBUTING.md, in the library's dispatcher with that row added: it is chosen on a CPU that
// has it, its own kernel is called, and all other kernels are those of its base.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "check.hpp"
#include "striate/runtime.hpp"
#include "striate/striate.hpp"

using namespace striate;
using kernels::Table;

namespace {

const Table* find(const std::vector<dispatch::Implementation>& all, const char* isa) {
    for (const dispatch::Implementation& candidate : all)
        if (std::strcmp(candidate.table->isa, isa) == 0) return candidate.table;
    return nullptr;
}

// How many kernels two tables share, and how many there are.
struct Rows {
    int common = 0, all = 0;
};
Rows compare(const Table& a, const Table& b) {
    Rows rows;
#define STRIATE_KERNEL(name, Args) rows.common += a.name == b.name, ++rows.all;
#include "kernels/kernels.inc"
#undef STRIATE_KERNEL
    return rows;
}

Tensor predicted(const char* isa) {
    dispatch::replace_table(*find(dispatch::implementations(), isa));
    const Symbol x = input({9, 7, 3});
    Conv2DOptions options;
    options.filters = 21;
    options.kernel_size = {3, 3};
    Model model({x}, {apply(std::make_shared<const Conv2D>(options, "conv"), {x})}, 7);
    Tensor values({2, 9, 7, 3});
    check::Random random(1);
    for (int64_t i = 0; i < values.size(); ++i) values.data()[i] = static_cast<float>(random.normal());
    return std::move(model.forward({values})[0]);
}

}  // namespace

TEST_CASE("the instruction set of CONTRIBUTING.md") {
    unsetenv("STRIATE_ISA");
    const Table *over = find(dispatch::implementations(), "avx2w"), *base = find(dispatch::implementations(), "avx2");
    REQUIRE(over);
    REQUIRE(base);
    const Rows rows = compare(*over, *base);
    CHECK(rows.common == rows.all - 1);
    CHECK((over->fill != base->fill));
    CHECK(over->vector_width == base->vector_width);
    const Table* inference = find(dispatch::inference_implementations(), "avx2w");
    REQUIRE(inference);
    CHECK((inference->fill == over->fill && inference->conv == base->conv && !inference->element_loss));

    const std::vector<std::string> names = dispatch::available_isas();
    const bool runs = std::find(names.begin(), names.end(), "avx2") != names.end();
    CHECK(runs == (std::find(names.begin(), names.end(), "avx2w") != names.end()));
    if (!runs) return;
    CHECK(names.front() == "avx2w");
    CHECK(runtime_info().isa == "avx2w");
    float filled[21] = {};
    over->fill({{1, 1, 1, 20, 20, 20, 20}, filled, 3.0f}, 0, 1);
    CHECK(std::count(filled, filled + 20, 3.0f) == 20);
    CHECK(filled[20] == 0.0f);
    dispatch::use_training_kernels();
    CHECK(&dispatch::kernels() == over);

    const Tensor got = predicted("avx2w"), want = predicted("avx2");
    REQUIRE(got.size() > 0);
    CHECK(std::memcmp(got.data(), want.data(), sizeof(float) * static_cast<size_t>(got.size())) == 0);
}
