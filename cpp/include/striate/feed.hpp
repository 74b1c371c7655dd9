// Batches of changed images, made by a thread while the step before runs.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "striate/augmentation.hpp"
#include "striate/trainer.hpp"

namespace striate STRIATE_API {

// What an array does when the images move.
enum class Follows {
    nothing,
    // A map of the images' height and width, (N, H, W) or (N, H, W, C): every pixel takes the nearest one's value; what
    // comes in from outside with FillMode::constant is 0.
    pixels,
    // float32 (N, M, K), K >= 5: x1, y1, x2, y2 in pixels, a class, and what else belongs to a box. The class -1 is no
    // box; -2 - class, one that a loss ignores. Boxes of which too little is left go, those that stay move up, and what
    // is free after them has class -1.
    boxes,
};

// Takes rows of a data set's arrays, changes the images and what follows them, and lays each batch into one of two
// buffers while the caller works on the other:
//
//     trainer.bind(feed.buffers());
//     feed.begin(order.data(), order.size(), epoch);
//     for (int64_t at = 0; at < rows; at += batch) trainer.train_step(nullptr, feed.next(), std::min(batch, rows -
//     at));
//
// A batch depends on the change's seed, the epoch and the rows, never on threads. A caller that comes too early makes
// the rest of the batch along with the thread. After a fork, the child's calls make all of it.
class Feed {
  public:
    // One input, (N, H, W, C) of uint8 or float32, whose images are changed. `targets` and `weights` have one for each
    // of the data's; an array without data is passed over. The data are borrowed and must outlive the feed. With boxes,
    // FillMode::automatic is FillMode::constant. Throws ValueError for shapes that do not fit, and for
    // FillMode::reflect or wrap with boxes.
    Feed(const Dataset& data, int64_t batch, const Augmentation& change, const std::vector<Follows>& targets,
         const std::vector<Follows>& weights = {}, double least_visible = 0.3);
    ~Feed();
    Feed(const Feed&) = delete;
    Feed& operator=(const Feed&) = delete;

    // Two batches, one after the other. They hold rows of the data from the start, and stay where they are.
    const Dataset& buffers() const;

    // An epoch that takes these rows in this order; the thread begins with the first batch. An epoch before it that was
    // left in the middle is given up.
    void begin(const int64_t* order, int64_t count, uint64_t epoch);
    // Waits for the next batch of the epoch; returns its first row in `buffers`. The batch before is overwritten from
    // then on. Allocates nothing.
    int64_t next();
    // Ends the thread. The buffers stay; there are no more epochs.
    void close();
    // Seconds that calls of next() have taken.
    double waited() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace striate STRIATE_API
