#include "bench.hpp"

namespace bench {

using namespace striate::kernels;

namespace {

constexpr int64_t kPiece = 16384;  // parameters in a unit of work, as the optimizers cut
constexpr int64_t kParameters[] = {int64_t{1} << 16, int64_t{1} << 22};  // a small network, and VGG's or ResNet's size

const UpdatePiece* cut(Memory& memory, int64_t parameters, float penalty = 0) {
    const int64_t count = divide_up(parameters, kPiece);
    auto* pieces = memory.array<UpdatePiece>(count);
    for (int64_t i = 0; i < count; ++i) {
        const int64_t offset = i * kPiece, left = parameters - offset;
        pieces[i] = {offset, left < kPiece ? left : kPiece, 0, offset, 0, penalty, true};
    }
    return pieces;
}

// The variant of a rule: what it is called, how many slots it moves and how it differs from the plain rule.
struct Rule {
    const char* name;
    int slots;
    float rate0, rate1;
    bool nesterov = false, amsgrad = false, clip = false;
    float penalty = 0;
};

Cases updates(Kernel<UpdateArgs> kernel, const std::vector<Rule>& rules) {
    Cases cases;
    for (const Rule& rule : rules)
        for (const int64_t count : kParameters) {
            const std::string name = *rule.name ? rule.name + std::string(" ") : "";
            cases.push_back({name + std::to_string(count) + " parameters", 0,
                             kFloat * static_cast<double>(count * (3 + 2 * rule.slots)), [=](Memory& memory) -> Work {
                                 UpdateArgs a{};
                                 a.pieces = cut(memory, count, rule.penalty);
                                 if (rule.penalty > 0) a.penalties = memory.doubles(divide_up(count, kPiece));
                                 a.parameters = memory.floats(count);
                                 a.gradients = memory.floats(count);
                                 float** slots[] = {&a.slot0, &a.slot1, &a.slot2};
                                 for (int i = 0; i < rule.slots; ++i) *slots[i] = memory.floats(count, 0.1f, 1);
                                 a.scalars = memory.floats(4, 1e-3f, 1e-3f);
                                 a.clip_scales = rule.clip ? memory.floats(1, 0.5f, 1) : nullptr;
                                 a.clip_value = rule.clip ? 0.5f : 0;
                                 a.weight_decay = rule.clip ? 0.01f : 0;
                                 a.rate0 = rule.rate0, a.rate1 = rule.rate1;
                                 a.keep0 = 1 - rule.rate0, a.keep1 = 1 - rule.rate1;
                                 a.epsilon = 1e-7f;
                                 a.nesterov = rule.nesterov, a.amsgrad = rule.amsgrad;
                                 const Kernel<UpdateArgs> run = kernel;
                                 return {{divide_up(count, kPiece),
                                          [=](int64_t begin, int64_t end, std::byte*) { run(a, begin, end); }}};
                             }});
        }
    return cases;
}

}  // namespace

Cases cases_update_sgd(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"plain", 0, 0, 0}, {"momentum", 1, 0.9f, 0}, {"nesterov", 1, 0.9f, 0, true}});
}
Cases cases_update_rmsprop(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"plain", 1, 0.9f, 0}, {"momentum", 2, 0.9f, 0.9f}});
}
Cases cases_update_adagrad(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"", 1, 0, 0}});
}
Cases cases_update_adadelta(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"", 2, 0.95f, 0}});
}
Cases cases_update_adam(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"plain", 2, 0.9f, 0.999f},
                            {"decay and clipping", 2, 0.9f, 0.999f, false, false, true},
                            {"regularized", 2, 0.9f, 0.999f, false, false, false, 1e-4f},
                            {"amsgrad", 3, 0.9f, 0.999f, false, true}});
}
Cases cases_update_nadam(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"", 2, 0.9f, 0.999f}});
}
Cases cases_update_lion(Kernel<UpdateArgs> kernel) {
    return updates(kernel, {{"", 1, 0.9f, 0.99f}});
}

Cases cases_gradient_squares(Kernel<GradientSquaresArgs> kernel) {
    Cases cases;
    for (const int64_t count : kParameters)
        cases.push_back({std::to_string(count) + " parameters", 0, kFloat * static_cast<double>(count),
                         [=](Memory& memory) -> Work {
                             const int64_t pieces = divide_up(count, kPiece);
                             const GradientSquaresArgs a{pieces,
                                                         count,
                                                         count,
                                                         cut(memory, count),
                                                         memory.floats(count),
                                                         memory.floats(count),
                                                         memory.doubles(pieces)};
                             const Kernel<GradientSquaresArgs> run = kernel;
                             return {{pieces, [=](int64_t begin, int64_t end, std::byte*) { run(a, begin, end); }}};
                         }});
    return cases;
}

Cases cases_penalties(Kernel<PenaltiesArgs> kernel) {
    Cases cases;
    for (const int64_t count : kParameters)
        cases.push_back({std::to_string(count) + " parameters", 0, kFloat * static_cast<double>(count),
                         [=](Memory& memory) -> Work {
                             const int64_t pieces = divide_up(count, kPiece);
                             return {call(kernel, {pieces, count, cut(memory, count, 1e-4f), memory.floats(count),
                                                   memory.doubles(pieces)})};
                         }});
    return cases;
}

Cases cases_clip_scales(Kernel<ClipScalesArgs> kernel) {
    Cases cases;
    for (const int64_t count : kParameters)
        cases.push_back({std::to_string(count) + " parameters", 0, 0, [=](Memory& memory) -> Work {
                             const int64_t pieces = divide_up(count, kPiece);
                             return {call(kernel, {pieces, 1, cut(memory, count), memory.doubles(pieces, 0, 1),
                                                   memory.floats(1), 1.0})};
                         }});
    return cases;
}

}  // namespace bench
