// What the kernels of optimizers touch; see reach.hpp.
#pragma once

#include "kernels/reach.hpp"

namespace striate::kernels {

template <class V>
void reach(const UpdateArgs& a, V& visit) {
    visit(a.pieces, first(a.count));
    visit(a.parameters, first(a.values));
    visit(a.gradients, first(a.size));
    visit.optional(a.slot0, first(a.size));
    visit.optional(a.slot1, first(a.size));
    visit.optional(a.slot2, first(a.size));
    visit(a.scalars, first(at_least_one(a.scalar_count)));  // each rule reads the learning rate
    visit.optional(a.clip_scales, first(a.segments));
    visit.optional(a.penalties, first(a.count));
}
template <class V>
void reach(const GradientSquaresArgs& a, V& visit) {
    visit(a.pieces, first(a.count));
    visit(a.parameters, first(a.values));
    visit(a.gradients, first(a.size));
    visit(a.partials, first(a.count));
}
template <class V>
void reach(const PenaltiesArgs& a, V& visit) {
    visit(a.pieces, first(a.count));
    visit(a.parameters, first(a.values));
    visit(a.penalties, first(a.count));
}
template <class V>
void reach(const ClipScalesArgs& a, V& visit) {
    visit(a.pieces, first(a.count));
    visit(a.partials, first(a.count));
    visit(a.scales, first(a.segments));
}

}  // namespace striate::kernels
