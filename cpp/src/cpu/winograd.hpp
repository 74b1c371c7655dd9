// 3x3 convolutions by Winograd's F(4x4, 3x3): when, and from shapes to kernel arguments. See kernels/args_winograd.hpp.
#pragma once

#include "cpu/convolution.hpp"
#include "kernels/args_winograd.hpp"

namespace striate::convolution {

// Whether the transforms are worth it: a rule on shapes alone.
bool winograd_fits(const Problem& p);

// Whether it is then worth it in a direction that ends in so many images of h x w. Transformed weights are four times
// as large: where they come from memory for one tile alone, reading them takes longer than what is saved.
bool winograd_pays(const Problem& p, int64_t images, int64_t h, int64_t w);

// What of a map of h x w, from its first pixel on, to compute by tiles. The rest, a last row or column or both, is
// better computed by the definition than by tiles of which three quarters and more stick out.
struct Tiled {
    int64_t h, w;
};
Tiled winograd_tiled(int64_t h, int64_t w);

// How a direction is cut into steps. What they have between them are arrays of v_floats, z_floats and so on; a kernel
// with `scratch` gets scratch_floats for each thread.
enum class WinogradWay {
    blocked,   // many tiles: one step, block after block of tiles
    streamed,  // few tiles and large weights, which change from run to run: maps are transformed, then weights on the
               // way
    parts,     // transforms and product are steps of their own
};

// One direction: from a map x to a map y. Pointers to be filled in: pack.src, pack.dst = weights.src unless `direct`,
// when weights.src is the layer's kernel itself; weights.dst = product.b; input.x, output.y, output.bias, and what is
// between the parts. When streamed: winograd_input and then `streamed`, with its product.a, pack.src or weights.src.
struct WinogradLowered {
    WinogradWay way;
    kernels::PackArgs pack;
    bool direct;
    kernels::WinogradWeightsArgs weights;
    kernels::WinogradArgs all;
    kernels::WinogradStreamedArgs streamed;
    int64_t packed_floats, weight_floats, v_floats, m_floats, scratch_floats;
};
// `x_halo` and `dy_halo` are the zeros that there are around the map, which may be none. `weights_stay`: whether what
// is made of the weights serves many runs.
WinogradLowered winograd_forward(const Problem& p, const View& x, const Halo& x_halo, const View& y,
                                 const Machine& machine, bool weights_stay);
WinogradLowered winograd_to_input(const Problem& p, const View& dy, const Halo& dy_halo, const View& dx,
                                  const Machine& machine, bool weights_stay);

// Has a direction that was planned for whole windows of 2 x 2 keep their maxima alone, in a map of this shape.
void winograd_pools(WinogradLowered& l, const View& maxima);

// To weights. Blocked: winograd_to_weights with all.du of du_floats. In parts (`pieces` is 1): for every block of
// tiles, winograd_input, winograd_gradient and winograd_weight_product, `accumulate` but for the first. In the end
// winograd_weight_gradient. Streamed: winograd_input and winograd_gradient of all tiles, then `streamed`.
struct WinogradWeightsLowered {
    WinogradWay way;
    kernels::WinogradToWeightsArgs all;
    kernels::WinogradWeightGradArgs result;
    kernels::WinogradWeightsStreamedArgs streamed;
    int64_t v_floats, z_floats, du_floats, scratch_floats;
};
WinogradWeightsLowered winograd_to_weights(const Problem& p, const View& x, const Halo& x_halo, const View& dy,
                                           const Machine& machine);

}  // namespace striate::convolution
