// Names with numbers in parentheses, such as "random_normal(0, 0.1)".
#pragma once

#include <string>
#include <vector>

namespace striate {

struct NamedCall {
    std::string text, owner, what;  // as given, and for messages: "[dense] initializer 'constant(x)' ..."
    std::string name;               // before the parentheses, in snake_case: Keras's class names are taken as well
    std::vector<double> arguments;
    bool called = false;  // whether there are parentheses

    // Throws ValueError with the name and this text.
    [[noreturn]] void refuse(const std::string& why) const;
};

// The name alone. Arguments are read by read_arguments(), once it is known that the name is right.
NamedCall named_call(const std::string& text, const std::string& owner, const std::string& what);
// Throws ValueError for anything but numbers, at most `most` of them.
void read_arguments(NamedCall& call, int most);

}  // namespace striate
