#include "named_call.hpp"

#include <algorithm>
#include <cmath>
#include <locale>
#include <sstream>

#include "striate/error.hpp"
#include "striate/layer.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

double parse_number(const std::string& text, const NamedCall& call) {
    std::istringstream stream(text);
    stream.imbue(std::locale::classic());
    double number = 0;
    std::string rest;
    if (!(stream >> number) || stream >> rest || !std::isfinite(number))
        call.refuse("has " + quoted(text) + " where a number is expected");
    return number;
}

}  // namespace

void NamedCall::refuse(const std::string& why) const {
    fail("[", owner, "] ", what, " ", quoted(text), " ", why);
}

NamedCall named_call(const std::string& text, const std::string& owner, const std::string& what) {
    const size_t open = std::min(text.find('('), text.size());
    NamedCall call;
    call.text = text;
    call.owner = owner;
    call.what = what;
    call.name = snake_case(text.substr(0, open));
    call.called = open < text.size();
    return call;
}

void read_arguments(NamedCall& call, int most) {
    if (!call.called) return;
    if (call.text.back() != ')') call.refuse("does not end with ')'");
    const size_t open = call.text.find('(');
    std::istringstream list(call.text.substr(open + 1, call.text.size() - open - 2));
    for (std::string argument; std::getline(list, argument, ',');) {
        if (static_cast<int>(call.arguments.size()) == most) call.refuse(concat("takes ", most, " argument(s)"));
        call.arguments.push_back(parse_number(argument, call));
    }
}

}  // namespace striate
