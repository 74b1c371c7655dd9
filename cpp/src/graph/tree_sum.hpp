// The sum of the gradients of all shards of a batch, over the processes that computed them.
//
// Shards are the leaves of a binary tree that depends on their number alone: a node of n leaves has the largest power
// of two below n on its left. Each process adds what it has of a node's leaves, and the arena is cut in as many slices
// as there are processes: the owner of a slice gets it of all nodes that were summed so far, and adds them by the tree.
// So the bits of the sum depend on neither the number of processes nor that of threads.
#pragma once

#include <functional>
#include <vector>

#include "striate/exchange.hpp"
#include "striate/tensor.hpp"

namespace striate {

// A node of the tree: the leaves [first, first + count).
struct TreeNode {
    int64_t first, count;

    bool leaf() const { return count == 1; }
    TreeNode left() const;
    TreeNode right() const;
};

// The largest nodes whose leaves are all within [begin, end), in order.
std::vector<TreeNode> nodes_within(TreeNode root, int64_t begin, int64_t end);

// The slices of an arena of `size` floats, in whole cache lines: where that of a process begins.
int64_t slice_begin(int64_t size, int processes, int process);

// to[i] += from[i], on all threads.
void add(float* to, const float* from, int64_t size);

// What is sent and received in one step of an exchange.
struct Parts {
    std::vector<Exchange::Part> send, receive;

    void add_send(float* data, int64_t size, int peer) {
        if (size > 0) send.push_back({data, size, peer});
    }
    void add_receive(float* data, int64_t size, int peer) {
        if (size > 0) receive.push_back({data, size, peer});
    }
};

class TreeSum {
  public:
    // Throws ValueError unless there is a shard for each process. `exchange` is null for one process.
    TreeSum(int64_t shards, Exchange* exchange);

    int64_t shards() const { return shards_; }
    int rank() const { return rank_; }
    int processes() const { return processes_; }
    // The shards of this process, or of another.
    int64_t first_shard(int process) const { return part_begin(shards_, processes_, process); }
    int64_t first_shard() const { return first_shard(rank_); }
    int64_t last_shard() const { return first_shard(rank_ + 1); }

    // Calls leaf(shard) for each of this process's shards in order, after which `arena` holds its numbers, and adds
    // them up. With one process the sum is then in `arena`.
    void add_own(float* arena, int64_t size, const std::function<void(int64_t shard)>& leaf);

    // The exchange: what add_own() left of each process to the owners of slices; what these make of it; and the sums to
    // all processes. They end up in `arena`.
    void exchange_nodes(Parts& parts);
    void add_nodes();
    void exchange_sums(Parts& parts) const;

  private:
    void add_node(TreeNode node, size_t depth, const std::function<void(int64_t)>& leaf);
    float* add_slices(TreeNode node);
    int64_t begin(int process) const { return slice_begin(size_, processes_, process); }

    int64_t shards_;
    int rank_ = 0, processes_ = 1;
    float* arena_ = nullptr;
    int64_t size_ = 0;
    std::vector<std::vector<TreeNode>> nodes_;  // of each process
    std::vector<AlignedBuffer> left_;           // sums of left children, by depth
    std::vector<AlignedBuffer> kept_;           // this process's nodes but the last one, which stays in the arena
    AlignedBuffer received_;                    // the own slice of the other processes' nodes
    // The own slice of each process's nodes, in order.
    struct Slice {
        TreeNode node;
        float* data;
    };
    std::vector<Slice> slices_;
};

// Moving averages: each shard's begin as they were before the step, and the mean of all replaces them.
class StateMean {
  public:
    // Keeps `size` floats of each of this process's shards.
    void begin(int64_t size, int64_t first_shard, int64_t last_shard);
    // Where to put what a shard left; each is put once.
    float* put(int64_t shard);
    // Leaves out shards without rows: `counts[shard]` tells whether a shard has some.
    void exchange_states(Parts& parts, const TreeSum& tree, const std::vector<char>& counts);
    void average(float* state);
    void exchange_means(Parts& parts, float* state) const;

  private:
    float* own(int64_t shard) { return kept_.data() + (shard - first_) * size_; }
    int64_t begin(int process) const { return slice_begin(size_, tree_->processes(), process); }

    const TreeSum* tree_ = nullptr;
    int64_t size_ = 0, first_ = 0, last_ = 0;
    std::vector<float> kept_, received_;
    std::vector<const float*> slices_;  // of each shard with rows, in order
};

}  // namespace striate
