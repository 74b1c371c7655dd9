#include "graph/tree_sum.hpp"

#include <algorithm>
#include <cstring>

#include "cpu/team.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"

namespace striate {
namespace {

constexpr int64_t kLineFloats = 16;
// Floats that are worth a thread of their own.
constexpr int64_t kFloatsPerThread = 1 << 15;

}  // namespace

Exchange::~Exchange() = default;

std::string Exchange::name() const {
    return concat("rank ", rank());
}

TreeNode TreeNode::left() const {
    int64_t half = 1;
    while (half * 2 < count) half *= 2;
    return {first, half};
}

TreeNode TreeNode::right() const {
    const int64_t half = left().count;
    return {first + half, count - half};
}

std::vector<TreeNode> nodes_within(TreeNode root, int64_t begin, int64_t end) {
    if (begin >= end || root.first >= end || root.first + root.count <= begin) return {};
    if (root.first >= begin && root.first + root.count <= end) return {root};
    std::vector<TreeNode> nodes = nodes_within(root.left(), begin, end);
    const std::vector<TreeNode> right = nodes_within(root.right(), begin, end);
    nodes.insert(nodes.end(), right.begin(), right.end());
    return nodes;
}

int64_t slice_begin(int64_t size, int processes, int process) {
    if (process >= processes) return size;
    return size / kLineFloats * process / processes * kLineFloats;
}

void add(float* to, const float* from, int64_t size) {
    const auto range = [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] += from[i];
    };
    const int threads = static_cast<int>(std::min<int64_t>(get_num_threads(), size / kFloatsPerThread));
    if (threads <= 1) return range(0, size);
    run_in_team(threads, [&](int thread, int count) { range(size * thread / count, size * (thread + 1) / count); });
}

TreeSum::TreeSum(int64_t shards, Exchange* exchange) : shards_(shards) {
    if (exchange) {
        rank_ = exchange->rank();
        processes_ = exchange->size();
    }
    require(processes_ >= 1 && rank_ >= 0 && rank_ < processes_, "an exchange must have 0 <= rank < size, got rank ",
            rank_, " and size ", processes_);
    require(shards >= processes_, "shards must be at least the number of processes, ", processes_, ", got ", shards);
    for (int p = 0; p < processes_; ++p)
        nodes_.push_back(nodes_within({0, shards}, first_shard(p), first_shard(p + 1)));
}

void TreeSum::add_own(float* arena, int64_t size, const std::function<void(int64_t shard)>& leaf) {
    if (size != size_) {
        left_.clear();
        kept_.clear();
        received_ = AlignedBuffer();
        size_ = size;
    }
    arena_ = arena;
    const std::vector<TreeNode>& own = nodes_[static_cast<size_t>(rank_)];
    const size_t bytes = sizeof(float) * static_cast<size_t>(size);
    for (size_t i = 0; i < own.size(); ++i) {
        add_node(own[i], 0, leaf);
        if (i + 1 == own.size()) break;
        if (kept_.size() <= i) kept_.emplace_back(bytes);
        if (bytes > 0) std::memcpy(kept_[i].data(), arena, bytes);
    }
}

void TreeSum::add_node(TreeNode node, size_t depth, const std::function<void(int64_t)>& leaf) {
    if (node.leaf()) return leaf(node.first);
    add_node(node.left(), depth + 1, leaf);
    const size_t bytes = sizeof(float) * static_cast<size_t>(size_);
    while (left_.size() <= depth) left_.emplace_back(bytes);
    if (bytes > 0) std::memcpy(left_[depth].data(), arena_, bytes);
    add_node(node.right(), depth + 1, leaf);
    add(arena_, reinterpret_cast<const float*>(left_[depth].data()), size_);
}

