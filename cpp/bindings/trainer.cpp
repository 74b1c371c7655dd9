#include <cstring>

#include "exchange.hpp"
#include "feed.hpp"
#include "own.hpp"
#include "whole_class.hpp"

namespace striate::bindings {
namespace {

// A trainer with the arrays that it works on, bound once: a step is then one call with two integers.
class BoundTrainer {
  public:
    BoundTrainer(py::object model, OptimizerPtr optimizer, std::vector<LossPtr> losses,
                 std::vector<double> loss_weights, uint64_t seed)
        : owner_(std::move(model)),
          model_(owner_.cast<Model&>()),
          own_(has_own_code(model_) || has_own_code(losses)),
          trainer_(model_, std::move(optimizer), std::move(losses), std::move(loss_weights), seed) {}

    Trainer& trainer() { return trainer_; }

    using Some = std::vector<std::optional<py::array>>;

    void bind(std::vector<py::array> inputs, Some targets, Some weights) {
        Dataset data;
        data.inputs = borrow_all(inputs, "x");
        data.targets = borrow_all(targets, "y");
        data.weights = borrow_all(weights, "sample_weight");
        {
            // Labels may be checked one by one, and nothing here is a Python object.
            const WithoutGil released;
            trainer_.bind(data);
        }
        // Nothing below throws: the trainer and this object hold the same arrays.
        count_ = data.inputs[0].shape[0];
        inputs_ = std::move(inputs);
        targets_ = std::move(targets);
        weights_ = std::move(weights);
        forget_rows_and_predictions();
    }

    // No step can follow before the next bind().
    void release() {
        trainer_.release();
        count_ = 0;
        inputs_.clear();
        targets_.clear();
        weights_.clear();
        forget_rows_and_predictions();
    }

    void set_rows(std::optional<py::array> rows) {
        if (rows) {
            const Array array = borrow(*rows, "rows");
            if (array.type != DType::int64) throw TypeError("rows must be an array of int64");
            require(array.shape.size() == 1, "rows must be 1-D, got ", to_string(array.shape));
            const auto* first = static_cast<const int64_t*>(array.data);
            for (int64_t i = 0; i < array.shape[0]; ++i)
                require(first[i] >= 0 && first[i] < count_, "rows names row ", first[i], " of arrays of ", count_,
                        " rows");
            row_count_ = array.shape[0];
        }
        rows_ = std::move(rows);
    }

    // From now on the outputs of the step on rows [first, first + count) go to row `first - base` of these arrays.
    void set_predictions(std::vector<py::array> buffers, int64_t base) {
        std::vector<float*> memory;
        std::vector<int64_t> strides;
        const std::vector<Shape> shapes = model_.output_shapes();
        require(buffers.empty() || buffers.size() == shapes.size(), "predictions: the model has ", shapes.size(),
                " outputs, got ", buffers.size(), " arrays");
        int64_t rows = 0;
        for (size_t i = 0; i < buffers.size(); ++i) {
            require(buffers[i].ndim() > 0 && (i == 0 || buffers[i].shape(0) == rows),
                    "predictions differ in their rows");
            rows = buffers[i].shape(0);
            Shape shape = shapes[i];
            strides.push_back(element_count(shape));
            shape.insert(shape.begin(), rows);
            memory.push_back(borrow_output(buffers[i], shape, "predictions"));
        }
        at_.resize(memory.size());
        buffers_ = std::move(buffers);
        memory_ = std::move(memory);
        strides_ = std::move(strides);
        base_ = base;
        buffer_rows_ = rows;
    }

    double step(bool train, int64_t first, int64_t count) {
        const int64_t available = rows_ ? row_count_ : count_;
        require(count >= 1 && first >= 0 && first <= available - count, "a step on rows [", first, ", ", first + count,
                ") of ", available, "; bind the arrays and set the rows first");
        aim(first, count);
        const int64_t* rows = rows_ ? static_cast<const int64_t*>(rows_->data()) + first : nullptr;
        // The step sees the memory of arrays that this object keeps alive; Python objects only in a program's own code.
        if (train) return stepping([&] { return trainer_.train_step(rows, first, count, at_); });
        return computing(own_, [&] { return trainer_.test_step(rows, first, count, at_); });
    }

