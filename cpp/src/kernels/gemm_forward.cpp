#include "kernels/gemm_tile.hpp"

namespace striate::kernels::STRIATE_ISA {

constinit const TileTable forward_tiles = make_tiles<Walk::forward>();

}  // namespace striate::kernels::STRIATE_ISA
