// A block's part of a product of matrices: 16 x 16 threads, each with a small matrix of sums in registers.
#pragma once

#include "device.cuh"

namespace striate::cuda {

template <int kRows, int kCols>
class ProductTile {
  public:
    static constexpr int kDepth = 16;  // of the sum, that is in shared memory at a time

    struct alignas(16) Memory {
        float a[kDepth][kRows + 4];  // so that threads which store a column meet different banks
        float b[kDepth][kCols + 4];
    };

    // Adds the products of what is in memory, one place of the sum after the other.
    STRIATE_DEVICE void add(const Memory& memory) {
#pragma unroll
        for (int k = 0; k < kDepth; ++k) {
            float a[kTileRows], b[kTileCols];
#pragma unroll
            for (int i = 0; i < kTileRows; ++i) a[i] = memory.a[k][row() * kTileRows + i];
#pragma unroll
            for (int j = 0; j < kTileCols; ++j) b[j] = memory.b[k][col() * kTileCols + j];
#pragma unroll
            for (int i = 0; i < kTileRows; ++i)
#pragma unroll
                for (int j = 0; j < kTileCols; ++j) sums_[i][j] = fmaf(a[i], b[j], sums_[i][j]);
        }
    }

    // f(row, column, sum) for each of the thread's sums.
    template <class F>
    STRIATE_DEVICE void each(F f) const {
#pragma unroll
        for (int i = 0; i < kTileRows; ++i)
#pragma unroll
            for (int j = 0; j < kTileCols; ++j) f(row() * kTileRows + i, col() * kTileCols + j, sums_[i][j]);
    }

  private:
    static constexpr int kTileRows = kRows / 16, kTileCols = kCols / 16;
    static STRIATE_DEVICE int row() { return threadIdx.x / 16; }
    static STRIATE_DEVICE int col() { return threadIdx.x % 16; }
    float sums_[kTileRows][kTileCols] = {};
};

}  // namespace striate::cuda
