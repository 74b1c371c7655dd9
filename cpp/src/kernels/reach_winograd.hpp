// What the kernels of Winograd's convolution touch; see reach.hpp.
#pragma once

#include "kernels/reach.hpp"

namespace striate::kernels {

// One matrix of `rows` x `columns` for each point.
inline Reach matrices(int64_t rows, int64_t columns, int64_t point) {
    return first(rows * columns).times(kWinogradPoints, point);
}
// Windows may reach over the edge, but nothing outside of the rows and columns given is read.
inline Reach map_of(const WinogradMapArgs& a) {
    const View& v = a.view;
    return first(v.c)
        .times(a.col_end - a.col_begin, v.pixel)
        .times(a.row_end - a.row_begin, v.row)
        .from(a.row_begin * v.row + a.col_begin * v.pixel)
        .times(v.n, v.image);
}
template <class V>
void reach(const WinogradMapArgs& a, V& visit) {
    visit(a.x, map_of(a));
    visit(a.out,
          panels(a.view.c, a.panel, a.panel_step).times(a.tiles.count, a.t_step).times(kWinogradPoints, a.point));
}
template <class V>
void reach(const WinogradTransformsArgs& a, V& visit) {
    reach(a.input, visit);
    reach(a.gradient, visit);
}
inline Reach weights_of(const WinogradWeightsArgs& a) {
    return first(a.panel)
        .times(a.channels / a.panel, a.s_panel)
        .times(a.depth, a.s_depth)
        .times(3, a.s_col)
        .times(3, a.s_row);
}
template <class V>
void reach(const WinogradWeightsArgs& a, V& visit) {
    visit(a.src, weights_of(a));
    visit(a.dst, matrices(a.depth, a.channels, a.point));
}
template <class V>
void reach(const WinogradProductArgs& a, V& visit) {
    visit(a.a, matrices(a.rows, a.depth, a.a_point));
    visit(a.b, matrices(a.depth, a.channels, a.b_point));
    visit(a.c, matrices(a.rows, a.channels, a.c_point));
}
// The end of a convolution of so many channels, of which the view may have a panel.
template <class V>
void reach_of_end(const WinogradOutputArgs& a, int64_t channels, V& visit) {
    View view = a.view;
    view.c = channels;
    visit(a.y, all(view));
    visit.optional(a.bias, first(channels));
    visit.optional(a.places, first(channels).times(pixels(view), a.place_step));
}
template <class V>
void reach(const WinogradOutputArgs& a, V& visit) {
    reach_of_end(a, a.view.c, visit);
    visit(a.m, matrices(a.tiles.count, a.view.c, a.point));
}
template <class V>
void reach(const WinogradArgs& a, V& visit) {
    visit(a.input.x, map_of(a.input));
    visit(a.product.b, matrices(a.product.depth, a.product.channels, a.product.b_point));
    reach_of_end(a.output, a.product.channels, visit);
}
template <class V>
void reach(const WinogradStreamedArgs& a, V& visit) {
    visit(a.product.a, matrices(a.product.rows, a.product.depth, a.product.a_point));
    if (a.packs) {
        visit(a.pack.src, weights_of(a.pack));
    } else {
        visit(a.weights.src, weights_of(a.weights));
    }
    reach_of_end(a.output, a.product.channels, visit);
}
inline Reach turned(const WinogradWeightProductArgs& a) {
    return first(a.panel)
        .times(a.tiles, a.panel)
        .times(a.channels / a.panel, a.z_tiles * a.panel)
        .times(kWinogradPoints, a.z_point);
}
template <class V>
void reach(const WinogradWeightProductArgs& a, V& visit) {
    visit(a.v, matrices(a.tiles, a.depth, a.v_point));
    visit(a.z, turned(a));
    visit(a.du, matrices(a.depth, a.channels, a.du_point));
}
template <class V>
void reach(const WinogradToWeightsArgs& a, V& visit) {
    visit(a.input.x, map_of(a.input));
    visit(a.gradient.x, map_of(a.gradient));
    visit(a.du, matrices(a.product.depth, a.product.channels, a.product.du_point)
                    .times(a.pieces, kWinogradPoints * a.product.du_point));
}
template <class V>
void reach(const WinogradWeightsStreamedArgs& a, V& visit) {
    visit(a.product.v, matrices(a.product.tiles, a.product.depth, a.product.v_point));
    visit(a.product.z, turned(a.product));
    visit(a.dw, first(9 * a.product.depth * a.product.channels));
}
template <class V>
void reach(const WinogradWeightGradArgs& a, V& visit) {
    visit(a.du, matrices(a.depth, a.channels, a.point).times(a.pieces, kWinogradPoints * a.point));
    visit(a.dw, first(9 * a.depth * a.channels));
}

}  // namespace striate::kernels
