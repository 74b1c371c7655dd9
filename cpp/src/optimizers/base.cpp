#include "striate/optimizers/base.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "dispatch/dispatch.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

// The names that trainable weights of layers have. A name of another layer's weights is accepted for any model.
constexpr const char* kWeights[] = {"kernel", "bias", "gamma", "beta", "alpha", "depthwise_kernel", "pointwise_kernel"};

// Parameters in a unit of work: large enough to be worth a thread's while, small enough to share a layer out.
constexpr int64_t kPiece = 16384;

using Kernel = void (*)(const kernels::UpdateArgs&, int64_t, int64_t);

Kernel kernel_of(UpdateRule::Kind kind) {
    const kernels::Table& table = dispatch::kernels();
    switch (kind) {
        case UpdateRule::sgd:
            return table.update_sgd;
        case UpdateRule::rmsprop:
            return table.update_rmsprop;
        case UpdateRule::adagrad:
            return table.update_adagrad;
        case UpdateRule::adadelta:
            return table.update_adadelta;
        case UpdateRule::adam:
            return table.update_adam;
        case UpdateRule::lion:
            return table.update_lion;
    }
    return nullptr;
}

std::string own_name(const std::string& weight) {
    return weight.substr(weight.rfind('/') + 1);
}

using Pieces = std::vector<kernels::UpdatePiece>;

// Cuts the trainable segments into pieces. Unless each segment has a scale of its own, adjacent ones are joined where
// weight decay applies to both or to neither.
std::shared_ptr<const Pieces> cut(const std::vector<Segment>& segments, bool apart, const OptimizerOptions& options) {
    const auto decays = [&](const Segment& segment) {
        return options.weight_decay.value_or(0.0) > 0.0 && !options.exclude_from_weight_decay.match(segment.name);
    };
    auto pieces = std::make_shared<Pieces>();
    for (size_t i = 0; i < segments.size(); ++i) {
        if (!segments[i].trainable) continue;
        const auto segment = static_cast<int64_t>(i);
        const bool decay = decays(segments[i]);
        const int64_t begin = segments[i].offset;
        size_t last = i;
        while (!apart && last + 1 < segments.size() && segments[last + 1].trainable &&
               decays(segments[last + 1]) == decay)
            ++last;
        const int64_t end = segments[last].offset + segments[last].size;
        for (int64_t at = begin; at < end; at += kPiece)
            pieces->push_back({at, std::min(kPiece, end - at), apart ? segment : 0, decay});
        i = last;
    }
    return pieces;
}

// Steps that find each segment's (or the whole arena's) scale from the norm of its gradient.
TensorId emit_scales(const UpdateContext& context, const std::shared_ptr<const Pieces>& pieces, bool per_segment,
                     double limit) {
    const auto count = static_cast<int64_t>(pieces->size());
    const auto scale_count = per_segment ? static_cast<int64_t>(context.segments->size()) : 1;
    const TensorId partials = context.plan.create({2 * count}, {}, DType::float32);  // doubles
    const TensorId scales = context.plan.create({scale_count}, {}, DType::float32);
    const TensorId gradients = context.gradients;
    const auto squares = dispatch::kernels().gradient_squares;
    Step sum;
    sum.what = "gradient norms";
    sum.reads = {gradients};
    sum.writes = {partials};
    sum.units = count;
    sum.bytes = static_cast<double>(context.size) * sizeof(float);
    sum.run = [=](const Frame& f, int64_t begin, int64_t end, std::byte*) {
        squares({pieces->data(), f.get(gradients), f.get<double>(partials)}, begin, end);
    };
    context.plan.step(std::move(sum));
    Step merge;
    merge.what = "clipping scales";
    merge.reads = {partials};
    merge.writes = {scales};
    merge.run = [=](const Frame& f, int64_t, int64_t, std::byte*) {
        const double* squared = f.get<double>(partials);
        float* out = f.get(scales);
        for (int64_t i = 0; i < count;) {
            const int64_t segment = (*pieces)[i].segment;
            double total = 0.0;
            for (; i < count && (*pieces)[i].segment == segment; ++i) total += squared[i];
            const double norm = std::sqrt(total);
            out[segment] = norm > limit ? static_cast<float>(limit / norm) : 1.0f;
        }
    };
    context.plan.step(std::move(merge));
    return scales;
}

}  // namespace

void read_value(const ConfigValue& value, LearningRate& out, const std::string& where) {
    if (const auto* nested = std::get_if<ConfigPtr>(&value)) {
        Config arguments;
        std::string type;
        for (const Config::Entry& entry : (*nested)->entries()) {
            if (entry.first == "type") {
                read_value(entry.second, type, where + ".type");
            } else {
                arguments.set(entry.first, entry.second);
            }
        }
        out = LearningRate(make_schedule(type, arguments));
        return;
    }
    double number = 0.0;
    read_value(value, number, where);
    out = LearningRate(number);
}

ConfigValue write_value(const LearningRate& value) {
    if (!value.schedule) return value.value;
    auto nested = std::make_shared<Config>();
    nested->set("type", value.schedule->type());
    const Config arguments = value.schedule->config();
    for (const Config::Entry& entry : arguments.entries()) nested->set(entry.first, entry.second);
    return ConfigPtr(std::move(nested));
}

bool WeightNames::match(const std::string& weight) const {
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        if (name.find('/') == std::string::npos) return own_name(weight).find(name) != std::string::npos;
        return name.back() == '/' ? weight.compare(0, name.size(), name) == 0 : weight == name;
    });
}

