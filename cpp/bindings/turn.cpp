// Exclusive use of an object, for `with` statements. threading.Lock will not do where an interrupt may come at any
// time: between taking it and the block that gives it back, or before the call that gives it back.
#include <atomic>
#include <stdexcept>

#include "whole_class.hpp"

namespace striate::bindings {
namespace {

using Flag = std::shared_ptr<std::atomic<bool>>;

// Gives the turn back at the end of the `with` statement, or when it is freed.
class Taken {
  public:
    explicit Taken(Flag flag) : flag_(std::move(flag)), holds_(!flag_->exchange(true)) {}
    ~Taken() { give_back(); }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;

    bool holds() const { return holds_; }
    void give_back() {
        if (holds_) *flag_ = false;
        holds_ = false;
    }

  private:
    Flag flag_;
    bool holds_;
};

class Turn {
  public:
    explicit Turn(std::string refusal) : refusal_(std::move(refusal)) {}

    std::unique_ptr<Taken> take_if_free() const { return std::make_unique<Taken>(flag_); }
    std::unique_ptr<Taken> take() const {
        std::unique_ptr<Taken> taken = take_if_free();
        if (!taken->holds()) throw std::runtime_error(refusal_);
        return taken;
    }

  private:
    Flag flag_ = std::make_shared<std::atomic<bool>>(false);
    std::string refusal_;
};

}  // namespace

void register_turn(py::module_& m) {
    whole_class<Taken>(m, "Taken")
        .def("__enter__", &Taken::holds)
        .def("__exit__",
             [](Taken& taken, const py::object&, const py::object&, const py::object&) { taken.give_back(); });
    whole_class<Turn>(m, "Turn")
        .def(py::init([](std::string refusal) { return std::make_unique<Turn>(std::move(refusal)); }),
             py::arg("refusal"))
        .def("take", &Turn::take)
        .def("take_if_free", &Turn::take_if_free);
}

}  // namespace striate::bindings