    // A training step on the next batch of a feed, which is rows [first, first + count) of its epoch. The arrays that
    // are bound must be the feed's buffers.
    double fed_step(BoundFeed& feed, int64_t first, int64_t count) {
        require(!inputs_.empty() && inputs_[0].data() == feed.buffers().inputs[0].data && 2 * count <= count_,
                "a step on a feed's batch of ", count, " rows; bind the feed's buffers first");
        aim(first, count);
        return stepping([&] { return trainer_.train_step(nullptr, feed.next(), count, at_); });
    }

    // `exchange` is None in one process.
    void set_shards(int64_t shards, const py::object& exchange) {
        const bool several = !exchange.is_none();
        require(!own_ || (shards == 1 && !several),
                "shards: a layer or a loss of this model is computed in Python, which is not possible with shards or "
                "in several processes; write it in C++, or train with shards=1 in one process");
        auto made = several ? std::make_unique<PythonExchange>(exchange) : nullptr;
        trainer_.set_shards(shards, made.get());
        exchange_ = std::move(made);
    }

    // A step on a batch of `count` rows, of which this process's own are rows [first, ...) of what is bound.
    double part_step(bool train, int64_t first, int64_t count) {
        const int64_t own = own_count(count), available = rows_ ? row_count_ : count_;
        require(first >= 0 && first <= available - own, "a step on rows [", first, ", ", first + own, ") of ",
                available, "; bind the arrays and set the rows first");
        aim(first, own);
        const int64_t* rows = rows_ ? static_cast<const int64_t*>(rows_->data()) + first : nullptr;
        const int64_t at = rows ? 0 : first;
        if (train) return stepping([&] { return trainer_.train_part(rows, at, count, at_); });
        return computing(own_, [&] { return trainer_.test_part(rows, at, count, at_); });
    }

    double fed_part(BoundFeed& feed, int64_t first, int64_t count) {
        const int64_t own = own_count(count);
        require(!inputs_.empty() && inputs_[0].data() == feed.buffers().inputs[0].data && 2 * own <= count_,
                "a step on a feed's batch of ", own, " rows; bind the feed's buffers first");
        aim(first, own);
        return stepping([&] { return trainer_.train_part(nullptr, own > 0 ? feed.next() : 0, count, at_); });
    }

    void fail_step(const std::string& why) {
        stepping([&] { return trainer_.fail_step(why), 0.0; });
    }

    void finish_pass(const std::string& failure) {
        stepping([&] { return trainer_.finish_pass(failure), 0.0; });
    }

    Profile profile(const std::vector<int64_t>& firsts, int64_t count) {
        forget_rows_and_predictions();
        return computing(own_, [&] { return trainer_.profile(firsts, count, check_signals); });
    }

    py::array slot(size_t index) {
        if (index >= trainer_.slot_count()) throw py::index_error("no such slot");
        py::array_t<float> copy(trainer_.parameter_arena_size());
        trainer_.read_slot(index, copy.mutable_data());
        return copy;
    }

    void set_slot(size_t index, const py::array& value) {
        if (index >= trainer_.slot_count()) throw py::index_error("no such slot");
        const Array array = borrow(value, "slot");
        if (array.type != DType::float32) throw TypeError("slot must be an array of float32");
        require(array.shape == Shape{trainer_.parameter_arena_size()}, "a slot has shape (",
                trainer_.parameter_arena_size(), ",), got ", to_string(array.shape));
        trainer_.write_slot(index, static_cast<const float*>(array.data));
    }

  private:
    // A training step. Where Python code in it fails, everything is as it was before.
    template <class Step>
    double stepping(const Step& step) {
        if (!own_) return computing(exchange_ != nullptr, step);  // an exchange calls Python
        keep();
        const int64_t iteration = trainer_.iteration();
        const OwnCalls calls;
        const double loss = [&] {
            const WithoutGil released;
            return step();
        }();
        if (calls.failed()) {
            put_back();
            trainer_.set_iteration(iteration);
        }
        calls.check();
        return loss;
    }