void read_value(const ConfigValue& value, WeightNames& out, const std::string& where) {
    std::string text;
    read_value(value, text, where);
    out.names.clear();
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find(',', begin), text.size());
        out.names.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
}

ConfigValue write_value(const WeightNames& value) {
    std::string text;
    for (const std::string& name : value.names) text += (text.empty() ? "" : ",") + name;
    return text;
}

void check_names(const std::vector<Segment>& segments, const OptimizerOptions& options, const std::string& owner) {
    std::vector<std::string> known, weights;
    for (const char* name : kWeights) known.emplace_back(name);
    for (const Segment& segment : segments) {
        known.push_back(own_name(segment.name));
        weights.push_back(segment.name);
    }
    for (const std::string& name : options.exclude_from_weight_decay.names) {
        const bool whole = name.find('/') != std::string::npos;
        const std::vector<std::string>& choice = whole ? weights : known;
        require(std::any_of(choice.begin(), choice.end(), [&](const auto& w) { return WeightNames{name}.match(w); }),
                "[", owner, "] exclude_from_weight_decay: ", quoted(name), " matches no weight",
                whole ? " of the model; " : " of any layer; ", suggestion(name, choice));
    }
}

void check_fraction(double value, const char* name, const std::string& owner) {
    require(value >= 0.0 && value < 1.0, "[", owner, "] ", name, " must be at least 0 and less than 1, got ", value);
}

void check_not_negative(double value, const char* name, const std::string& owner) {
    require(value >= 0.0 && std::isfinite(value), "[", owner, "] ", name, " must be a number of at least 0, got ",
            value);
}

void check_optimizer(const OptimizerOptions& options, const std::string& owner) {
    if (!options.learning_rate.schedule) check_not_negative(options.learning_rate.value, "learning_rate", owner);
    for (const std::string& name : options.exclude_from_weight_decay.names)
        require(!name.empty() && name.find(',') == std::string::npos, "[", owner,
                "] exclude_from_weight_decay: names of weights must not be empty or contain a comma, got ",
                quoted(name));
    if (options.weight_decay) check_not_negative(*options.weight_decay, "weight_decay", owner);
    int clips = 0;
    for (const auto& [name, value] :
         {std::pair{"clipnorm", options.clipnorm}, std::pair{"global_clipnorm", options.global_clipnorm},
          std::pair{"clipvalue", options.clipvalue}}) {
        if (!value) continue;
        ++clips;
        require(*value > 0.0, "[", owner, "] ", name, " must be positive, got ", *value);
    }
    require(clips <= 1, "[", owner, "] takes at most one of clipnorm, global_clipnorm and clipvalue, got ", clips);
}

void emit_update(const UpdateContext& context, const OptimizerOptions& options, const UpdateRule& rule) {
    const bool per_segment = options.clipnorm.has_value();
    const std::shared_ptr<const Pieces> pieces = cut(*context.segments, per_segment, options);
    if (pieces->empty()) return;
    TensorId scales;
    if (options.clipnorm) scales = emit_scales(context, pieces, true, *options.clipnorm);
    if (options.global_clipnorm) scales = emit_scales(context, pieces, false, *options.global_clipnorm);

    kernels::UpdateArgs args{};
    args.pieces = pieces->data();
    args.clip_value = static_cast<float>(options.clipvalue.value_or(0.0));
    args.weight_decay = static_cast<float>(options.weight_decay.value_or(0.0));
    args.rate0 = static_cast<float>(rule.rate0);
    args.rate1 = static_cast<float>(rule.rate1);
    args.keep0 = static_cast<float>(1.0 - rule.rate0);
    args.keep1 = static_cast<float>(1.0 - rule.rate1);
    args.epsilon = static_cast<float>(rule.epsilon);
    args.nesterov = rule.nesterov;
    args.centered = rule.centered;
    args.amsgrad = rule.amsgrad;
    const Kernel kernel = kernel_of(rule.kind);
    const TensorId parameters = context.parameters, gradients = context.gradients, scalars = context.scalars;
    TensorId slots[3];
    for (int i = 0; i < 3; ++i)
        if (rule.slot_of[i] >= 0) slots[i] = context.slots[static_cast<size_t>(rule.slot_of[i])];

    Step step;
    step.what = "update";
    step.reads = {parameters, gradients, scalars};
    if (scales.valid()) step.reads.push_back(scales);
    step.writes = {parameters};
    for (const TensorId& slot : slots)
        if (slot.valid()) step.writes.push_back(slot);
    step.units = static_cast<int64_t>(pieces->size());
    step.bytes =
        static_cast<double>(context.size) * sizeof(float) * (1.0 + 2.0 * static_cast<double>(step.writes.size()));
    step.run = [=, s0 = slots[0], s1 = slots[1], s2 = slots[2]](const Frame& f, int64_t begin, int64_t end,
                                                                std::byte*) {
        (void)pieces;  // keeps them alive
        kernels::UpdateArgs a = args;
        a.parameters = f.get(parameters);
        a.gradients = f.get(gradients);
        a.scalars = f.get(scalars);
        a.slot0 = s0.valid() ? f.get(s0) : nullptr;
        a.slot1 = s1.valid() ? f.get(s1) : nullptr;
        a.slot2 = s2.valid() ? f.get(s2) : nullptr;
        a.clip_scales = scales.valid() ? f.get(scales) : nullptr;
        kernel(a, begin, end);
    };
    context.plan.step(std::move(step));
}

}  // namespace striate
