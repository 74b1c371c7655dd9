// An exchange that Python implements, over mpi4py or another library: it takes the GIL for each of its calls.
#pragma once

#include <string>
#include <vector>

#include "bindings.hpp"

namespace striate::bindings {

// striate.distributed.DistributedError.
py::handle distributed_error();

// The object has rank, size, name, gather(mine, all), begin(send, receive), done(ticket) and wait(ticket); parts are
// (memoryview of bytes, peer). Made and destroyed with the GIL.
class PythonExchange : public Exchange {
  public:
    explicit PythonExchange(py::object object);

    int rank() const override { return rank_; }
    int size() const override { return size_; }
    std::string name() const override { return name_; }
    void gather(const void* mine, size_t bytes, void* all) override;
    int begin(const std::vector<Part>& send, const std::vector<Part>& receive) override;
    bool done(int ticket) override;
    void wait(int ticket) override;

  private:
    py::object object_;
    int rank_, size_;
    std::string name_;
};

}  // namespace striate::bindings
