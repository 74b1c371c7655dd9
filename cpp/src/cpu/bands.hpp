// A chain of steps that is computed in bands: some rows of its last map at a time. Of the maps between the steps a
// thread keeps a window of rows in its scratch memory, which stays in the near cache; they are never stored as a whole.
#pragma once

#include <memory>
#include <vector>

#include "kernels/rows.hpp"
#include "planning/kernel_call.hpp"
#include "striate/plan.hpp"

namespace striate {

// One call of a chain. It reads the map that the call before it makes, unless it is `beside`: it makes then, from a map
// outside the chain, what the call behind it adds its result to.
struct BandCall {
    std::shared_ptr<const KernelCall> call;
    TensorId x, y;
    View view_x, view_y;
    Halo halo_x;
    RowMap rows;
    bool beside = false;
};

// Whether the call can compute some rows of an image alone.
bool fits_bands(const BandCall& call);

class Bands {
  public:
    // At most kMaxCalls calls, which all fit; the windows may have `near_bytes` in all.
    Bands(std::vector<BandCall> calls, size_t near_bytes);

    static constexpr size_t kMaxCalls = 12;

    // Whether bands of at least one row have windows of at most `near_bytes`.
    bool fits() const { return height_ > 0; }
    int64_t units() const;
    size_t scratch() const { return scratch_; }

    // Unit = band; bands of an image follow each other.
    void run(const Frame& frame, int64_t begin, int64_t end, std::byte* scratch) const;

  private:
    // Between a call and the next: rows of the map that the first one makes.
    struct Window {
        int64_t rows = 0;
        size_t offset = 0;  // of its first pixel inside the halo, in bytes of the scratch memory
    };
    struct State;

    // The call that makes the map which a call behind the first one reads.
    size_t maker_of(size_t reader) const { return reader - (calls_[reader - 1].beside ? 2 : 1); }
    size_t windows_for(int64_t height, std::vector<Window>& windows) const;
    void clear_halos(std::byte* scratch) const;
    void run_band(const Frame& frame, int64_t image, int64_t first, int64_t last, State* states,
                  std::byte* scratch) const;
    void run_call(const Frame& frame, size_t index, int64_t image, int64_t first, int64_t last, const State* states,
                  std::byte* scratch) const;

    std::vector<BandCall> calls_;
    std::vector<kernels::Invoke> invoke_;
    std::vector<Window> windows_;  // by call, of what it makes; none for the last one and those beside
    int64_t height_ = 0;           // rows of a band
    size_t scratch_ = 0;
};

}  // namespace striate
