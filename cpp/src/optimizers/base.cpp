#include "striate/optimizers/base.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "optimizers/penalties.hpp"
#include "planning/kernel_call.hpp"
#include "striate/error.hpp"
#include "suggest.hpp"

namespace striate {
namespace {

// The names that trainable weights of layers have. A name of another layer's weights is accepted for any model.
constexpr const char* kWeights[] = {"kernel", "bias", "gamma", "beta", "alpha", "depthwise_kernel", "pointwise_kernel"};

// Parameters in a unit of work: large enough to be worth a thread's while, small enough to share a layer out.
constexpr int64_t kPiece = 16384;

kernels::Kernel<kernels::UpdateArgs> kernel_of(UpdateRule::Kind kind) {
    switch (kind) {
        case UpdateRule::sgd:
            return kernels::K::update_sgd;
        case UpdateRule::rmsprop:
            return kernels::K::update_rmsprop;
        case UpdateRule::adagrad:
            return kernels::K::update_adagrad;
        case UpdateRule::adadelta:
            return kernels::K::update_adadelta;
        case UpdateRule::adam:
            return kernels::K::update_adam;
        case UpdateRule::nadam:
            return kernels::K::update_nadam;
        case UpdateRule::lion:
            return kernels::K::update_lion;
    }
    fail("unknown update rule ", static_cast<int>(kind));
}

std::string own_name(const std::string& weight) {
    return weight.substr(weight.rfind('/') + 1);
}

using kernels::UpdatePiece;
using Pieces = std::vector<UpdatePiece>;

TensorId constant(PlanContext& plan, const Pieces& pieces) {
    return plan.constant(pieces.data(), {static_cast<int64_t>(pieces.size() * sizeof(UpdatePiece))}, DType::uint8);
}

// The pieces of one of the arenas of values.
struct ArenaPieces {
    TensorId values;
    int64_t first, count;  // of all pieces
    double floats;
};

// All pieces, arena by arena, so that those of an arena can be handed to a kernel.
struct AllPieces {
    Pieces list;
    std::vector<ArenaPieces> arenas;
    bool penalised = false;
};

// Cuts the trainable segments for which `taken` is true into pieces, in their order. Unless each segment has a scale of
// its own, those whose values are adjacent too are joined where weight decay and penalties are the same.
template <class Taken, class Decays>
AllPieces cut(const std::vector<Segment>& segments, const std::vector<TensorId>& values, bool apart, Taken taken,
              Decays decays) {
    AllPieces all;
    for (size_t arena = 0; arena < values.size(); ++arena) {
        ArenaPieces& of = all.arenas.emplace_back(ArenaPieces{values[arena], 0, 0, 0.0});
        of.first = static_cast<int64_t>(all.list.size());
        for (size_t i = 0; i < segments.size(); ++i) {
            const Segment& first = segments[i];
            if (!first.trainable || first.values != arena || !taken(first)) continue;
            const bool decay = decays(first);
            size_t last = i;
            const auto joins = [&](const Segment& next) {
                return next.trainable && taken(next) && decays(next) == decay && next.penalty == first.penalty &&
                       next.values == arena && next.value_offset - first.value_offset == next.offset - first.offset;
            };
            while (!apart && last + 1 < segments.size() && joins(segments[last + 1])) ++last;
            const int64_t end = segments[last].offset + segments[last].size;
            const auto l1 = static_cast<float>(first.penalty.l1), l2 = static_cast<float>(first.penalty.l2);
            for (int64_t at = first.offset; at < end; at += kPiece) {
                const int64_t count = std::min(kPiece, end - at), value = first.value_offset + at - first.offset;
                all.list.push_back({at, count, apart ? static_cast<int64_t>(i) : 0, value, l1, l2, decay});
                of.floats += static_cast<double>(count);
            }
            all.penalised |= first.penalty.any();
            i = last;
        }
        of.count = static_cast<int64_t>(all.list.size()) - of.first;
    }
    const auto none = [](const ArenaPieces& of) { return of.count == 0; };
    all.arenas.erase(std::remove_if(all.arenas.begin(), all.arenas.end(), none), all.arenas.end());
    return all;
}

// Bytes before the pieces of an arena.
int64_t bytes_before(const ArenaPieces& of) {
    return of.first * static_cast<int64_t>(sizeof(UpdatePiece));
}

// Steps that find each segment's (or the whole arena's) scale from the norm of its gradient.
TensorId emit_scales(const UpdateContext& context, const AllPieces& all, TensorId pieces, int64_t scale_count,
                     double limit) {
    PlanContext& plan = context.plan;
    const auto count = static_cast<int64_t>(all.list.size());
    const TensorId partials = plan.create({count}, {}, DType::float64);
    const TensorId scales = plan.create({scale_count});
    for (const ArenaPieces& of : all.arenas) {
        kernels::GradientSquaresArgs squares{};
        squares.count = of.count;
        squares.size = context.size;
        squares.values = element_count(plan.shape(of.values));
        Step sum =
            kernel_step(plan, kernels::K::gradient_squares, "gradient norms", squares,
                        {reads(squares.pieces, pieces, bytes_before(of)), reads(squares.parameters, of.values),
                         reads(squares.gradients, context.gradients), writes(squares.partials, partials, of.first)});
        sum.bytes = of.floats * sizeof(float) * (all.penalised ? 2.0 : 1.0);
        plan.step(std::move(sum));
    }
    const kernels::ClipScalesArgs clip{count, scale_count, nullptr, nullptr, nullptr, limit};
    plan.step(kernel_step(plan, kernels::K::clip_scales, "clipping scales", clip,
                          {reads(clip.pieces, pieces), reads(clip.partials, partials), writes(clip.scales, scales)}));
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
    PlanContext& plan = context.plan;
    const bool per_segment = options.clipnorm.has_value();
    const AllPieces all = cut(
        context.segments, context.values, per_segment, [](const Segment&) { return true; },
        [&](const Segment& segment) {
            return options.weight_decay.value_or(0.0) > 0.0 && !options.exclude_from_weight_decay.match(segment.name);
        });
    if (all.list.empty()) return;
    const TensorId pieces = constant(plan, all.list);
    const auto count = static_cast<int64_t>(all.list.size());
    if (all.penalised) context.penalties = plan.create({count}, {}, DType::float64);

    kernels::UpdateArgs args{};
    args.size = context.size;
    args.scalar_count = element_count(plan.shape(context.scalars));
    TensorId scales;
    if (const std::optional<double>& limit = per_segment ? options.clipnorm : options.global_clipnorm) {
        args.segments = per_segment ? static_cast<int64_t>(context.segments.size()) : 1;
        scales = emit_scales(context, all, pieces, args.segments, *limit);
    }
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
    TensorId slots[3];
    for (int i = 0; i < 3; ++i)
        if (rule.slot_of[i] >= 0) slots[i] = context.slots[static_cast<size_t>(rule.slot_of[i])];

    // One pass over all weights: a step for each of the arenas that they are in.
    for (const ArenaPieces& of : all.arenas) {
        args.count = of.count;
        args.values = element_count(plan.shape(of.values));
        Step step =
            kernel_step(plan, kernel_of(rule.kind), "update", args,
                        {reads(args.pieces, pieces, bytes_before(of)), updates(args.parameters, of.values),
                         reads(args.gradients, context.gradients), reads(args.scalars, context.scalars),
                         updates(args.slot0, slots[0]), updates(args.slot1, slots[1]), updates(args.slot2, slots[2]),
                         reads(args.clip_scales, scales), writes(args.penalties, context.penalties, of.first)});
        step.bytes = of.floats * sizeof(float) * (1.0 + 2.0 * static_cast<double>(1 + context.slots.size()));
        plan.step(std::move(step));
    }
}

TensorId emit_penalties(PlanContext& plan, const std::vector<Segment>& segments, const std::vector<TensorId>& values) {
    const AllPieces all = cut(
        segments, values, false, [](const Segment& segment) { return segment.penalty.any(); },
        [](const Segment&) { return false; });
    if (all.list.empty()) return {};
    const TensorId pieces = constant(plan, all.list);
    const TensorId penalties = plan.create({static_cast<int64_t>(all.list.size())}, {}, DType::float64);
    for (const ArenaPieces& of : all.arenas) {
        kernels::PenaltiesArgs args{};
        args.count = of.count;
        args.values = element_count(plan.shape(of.values));
        Step step = kernel_step(plan, kernels::K::penalties, "penalties of weights", args,
                                {reads(args.pieces, pieces, bytes_before(of)), reads(args.parameters, of.values),
                                 writes(args.penalties, penalties, of.first)});
        step.bytes = of.floats * sizeof(float);
        plan.step(std::move(step));
    }
    return penalties;
}

}  // namespace striate
