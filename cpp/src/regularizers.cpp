#include "striate/regularizers.hpp"

#include "named_call.hpp"
#include "suggest.hpp"

namespace striate {

// What Keras's regularizers take where they are given no number.
constexpr double kUsual = 0.01;

std::vector<std::string> regularizer_names() {
    return {"l1", "l2", "l1_l2"};
}

Penalty penalty_of(const std::optional<std::string>& regularizer, const std::string& owner) {
    if (!regularizer) return {};
    NamedCall call = named_call(*regularizer, owner, "regularizer");
    const bool both = call.name == "l1_l2";
    require(both || call.name == "l1" || call.name == "l2", "[", owner, "] there is no regularizer ",
            quoted(*regularizer), "; ", suggestion(call.name, regularizer_names()));
    read_arguments(call, both ? 2 : 1);
    for (const double number : call.arguments)
        if (number < 0.0) call.refuse("has a negative number; a penalty is at least 0");
    const auto argument = [&](size_t i) { return i < call.arguments.size() ? call.arguments[i] : kUsual; };
    if (both) return {argument(0), argument(1)};
    return call.name == "l1" ? Penalty{argument(0), 0.0} : Penalty{0.0, argument(0)};
}

}  // namespace striate