    void keep() {
        const WithoutGil released;
        trainer_.read([&] {
            kept_.resize(model_.parameters().size() + trainer_.slot_count());
            size_t at = 0;
            for (size_t i = 0; i < model_.parameters().size(); ++i) {
                kept_[at].resize(element_count(model_.parameters()[i].shape));
                model_.read_parameter(i, kept_[at++].data());
            }
            for (size_t i = 0; i < trainer_.slot_count(); ++i) {
                kept_[at].resize(trainer_.parameter_arena_size());
                trainer_.read_slot(i, kept_[at++].data());
            }
        });
    }

    void put_back() {
        const WithoutGil released;
        trainer_.write([&] {
            size_t at = 0;
            for (size_t i = 0; i < model_.parameters().size(); ++i) model_.write_parameter(i, kept_[at++].data());
            for (size_t i = 0; i < trainer_.slot_count(); ++i) trainer_.write_slot(i, kept_[at++].data());
        });
    }

    int64_t own_count(int64_t count) const {
        const auto [begin, end] = trainer_.own_rows(count);
        return end - begin;
    }

    void forget_rows_and_predictions() {
        rows_.reset();
        row_count_ = 0;
        buffers_.clear();
        memory_.clear();
        strides_.clear();
        at_.clear();
        base_ = buffer_rows_ = 0;
    }

    // Points `at_` to where the predictions of a step on rows [first, first + count) go.
    void aim(int64_t first, int64_t count) {
        if (!memory_.empty())
            require(first >= base_ && first - base_ <= buffer_rows_ - count, "a step on rows [", first, ", ",
                    first + count, ") with predictions for [", base_, ", ", base_ + buffer_rows_, ")");
        for (size_t i = 0; i < memory_.size(); ++i) at_[i] = memory_[i] + (first - base_) * strides_[i];
    }

