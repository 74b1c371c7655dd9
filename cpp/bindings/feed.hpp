// A feed of changed batches, with the arrays that it takes them from.
#pragma once

#include "numpy.hpp"
#include "striate/feed.hpp"

namespace striate::bindings {

class BoundFeed {
  public:
    using Some = std::vector<std::optional<py::array>>;

    BoundFeed(std::vector<py::array> inputs, Some targets, Some weights, int64_t batch, const Augmentation& change,
              const std::vector<std::string>& follows, const std::vector<std::string>& weights_follow,
              double least_visible);

    void begin(const py::array& order, uint64_t epoch);
    int64_t next() { return feed_->next(); }
    double waited() const { return feed_->waited(); }
    const Dataset& buffers() const { return feed_->buffers(); }
    void close() { feed_->close(); }

  private:
    std::vector<py::array> inputs_;
    Some targets_, weights_;
    std::unique_ptr<Feed> feed_;
};

}  // namespace striate::bindings
