#pragma once

#include "striate/loss.hpp"

namespace striate STRIATE_API {

struct HuberOptions {
    double delta = 1.0;

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        visit("delta", self.delta);
    }
};

// Half the squared error up to delta, linear beyond it (Huber 1964).
class Huber : public LossOf<Huber, HuberOptions> {
  public:
    static constexpr const char* kType = "Huber";
    // Throws ValueError unless delta is positive.
    explicit Huber(Options options);

    void emit(const LossContext& context) const override;
};

}  // namespace striate STRIATE_API
