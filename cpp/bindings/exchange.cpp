#include "exchange.hpp"

#include <utility>

namespace striate::bindings {
namespace {

// Calls Python; what it raises becomes a DistributedError, since the core's threads can hold no Python exception.
template <class Call>
auto calling(const Call& call) {
    const WithGil gil;
    std::string message;
    try {
        return call();
    } catch (py::error_already_set& error) {
        message = py::str(error.value()).cast<std::string>();
        if (!error.matches(distributed_error())) {
            const std::string type = py::str(error.type().attr("__name__")).cast<std::string>();
            message = message.empty() ? type : type + ": " + message;
        }
    }
    throw DistributedError(message);
}

py::list views(const std::vector<Exchange::Part>& parts) {
    py::list list;
    for (const Exchange::Part& part : parts) {
        const auto bytes = static_cast<py::ssize_t>(part.size) * static_cast<py::ssize_t>(sizeof(float));
        list.append(py::make_tuple(py::memoryview::from_memory(part.data, bytes), part.peer));
    }
    return list;
}

}  // namespace

PythonExchange::PythonExchange(py::object object) : object_(std::move(object)) {
    rank_ = object_.attr("rank").cast<int>();
    size_ = object_.attr("size").cast<int>();
    name_ = object_.attr("name").cast<std::string>();
}

void PythonExchange::gather(const void* mine, size_t bytes, void* all) {
    calling([&] {
        const auto each = static_cast<py::ssize_t>(bytes);
        object_.attr("gather")(py::memoryview::from_memory(mine, each), py::memoryview::from_memory(all, each * size_));
    });
}

int PythonExchange::begin(const std::vector<Part>& send, const std::vector<Part>& receive) {
    return calling([&] { return object_.attr("begin")(views(send), views(receive)).cast<int>(); });
}

bool PythonExchange::done(int ticket) {
    return calling([&] { return object_.attr("done")(ticket).cast<bool>(); });
}

void PythonExchange::wait(int ticket) {
    calling([&] { object_.attr("wait")(ticket); });
}

}  // namespace striate::bindings