void TreeSum::exchange_nodes(Parts& parts) {
    const int64_t first = begin(rank_), size = begin(rank_ + 1) - first;
    size_t others = 0;
    for (int p = 0; p < processes_; ++p)
        if (p != rank_) others += nodes_[static_cast<size_t>(p)].size();
    const size_t bytes = sizeof(float) * static_cast<size_t>(size) * others;
    if (received_.size() < bytes) received_ = AlignedBuffer(bytes);
    float* to = reinterpret_cast<float*>(received_.data());
    slices_.clear();
    for (int p = 0; p < processes_; ++p) {
        const std::vector<TreeNode>& nodes = nodes_[static_cast<size_t>(p)];
        for (size_t i = 0; i < nodes.size(); ++i) {
            if (p != rank_) {
                slices_.push_back({nodes[i], to});
                parts.add_receive(to, size, p);
                to += size;
                continue;
            }
            float* const data = i + 1 < nodes.size() ? reinterpret_cast<float*>(kept_[i].data()) : arena_;
            slices_.push_back({nodes[i], data + first});
            for (int q = 0; q < processes_; ++q)
                if (q != rank_) parts.add_send(data + begin(q), begin(q + 1) - begin(q), q);
        }
    }
}

// The sum of a node over the own slice, in memory of one of its descendants.
float* TreeSum::add_slices(TreeNode node) {
    const auto found = std::lower_bound(slices_.begin(), slices_.end(), node,
                                        [](const Slice& s, const TreeNode& n) { return s.node.first < n.first; });
    if (found != slices_.end() && found->node.first == node.first && found->node.count == node.count)
        return found->data;
    float *const left = add_slices(node.left()), *const right = add_slices(node.right());
    add(left, right, begin(rank_ + 1) - begin(rank_));
    return left;
}

void TreeSum::add_nodes() {
    const int64_t first = begin(rank_), size = begin(rank_ + 1) - first;
    if (size == 0) return;
    const float* const sum = add_slices({0, shards_});
    if (sum != arena_ + first) std::memcpy(arena_ + first, sum, sizeof(float) * static_cast<size_t>(size));
}

void TreeSum::exchange_sums(Parts& parts) const {
    for (int p = 0; p < processes_; ++p) {
        if (p == rank_) continue;
        parts.add_send(arena_ + begin(rank_), begin(rank_ + 1) - begin(rank_), p);
        parts.add_receive(arena_ + begin(p), begin(p + 1) - begin(p), p);
    }
}

void StateMean::begin(int64_t size, int64_t first_shard, int64_t last_shard) {
    size_ = size, first_ = first_shard, last_ = last_shard;
    kept_.resize(static_cast<size_t>(size * (last_shard - first_shard)));
}

float* StateMean::put(int64_t shard) {
    return own(shard);
}

void StateMean::exchange_states(Parts& parts, const TreeSum& tree, const std::vector<char>& counts) {
    tree_ = &tree;
    const int rank = tree.rank();
    const int64_t at = begin(rank), size = begin(rank + 1) - at;
    received_.resize(static_cast<size_t>(size * (tree.shards() - (last_ - first_))));
    float* to = received_.data();
    slices_.clear();
    for (int p = 0; p < tree.processes(); ++p)
        for (int64_t shard = tree.first_shard(p); shard < tree.first_shard(p + 1); ++shard) {
            if (!counts[static_cast<size_t>(shard)]) continue;
            if (p != rank) {
                slices_.push_back(to);
                parts.add_receive(to, size, p);
                to += size;
                continue;
            }
            slices_.push_back(own(shard) + at);
            for (int q = 0; q < tree.processes(); ++q)
                if (q != rank) parts.add_send(own(shard) + begin(q), begin(q + 1) - begin(q), q);
        }
}

// In double and in the order of shards: a number that no shard changed stays as it is.
void StateMean::average(float* state) {
    const int64_t at = begin(tree_->rank()), end = begin(tree_->rank() + 1);
    const auto count = static_cast<double>(slices_.size());
    for (int64_t i = 0; i < end - at; ++i) {
        double sum = 0.0;
        for (const float* slice : slices_) sum += static_cast<double>(slice[i]);
        state[at + i] = static_cast<float>(sum / count);
    }
}

void StateMean::exchange_means(Parts& parts, float* state) const {
    const int rank = tree_->rank();
    for (int p = 0; p < tree_->processes(); ++p) {
        if (p == rank) continue;
        parts.add_send(state + begin(rank), begin(rank + 1) - begin(rank), p);
        parts.add_receive(state + begin(p), begin(p + 1) - begin(p), p);
    }
}

}  // namespace striate
