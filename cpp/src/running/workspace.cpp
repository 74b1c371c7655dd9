#include "running/workspace.hpp"

#include <algorithm>

#include "running/plan.hpp"

namespace striate {
namespace {

constexpr size_t kMaxPlans = 8;
// Bytes of plans that are kept in any case; above, plans may take an eighth of what the workspace takes.
constexpr size_t kMinBudget = size_t{16} << 20;

}  // namespace

void drop_idle(std::vector<std::unique_ptr<Plan>>& plans, size_t always, const Workspace& workspace) {
    const size_t budget = std::max(kMinBudget, workspace.bytes() / 8);
    size_t bytes = 0;
    for (const auto& plan : plans) bytes += plan->own_bytes();
    if (plans.size() <= kMaxPlans && bytes <= budget) return;
    size_t kept_bytes = 0, requests = 0;
    std::vector<std::unique_ptr<Plan>> kept;
    kept.reserve(plans.size());  // nothing throws while some are moved
    for (auto& plan : plans) {
        if (kept.size() == kMaxPlans) break;
        const bool known = std::any_of(kept.begin(), kept.end(),
                                       [&](const auto& other) { return other->request().same_plan(plan->request()); });
        if (kept_bytes + plan->own_bytes() > budget && requests + !known > always) continue;
        requests += !known;
        kept_bytes += plan->own_bytes();
        kept.push_back(std::move(plan));
    }
    plans = std::move(kept);
}

}  // namespace striate
