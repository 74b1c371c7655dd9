// Which steps of a prediction are computed in bands (cpu/bands.hpp): chains of convolutions whose maps between would
// leave the near cache.
#include <algorithm>
#include <numeric>

#include "planning/plan_builder.hpp"

namespace striate {
namespace {

// Weights are read again for each band.
constexpr double kWeights = 256 << 10;

double bytes_of(const View& v) {
    return static_cast<double>(v.n * v.h * v.w * v.c) * sizeof(float);
}

}  // namespace

// The longest chain that begins with this step, with maps of at least so many bytes between its steps; returns the step
// behind it.
size_t PlanBuilder::chain_from(size_t first, double least_bytes, std::vector<BandCall>& calls) const {
    const auto call_of = [&](const ScheduledStep& s, bool beside) {
        BandCall call{s.call, s.reads[0], s.writes[0], {}, {}, {}, s.rows, beside};
        call.view_x = view(call.x), call.view_y = view(call.y);
        call.halo_x = halo(call.x);
        return call;
    };
    const auto possible = [&](size_t i, bool beside) {
        if (i >= steps_.size()) return false;
        const ScheduledStep& s = steps_[i];
        return s.call && s.rows.stride > 0 && s.writes.size() == 1 && !s.for_output && fits_bands(call_of(s, beside));
    };
    // Whether the map that a step makes is for the other one alone.
    const auto between = [&](size_t maker, size_t reader) {
        const TensorId map = steps_[maker].writes[0];
        const TensorInfo& info = tensors_[map.index];
        const Storage& storage = storages_[info.storage];
        return steps_[reader].reads[0] == map && storage.first == static_cast<int>(maker) &&
               storage.last == static_cast<int>(reader) && !storage.outside && !storage.forever &&
               info.pixel == info.shape.back() && bytes_of(view(map)) >= least_bytes;
    };
    const auto reads_map = [&](size_t reader, size_t maker) {
        const std::vector<TensorId>& reads = steps_[reader].reads;
        return std::find(reads.begin(), reads.end(), steps_[maker].writes[0]) != reads.end();
    };
    const auto weight_bytes = [&](const ScheduledStep& s) {
        return std::accumulate(s.reads.begin() + 1, s.reads.end(), 0.0, [&](double sum, TensorId id) {
            return sum + (storages_[tensors_[id.index].storage].outside || storages_[tensors_[id.index].storage].forever
                              ? bytes_of(view(id))
                              : 0.0);
        });
    };
    calls.clear();
    if (!possible(first, false)) return first;
    calls.push_back(call_of(steps_[first], false));
    double weights = weight_bytes(steps_[first]);
    size_t last = first;
    const auto band_bytes = static_cast<size_t>(request_.device->rules().band_bytes);
    while (true) {
        size_t next = last + 1;
        // What the next call adds its result to is made first.
        const bool beside = next + 1 < steps_.size() && possible(next, true) && !reads_map(next, last) &&
                            steps_[next + 1].writes == steps_[next].writes;
        if (beside) ++next;
        if (!possible(next, false) || !between(last, next) || calls.size() + 2 > Bands::kMaxCalls) break;
        weights += weight_bytes(steps_[next]);
        std::vector<BandCall> longer = calls;
        if (beside) longer.push_back(call_of(steps_[next - 1], true));
        longer.push_back(call_of(steps_[next], false));
        if (weights > kWeights || !Bands(longer, band_bytes).fits()) break;
        calls = std::move(longer);
        last = next;
    }
    return last + 1;
}

std::vector<char> PlanBuilder::between_bands() {
    measuring_ = true;
    emit_all();
    std::vector<char> between(network_.values.size(), 0);
    if (!cuts_into_bands()) return between;
    std::vector<BandCall> calls;
    for (size_t i = 0; i < steps_.size();) {
        const size_t behind = chain_from(i, 0.0, calls);
        for (size_t k = 0; k + 1 < calls.size(); ++k)
            for (size_t v = 0; v < between.size(); ++v)
                if (!calls[k].beside && network_.values[v].tensor == calls[k].y) between[v] = 1;
        i = std::max(behind, i + 1);
    }
    return between;
}

bool PlanBuilder::cuts_into_bands() const {
    return request_.device->rules().band_bytes > 0 && !request_.training && !request_.backward &&
           request_.options.fusion;
}

// The maps between have no memory in the arena then, so the lifetimes of all storages are counted anew.
void PlanBuilder::merge_into_bands() {
    if (!cuts_into_bands()) return;
    const Rules rules = request_.device->rules();
    std::vector<ScheduledStep> merged;
    std::vector<size_t> place(steps_.size() + 1);  // by step: where it is then
    std::vector<char> in_chain(steps_.size(), 0);
    std::vector<BandCall> calls;
    for (size_t i = 0; i < steps_.size();) {
        const size_t behind = chain_from(i, rules.band_maps, calls);
        if (behind <= i + 1) {
            place[i] = merged.size();
            merged.push_back(std::move(steps_[i++]));
            continue;
        }
        ScheduledStep chain;
        chain.what = "convolutions in bands";
        chain.pass = steps_[i].pass;
        chain.layer = steps_[i].layer;
        const auto inside = [&](TensorId id) {
            return std::any_of(calls.begin(), calls.end() - 1,
                               [&](const BandCall& call) { return !call.beside && call.y == id; });
        };
        for (; i < behind; ++i) {
            ScheduledStep& s = steps_[i];
            place[i] = merged.size();
            in_chain[i] = 1;
            chain.flops += s.flops;
            for (TensorId id : s.reads)
                if (!inside(id)) chain.reads.push_back(id);
            for (TensorId id : s.writes)
                if (!inside(id)) chain.writes.push_back(id);
        }
        const auto bands = std::make_shared<const Bands>(calls, static_cast<size_t>(rules.band_bytes));
        chain.bytes = traffic(*this, chain.reads, chain.writes);
        chain.units = bands->units();
        chain.scratch = bands->scratch();
        chain.run = [bands](const Frame& frame, int64_t begin, int64_t end, std::byte* scratch) {
            bands->run(frame, begin, end, scratch);
        };
        merged.push_back(std::move(chain));
    }
    if (merged.size() == steps_.size()) return steps_.swap(merged);
    place.back() = merged.size();
    steps_ = std::move(merged);
    for (size_t& section : sections_) section = place[section];
    std::vector<Inplace> inplace;
    for (Inplace wish : inplace_) {
        if (in_chain[static_cast<size_t>(wish.step)]) continue;
        wish.step = static_cast<int>(place[static_cast<size_t>(wish.step)]);
        inplace.push_back(wish);
    }
    inplace_ = std::move(inplace);
    for (Storage& storage : storages_) storage.first = storage.last = -1;
    for (const ScheduledStep& s : prepare_) touch(s, 0);
    for (size_t i = 0; i < steps_.size(); ++i) touch(steps_[i], static_cast<int>(i));
}

}  // namespace striate