    py::object owner_;  // of the model
    Model& model_;
    bool own_;  // a layer or a loss is computed in Python
    std::unique_ptr<PythonExchange> exchange_;
    Trainer trainer_;
    std::vector<py::array> inputs_, buffers_;
    Some targets_, weights_;
    std::optional<py::array> rows_;
    std::vector<float*> memory_, at_;
    std::vector<int64_t> strides_;
    std::vector<std::vector<float>> kept_;  // parameters and slots before a step with Python code
    int64_t count_ = 0, row_count_ = 0, base_ = 0, buffer_rows_ = 0;
};

}  // namespace

void register_trainer(py::module_& m) {
    whole_class<BoundTrainer>(m, "Trainer")
        .def(py::init([](py::object model, const std::shared_ptr<Optimizer>& optimizer,
                         const std::vector<std::shared_ptr<Loss>>& losses, std::vector<double> loss_weights,
                         uint64_t seed) {
                 return std::make_unique<BoundTrainer>(std::move(model), optimizer,
                                                       std::vector<LossPtr>(losses.begin(), losses.end()),
                                                       std::move(loss_weights), seed);
             }),
             py::arg("model"), py::arg("optimizer"), py::arg("losses"), py::arg("loss_weights"), py::arg("seed"))
        .def("bind", &BoundTrainer::bind, py::arg("inputs"), py::arg("targets"), py::arg("weights"))
        .def("release", &BoundTrainer::release)
        .def(
            "train_as", [](BoundTrainer& t, BoundTrainer& before) { t.trainer().train_as(before.trainer()); },
            py::arg("before"))
        .def_property_readonly("trainable_changed", [](BoundTrainer& t) { return t.trainer().trainable_changed(); })
        .def("set_rows", &BoundTrainer::set_rows, py::arg("rows"))
        .def("set_predictions", &BoundTrainer::set_predictions, py::arg("buffers"), py::arg("base"))
        .def(
            "train_step", [](BoundTrainer& t, int64_t first, int64_t count) { return t.step(true, first, count); },
            py::arg("first"), py::arg("count"))
        .def(
            "test_step", [](BoundTrainer& t, int64_t first, int64_t count) { return t.step(false, first, count); },
            py::arg("first"), py::arg("count"))
        .def("fed_step", &BoundTrainer::fed_step, py::arg("feed"), py::arg("first"), py::arg("count"))
        .def("set_shards", &BoundTrainer::set_shards, py::arg("shards"), py::arg("exchange"))
        .def_property_readonly("shards", [](BoundTrainer& t) { return t.trainer().shards(); })
        .def(
            "own_rows", [](BoundTrainer& t, int64_t count) { return t.trainer().own_rows(count); }, py::arg("count"))
        .def(
            "train_part", [](BoundTrainer& t, int64_t first, int64_t count) { return t.part_step(true, first, count); },
            py::arg("first"), py::arg("count"))
        .def(
            "test_part", [](BoundTrainer& t, int64_t first, int64_t count) { return t.part_step(false, first, count); },
            py::arg("first"), py::arg("count"))
        .def("fed_part", &BoundTrainer::fed_part, py::arg("feed"), py::arg("first"), py::arg("count"))
        .def("fail_step", &BoundTrainer::fail_step, py::arg("why"))
        .def("finish_pass", &BoundTrainer::finish_pass, py::arg("failure"))
        .def(
            "ask_to_stop", [](BoundTrainer& t, bool stop) { t.trainer().ask_to_stop(stop); }, py::arg("stop"))
        .def_property_readonly("stop_agreed", [](BoundTrainer& t) { return t.trainer().stop_agreed(); })
        .def("profile", &BoundTrainer::profile, py::arg("firsts"), py::arg("count"))
        .def(
            "arena_bytes",
            [](BoundTrainer& t, int64_t batch, bool training) { return t.trainer().arena_bytes(batch, training); },
            py::arg("batch"), py::arg("training"), py::call_guard<WithoutGil>())
        .def_property_readonly("losses", [](BoundTrainer& t) { return t.trainer().losses(); })
        .def("begin_epoch", [](BoundTrainer& t) { t.trainer().begin_epoch(); })
        .def_property_readonly("epoch_losses", [](BoundTrainer& t) { return t.trainer().epoch_losses(); })
        .def_property_readonly("epoch_loss", [](BoundTrainer& t) { return t.trainer().epoch_loss(); })
        .def_property(
            "learning_rate", [](BoundTrainer& t) { return t.trainer().learning_rate(); },
            [](BoundTrainer& t, double rate) { t.trainer().set_learning_rate(rate); })
        .def_property(
            "iteration", [](BoundTrainer& t) { return t.trainer().iteration(); },
            [](BoundTrainer& t, int64_t iteration) { t.trainer().set_iteration(iteration); })
        .def_property(
            "epochs", [](BoundTrainer& t) { return t.trainer().epochs(); },
            [](BoundTrainer& t, int64_t epochs) { t.trainer().set_epochs(epochs); })
        .def_property(
            "seed", [](BoundTrainer& t) { return t.trainer().seed(); },
            [](BoundTrainer& t, uint64_t seed) { t.trainer().set_seed(seed); })
        .def_property_readonly("learning_rate_override",
                               [](BoundTrainer& t) { return t.trainer().learning_rate_override(); })
        .def(
            "save_training",
            [](BoundTrainer& t, const std::string& path, const Metadata& extra,
               const std::map<std::string, py::array>& given, bool overwrite) {
                std::map<std::string, Array> arrays;
                for (const auto& [name, array] : given) arrays.emplace(name, borrow(array, name));
                const WithoutGil without;  // `given` keeps the arrays' memory
                save_training(t.trainer(), path, extra, arrays, overwrite);
            },
            py::arg("path"), py::arg("extra"), py::arg("arrays"), py::arg("overwrite"))
        .def(
            "load_training", [](BoundTrainer& t, const std::string& path) { load_training(t.trainer(), path); },
            py::arg("path"), py::call_guard<WithoutGil>())
        .def_property_readonly("slot_count", [](BoundTrainer& t) { return t.trainer().slot_count(); })
        .def("slot", &BoundTrainer::slot, py::arg("index"))
        .def("set_slot", &BoundTrainer::set_slot, py::arg("index"), py::arg("value"));

    m.def(
        "load_training_extra",
        [](const std::string& path) {
            TrainingExtra extra;
            {
                const WithoutGil without;
                extra = load_training_extra(path);
            }
            py::dict arrays;
            for (auto& [name, tensor] : extra.arrays) arrays[py::str(name)] = to_numpy(std::move(tensor));
            return py::make_tuple(extra.metadata, arrays);
        },
        py::arg("path"));
}

}  // namespace striate::bindings
