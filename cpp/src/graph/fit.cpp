#include "striate/fit.hpp"

#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <numeric>

#include "striate/error.hpp"
#include "striate/feed.hpp"
#include "striate/losses/detection_loss.hpp"
#include "striate/random.hpp"

namespace striate {
namespace {

int64_t highest(const float* scores, int64_t count) {
    int64_t best = 0;
    for (int64_t i = 1; i < count; ++i)
        if (scores[i] > scores[best]) best = i;
    return best;
}

int64_t label_at(const Array& labels, int64_t index) {
    switch (labels.type) {
        case DType::uint8:
            return static_cast<const uint8_t*>(labels.data)[index];
        case DType::int32:
            return static_cast<const int32_t*>(labels.data)[index];
        case DType::int64:
            return static_cast<const int64_t*>(labels.data)[index];
        case DType::float32:
            return static_cast<int64_t>(static_cast<const float*>(labels.data)[index]);
        case DType::float64:
            return static_cast<int64_t>(static_cast<const double*>(labels.data)[index]);
        case DType::bfloat16:
            return static_cast<int64_t>(bfloat16_to_float(static_cast<const uint16_t*>(labels.data)[index]));
    }
    return 0;
}

// Counts the labels that a model of one output predicts.
class Accuracy {
  public:
    Accuracy(const Trainer& trainer, const Dataset& data, int64_t batch_size) {
        if (trainer.loss_functions().size() != 1) return;
        const Loss& loss = *trainer.loss_functions()[0];
        const Shape output = trainer.output_shapes()[0];
        targets_ = data.targets[0];
        classes_ = output.empty() ? 1 : output.back();
        items_ = element_count(output) / std::max<int64_t>(1, classes_);
        threshold_ = loss.from_logits() ? 0.0f : 0.5f;
        const Config config = loss.config();
        if (const ConfigValue* ignored = config.find("ignore_class")) read_value(*ignored, ignored_, "ignore_class");
        const int64_t given = element_count(targets_.shape) / std::max<int64_t>(1, targets_.shape[0]);
        if (classes_ > 1 && given == items_ && targets_.type != DType::float32) {
            kind_ = Kind::labels;
        } else if (classes_ > 1 && given == items_ * classes_ && targets_.type == DType::float32 &&
                   loss.joint_activation() == "softmax") {
            kind_ = Kind::one_hot;
        } else if (given == items_ * classes_ && loss.joint_activation() == "sigmoid") {
            // Several columns are labels of their own.
            kind_ = Kind::binary;
            items_ *= classes_;
            classes_ = 1;
        }
        if (kind_ != Kind::none) predictions_.resize(static_cast<size_t>(batch_size * items_ * classes_));
    }

    // Where a step is to leave its outputs.
    std::vector<float*> buffers() {
        return kind_ == Kind::none ? std::vector<float*>() : std::vector<float*>{predictions_.data()};
    }

    // After a step on the rows rows[0..count) of the data, or first..first + count where `rows` is null, of which this
    // process has computed some.
    void update(const int64_t* rows, int64_t first, std::pair<int64_t, int64_t> own) {
        if (kind_ == Kind::none) return;
        for (int64_t i = own.first; i < own.second; ++i) {
            const int64_t row = rows ? rows[i] : first + i;
            for (int64_t item = 0; item < items_; ++item) {
                const int64_t index = row * items_ + item;
                if (kind_ == Kind::labels && ignored_ && label_at(targets_, index) == *ignored_) continue;
                hits_ += hit(index, predictions_.data() + (i * items_ + item) * classes_);
                ++total_;
            }
        }
    }

    double result(const Trainer& trainer) {
        std::vector<int64_t> counts{hits_, total_};
        trainer.add_up(counts);
        hits_ = counts[0], total_ = counts[1];
        return total_ > 0 ? static_cast<double>(hits_) / static_cast<double>(total_) : Scores().accuracy;
    }

  private:
    enum class Kind { none, labels, one_hot, binary };

    bool hit(int64_t index, const float* scores) const {
        if (kind_ == Kind::binary) return (scores[0] > threshold_) == is_one(index);
        if (kind_ == Kind::labels) return highest(scores, classes_) == label_at(targets_, index);
        // Rows may be probabilities, as smoothed labels are: the likeliest class is meant.
        return highest(scores, classes_) ==
               highest(static_cast<const float*>(targets_.data) + index * classes_, classes_);
    }

    bool is_one(int64_t index) const {
        if (targets_.type == DType::float32) return static_cast<const float*>(targets_.data)[index] > 0.5f;
        return label_at(targets_, index) != 0;
    }

