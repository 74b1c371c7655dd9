// Python's arguments to the core's and back.
#include "bindings.hpp"

namespace striate::bindings {
namespace {

std::string type_name(py::handle value) {
    return py::str(py::type::handle_of(value).attr("__name__"));
}

bool is_bool(py::handle value) {
    return PyBool_Check(value.ptr()) || type_name(value) == "bool_";
}

bool is_integer(py::handle value) {
    return !is_bool(value) && PyIndex_Check(value.ptr());
}

// NumPy's scalars among them, but not its arrays.
bool is_number(py::handle value) {
    return is_integer(value) || PyFloat_Check(value.ptr()) ||
           (py::hasattr(value, "__float__") && !py::hasattr(value, "__len__"));
}

int64_t to_integer(py::handle value, const std::string& where) {
    py::object number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
    if (!number) throw py::error_already_set();
    int overflow = 0;
    const long long result = PyLong_AsLongLongAndOverflow(number.ptr(), &overflow);
    require(overflow == 0, where, " is too large: ", std::string(py::str(number)));
    return result;
}

double to_double(py::handle value) {
    const double result = PyFloat_AsDouble(value.ptr());
    if (result == -1.0 && PyErr_Occurred()) throw py::error_already_set();
    return result;
}

ConfigValue to_list(py::handle value, const std::string& where) {
    std::vector<py::object> items;
    bool integers = true;
    for (py::handle item : py::iter(value)) {
        if (!is_number(item)) throw TypeError(concat(where, " must hold numbers, got ", type_name(item)));
        integers = integers && is_integer(item);
        items.push_back(py::reinterpret_borrow<py::object>(item));
    }
    if (integers) {
        std::vector<int64_t> numbers;
        for (const py::object& item : items) numbers.push_back(to_integer(item, where));
        return numbers;
    }
    std::vector<double> numbers;
    for (const py::object& item : items) numbers.push_back(to_double(item));
    return numbers;
}

ConfigValue to_value(py::handle value, const std::string& owner, const std::string& name) {
    const std::string where = concat("[", owner, "] ", name);
    if (value.is_none()) return {};
    if (is_bool(value)) return PyObject_IsTrue(value.ptr()) == 1;
    if (is_integer(value)) return to_integer(value, where);
    if (PyUnicode_Check(value.ptr())) return value.cast<std::string>();
    if (is_number(value)) return to_double(value);
    if (PyDict_Check(value.ptr())) return std::make_shared<const Config>(to_config(value.cast<py::dict>(), owner));
    if (py::hasattr(value, "__iter__")) return to_list(value, where);
    throw TypeError(concat(where, " must be a number, a string or a list of numbers, got ", type_name(value)));
}

struct ToPython {
    py::object operator()(Null) const { return py::none(); }
    py::object operator()(bool value) const { return py::bool_(value); }
    py::object operator()(int64_t value) const { return py::int_(value); }
    py::object operator()(double value) const { return py::float_(value); }
    py::object operator()(const std::string& value) const { return py::str(value); }
    py::object operator()(const std::vector<int64_t>& value) const { return to_tuple(value); }
    py::object operator()(const std::vector<double>& value) const {
        py::tuple result(value.size());
        for (size_t i = 0; i < value.size(); ++i) result[i] = py::float_(value[i]);
        return result;
    }
    py::object operator()(const ConfigPtr& value) const { return value ? py::object(to_dict(*value)) : py::none(); }
};

}  // namespace

Config to_config(const py::dict& arguments, const std::string& owner) {
    Config config;
    for (const auto& [key, value] : arguments) {
        const std::string name = py::str(key);
        config.set(name, to_value(value, owner, name));
    }
    return config;
}

py::dict to_dict(const Config& config) {
    py::dict result;
    for (const auto& [name, value] : config.entries()) result[py::str(name)] = std::visit(ToPython(), value);
    return result;
}

}  // namespace striate::bindings
