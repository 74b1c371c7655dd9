#include "kernels/gemm_tile.hpp"

namespace striate::kernels::STRIATE_ISA {

constinit const TileTable transposed_tiles = make_tiles<Walk::transposed>();

}  // namespace striate::kernels::STRIATE_ISA
