#include "kernels/args_detection.hpp"
#include "kernels/args_loss.hpp"
#include "kernels/simd.hpp"

namespace striate::kernels::STRIATE_ISA {

void loss_normaliser(const LossNormaliserArgs& a, int64_t, int64_t) {
    double counted = 0;
    for (int64_t i = 0; i < a.size; ++i) counted += a.counts[i];
    a.out[0] = counted > 0 ? static_cast<double>(a.rows) / counted : 0.0;
    a.out[1] = counted;
}

void loss_merge(const LossMergeArgs& a, int64_t, int64_t) {
    double total = 0;
    for (int64_t i = 0; i < a.size; ++i) total += a.sums[i];
    a.out[0] = total;
    a.out[1] = a.normaliser ? a.normaliser[1] : static_cast<double>(a.rows);
    if (!a.bad) return;
    *a.first_bad = -1;
    for (int64_t i = 0; i < a.size && *a.first_bad < 0; ++i) *a.first_bad = a.bad[i];
}

void detection_merge(const DetectionMergeArgs& a, int64_t, int64_t) {
    double total = 0, answering = 0;
    for (int64_t i = 0; i < a.size; ++i) total += a.sums[i];
    for (int64_t i = 0; i < a.n; ++i) answering += a.counts[i];
    a.out[0] = total * (answering > 1.0 ? answering : 1.0);
    a.out[1] = answering;
}

}  // namespace striate::kernels::STRIATE_ISA
