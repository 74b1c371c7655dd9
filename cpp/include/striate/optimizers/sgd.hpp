#pragma once

#include "striate/optimizers/base.hpp"

namespace striate STRIATE_API {

struct SGDOptions : OptimizerOptions {
    double momentum = 0.0;
    bool nesterov = false;
    SGDOptions() { learning_rate = 0.01; }

    template <class Self, class Visitor>
    static void fields(Self& self, Visitor&& visit) {
        common_fields(self, visit);
        visit("momentum", self.momentum);
        visit("nesterov", self.nesterov);
    }
};

// Gradient descent: v -= lr * g. With momentum (Polyak 1964): m = momentum * m - lr * g, v += m; with Nesterov's (1983;
// Sutskever et al. 2013): v += momentum * m - lr * g.
class SGD : public OptimizerOf<SGD, SGDOptions> {
  public:
    static constexpr const char* kType = "SGD";
    explicit SGD(Options options);
    std::vector<std::string> slots() const override;

  protected:
    UpdateRule rule() const override;
};

}  // namespace striate STRIATE_API