    Kind kind_ = Kind::none;
    Array targets_;
    int64_t classes_ = 1, items_ = 1, hits_ = 0, total_ = 0;
    float threshold_ = 0.5f;
    std::optional<int64_t> ignored_;  // label of items that do not count
    std::vector<float> predictions_;
};

int64_t rows_of(const Dataset& data) {
    return data.inputs[0].shape[0];
}

// The rows of the bound data that a step took: rows[0..count), or from `first` on where `rows` is null.
struct Taken {
    const int64_t* rows = nullptr;
    int64_t first = 0;
};

// One pass over `total` rows in batches; `data` are what is bound, and `step(first, count, predictions)` gives Taken.
// `finish` is called after the last step.
template <class Step, class Finish>
Scores walk(Trainer& trainer, const Dataset& data, int64_t total, int64_t batch_size, Step step, Finish finish) {
    Accuracy accuracy(trainer, data, std::min(batch_size, total));
    const std::vector<float*> predictions = accuracy.buffers();
    Scores scores;
    trainer.begin_epoch();
    for (int64_t first = 0; first < total; first += batch_size) {
        const int64_t count = std::min(batch_size, total - first);
        const Taken taken = step(first, count, predictions);
        accuracy.update(taken.rows, taken.first, trainer.own_rows(count));
    }
    finish();
    scores.loss = trainer.epoch_loss();
    scores.accuracy = accuracy.result(trainer);
    return scores;
}

// Whether there is a value for each pixel of the images.
bool is_map(const Array& values, const Array& images) {
    return images.shape.size() == 4 && (values.shape.size() == 3 || values.shape.size() == 4) &&
           std::equal(images.shape.begin(), images.shape.begin() + 3, values.shape.begin());
}

std::unique_ptr<Feed> make_feed(const Trainer& trainer, const Dataset& data, const FitOptions& options) {
    if (!options.augmentation) return nullptr;
    require(data.inputs.size() == 1, "fit: augmentation is for models with one input, got ", data.inputs.size());
    const Array& images = data.inputs[0];
    const auto follows = [&](const Array& values) {
        return is_map(values, images) ? Follows::pixels : Follows::nothing;
    };
    std::vector<Follows> targets;
    for (size_t i = 0; i < data.targets.size(); ++i) {
        const LossPtr& loss = trainer.loss_functions()[i];
        targets.push_back(loss && loss->type() == DetectionLoss::kType ? Follows::boxes : follows(data.targets[i]));
    }
    std::vector<Follows> weights;
    for (const Array& array : data.weights) weights.push_back(follows(array));
    return std::make_unique<Feed>(data, options.batch_size, *options.augmentation, targets, weights);
}

// Leaves a trainer bound to nothing when an exception ends its epoch: a feed does not last as long as the trainer.
struct Released {
    ~Released() {
        if (trainer && std::uncaught_exceptions() > exceptions) trainer->release();
    }
    Trainer* trainer;
    int exceptions = std::uncaught_exceptions();
};

// `feed` may be null: the steps take the data's own rows.
Scores train_epoch(Trainer& trainer, const Dataset& data, const FitOptions& options, Feed* feed) {
    const int64_t total = rows_of(data), epoch = trainer.epochs();
    std::vector<int64_t> order(static_cast<size_t>(total));
    if (options.shuffle)
        order = permutation(trainer.seed(), static_cast<uint64_t>(epoch), total);
    else
        std::iota(order.begin(), order.end(), int64_t{0});
    const Dataset& bound = feed ? feed->buffers() : data;
    const Released released{feed ? &trainer : nullptr};
    trainer.bind(bound);
    if (feed) feed->begin(order.data(), total, static_cast<uint64_t>(epoch));
    trainer.set_epochs(epoch + 1);
    const Scores scores = walk(
        trainer, bound, total, options.batch_size,
        [&](int64_t first, int64_t count, const std::vector<float*>& predictions) {
            const int64_t* rows = feed ? nullptr : order.data() + first;
            const int64_t at = feed ? feed->next() : 0;
            trainer.train_step(rows, at, count, predictions);
            return Taken{rows, at};
        },
        [] {});
    if (feed) trainer.bind(data);  // the feed does not last as long as the trainer
    return scores;
}

void check_batch(int64_t batch_size, const char* caller) {
    require(batch_size > 0, caller, ": batch_size must be at least 1, got ", batch_size);
}

}  // namespace

std::vector<EpochLog> fit(Trainer& trainer, const Dataset& data, const FitOptions& options) {
    check_batch(options.batch_size, "fit");
    require(options.epochs > 0, "fit: epochs must be at least 1, got ", options.epochs);
    if (options.validation) trainer.bind(*options.validation);  // checked before the first step
    trainer.bind(data);
    const std::unique_ptr<Feed> feed = make_feed(trainer, data, options);
    std::vector<EpochLog> history;
    for (int64_t done = 0; done < options.epochs; ++done) {
        EpochLog log;
        log.epoch = trainer.epochs();
        log.training = train_epoch(trainer, data, options, feed.get());
        if (options.validation) log.validation = evaluate(trainer, *options.validation, options.batch_size);
        history.push_back(log);
        if (options.after_epoch && !options.after_epoch(log)) break;
    }
    return history;
}

Scores evaluate(Trainer& trainer, const Dataset& data, int64_t batch_size) {
    check_batch(batch_size, "evaluate");
    trainer.bind(data);
    return walk(
        trainer, data, rows_of(data), batch_size,
        [&](int64_t first, int64_t count, const std::vector<float*>& predictions) {
            trainer.test_step(nullptr, first, count, predictions);
            return Taken{nullptr, first};
        },
        [&] { trainer.finish_pass(); });
}

}  // namespace striate
