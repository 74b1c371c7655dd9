#include "striate/feed.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "input/rows.hpp"
#include "striate/error.hpp"
#include "striate/runtime.hpp"
#include "threads.hpp"

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#ifdef __linux__
#include <sys/resource.h>
#endif

namespace striate {
namespace {

using Clock = std::chrono::steady_clock;

// Rows are claimed so many pixels at a time: enough work for the lock to cost nothing beside it.
constexpr int64_t kPixelsAtOnce = 4096;

int64_t process() {
#if defined(__unix__) || defined(__APPLE__)
    return static_cast<int64_t>(getpid());
#else
    return 0;
#endif
}

// The step's threads go first: taking a core from one of them would keep the others waiting at every barrier. What is
// not ready in the end, the caller helps to make.
void yield_to_others() {
#ifdef __linux__
    (void)setpriority(PRIO_PROCESS, 0, 19);  // of this thread alone
#endif
}

}  // namespace

struct Feed::Impl {
    // What the thread and the caller share. A fork's child has no thread, and maybe a lock that nobody will open: it
    // leaves the whole of it behind.
    struct Shared {
        std::mutex mutex;
        std::condition_variable work, done;
        std::thread thread;
        int64_t owner = process();
        bool stop = false;
        int64_t batches = 0;         // of the epoch
        int64_t allowed = 0;         // batches below may be made: their buffer is free
        int64_t making = 0;          // the batch that is being made; all before are ready
        int64_t claimed = 0;         // rows of it that somebody makes or has made
        int64_t made = 0;            // rows of it that are there
        std::exception_ptr failure;  // of a row; it ends the epoch
    };
    using Lock = std::unique_lock<std::mutex>;

    Dataset buffers;
    std::vector<AlignedBuffer> memory;
    std::vector<Column> columns;
    int64_t data_rows = 0, batch = 0, grain = 1;
    std::vector<RowMaker> makers;  // the thread's and the caller's

    std::vector<int64_t> order;
    uint64_t epoch = 0;
    int64_t taken = 0;  // batches that next() has returned
    Clock::duration waited{};
    std::unique_ptr<Shared> shared;

    ~Impl() { close(); }
    void close();
    Array add(const Array& source, Follows follows);
    int64_t rows_of(int64_t number) const {
        return std::min(batch, static_cast<int64_t>(order.size()) - number * batch);
    }
    bool any_left(const Shared& s) const {
        return s.making < std::min(s.allowed, s.batches) && s.claimed < rows_of(s.making);
    }
    void make_some(Shared& s, Lock& lock, RowMaker& maker);
    void run(Shared& s);
    void start();
    Shared& mine();
};

void Feed::Impl::close() {
    if (!shared) return;
    if (shared->owner != process()) {
        (void)shared.release();
        return;
    }
    {
        const Lock lock(shared->mutex);
        shared->stop = true;
    }
    shared->work.notify_all();
    if (shared->thread.joinable()) shared->thread.join();
    shared.reset();
}

Array Feed::Impl::add(const Array& source, Follows follows) {
    Column column{source, nullptr, follows, 0, 0};
    Array buffer = source;
    buffer.shape[0] = 2 * batch;
    column.row_bytes = static_cast<size_t>(element_count(source.shape) / source.shape[0]) * byte_size(source.type);
    if (follows == Follows::pixels)
        column.pixel_bytes = column.row_bytes / static_cast<size_t>(source.shape[1] * source.shape[2]);
    memory.emplace_back(std::max<size_t>(1, static_cast<size_t>(element_count(buffer.shape)) * byte_size(source.type)));
    column.to = memory.back().data();
    buffer.data = column.to;
    // Rows of the data, so that checks of the buffers find valid targets.
    for (int64_t row = 0; row < 2 * batch; ++row)
        std::memcpy(
            column.to + static_cast<size_t>(row) * column.row_bytes,
            static_cast<const std::byte*>(source.data) + static_cast<size_t>(row % data_rows) * column.row_bytes,
            column.row_bytes);
    columns.push_back(std::move(column));
    return buffer;
}

// Makes a few rows of the batch that is due, without the lock. An exception, of memory that ran out say, is kept for
// next(): this may be the thread's, which must not throw.
void Feed::Impl::make_some(Shared& s, Lock& lock, RowMaker& maker) {
    const int64_t number = s.making, rows = rows_of(number), first = s.claimed;
    const int64_t count = std::min(grain, rows - first);
    s.claimed += count;
    lock.unlock();
    std::exception_ptr failure;
    try {
        for (int64_t i = first; i < first + count; ++i)
            maker.make(columns, order[static_cast<size_t>(number * batch + i)], number % 2 * batch + i, epoch);
    } catch (...) {
        failure = std::current_exception();
    }
    lock.lock();
    s.made += count;
    if (failure) {
        s.failure = failure;
        s.batches = 0;
        s.done.notify_all();
        return;
    }
    if (s.made == rows) {
        ++s.making;
        s.claimed = s.made = 0;
    }
    if (s.claimed == s.made) s.done.notify_all();
}

void Feed::Impl::run(Shared& s) {
    yield_to_others();
    Lock lock(s.mutex);
    while (true) {
        s.work.wait(lock, [&] { return s.stop || any_left(s); });
        if (s.stop) return;
        make_some(s, lock, makers[0]);
    }
}

void Feed::Impl::start() {
    shared = std::make_unique<Shared>();
    try {
        shared->thread = quiet_thread([this, s = shared.get()] { run(*s); });
    } catch (const std::system_error&) {
        warn_of_few_threads("batches are augmented between the steps, not beside them");
    }
}

Feed::Impl::Shared& Feed::Impl::mine() {
    require(shared != nullptr, "the feed is closed");
    if (shared->owner != process()) {
        auto alone = std::make_unique<Shared>();
        alone->batches = shared->batches;
        alone->allowed = alone->making = taken;  // what the thread had begun is begun again
        (void)shared.release();
        shared = std::move(alone);
    }
    return *shared;
}

Feed::Feed(const Dataset& data, int64_t batch, const Augmentation& change, const std::vector<Follows>& targets,
           const std::vector<Follows>& weights, double least_visible)
    : impl_(std::make_unique<Impl>()) {
    Impl& f = *impl_;
    require(batch > 0, "a feed's batch must be positive, got ", batch);
    require(data.inputs.size() == 1, "augmentation is for models with one input, got ", data.inputs.size());
    require(targets.size() == data.targets.size(), "a feed of ", data.targets.size(), " targets got ", targets.size(),
            " ways to follow");
    require(weights.size() == data.weights.size(), "a feed of ", data.weights.size(), " arrays of weights got ",
            weights.size(), " ways to follow");
    const Array& images = data.inputs[0];
    require(images.shape.size() == 4, "augmentation expects images (N, H, W, C), got shape ", to_string(images.shape));
    f.data_rows = images.shape[0];
    f.batch = batch;
    require(f.data_rows > 0, "a feed needs at least one row");
    const Shape image(images.shape.begin() + 1, images.shape.end());
    const auto with_boxes = [](const std::vector<Follows>& ways) {
        return std::find(ways.begin(), ways.end(), Follows::boxes) != ways.end();
    };
    const bool boxes = with_boxes(targets) || with_boxes(weights);
    const Augmentation resolved = boxes ? for_boxes(change) : change;
    for (int i = 0; i < 2; ++i) f.makers.emplace_back(resolved, image, images.type, least_visible);
    f.grain = std::max<int64_t>(1, kPixelsAtOnce / (image[0] * image[1]));
    const auto check = [&](const Array& array, Follows follows, const char* what) {
        require(!array.shape.empty() && array.shape[0] == f.data_rows, what, " have shape ", to_string(array.shape),
                " for ", f.data_rows, " images");
        check_follows(array, follows, image, what);
    };
    f.buffers.inputs.push_back(f.add(images, Follows::nothing));
    const auto add_all = [&](const std::vector<Array>& arrays, const std::vector<Follows>& ways, const char* what,
                             std::vector<Array>& to) {
        for (size_t i = 0; i < arrays.size(); ++i) {
            if (!arrays[i].data) {
                to.emplace_back();
                continue;
            }
            check(arrays[i], ways[i], what);
            to.push_back(f.add(arrays[i], ways[i]));
        }
    };
    add_all(data.targets, targets, "targets", f.buffers.targets);
    add_all(data.weights, weights, "sample weights", f.buffers.weights);
    f.start();
}

Feed::~Feed() = default;

const Dataset& Feed::buffers() const {
    return impl_->buffers;
}

void Feed::begin(const int64_t* order, int64_t count, uint64_t epoch) {
    Impl& f = *impl_;
    std::vector<int64_t> rows(order, order + count);
    for (const int64_t row : rows)
        require(row >= 0 && row < f.data_rows, "row ", row, " is not within the ", f.data_rows, " rows of the data");
    Impl::Shared& s = f.mine();
    {
        Impl::Lock lock(s.mutex);
        s.batches = 0;  // nothing more of the epoch before
        s.done.wait(lock, [&] { return s.claimed == s.made; });
        f.order = std::move(rows);
        s.failure = nullptr;
        f.epoch = epoch;
        f.taken = 0;
        s.making = s.claimed = s.made = 0;
        s.batches = (count + f.batch - 1) / f.batch;
        s.allowed = 2;
    }
    s.work.notify_one();
}

int64_t Feed::next() {
    Impl& f = *impl_;
    const Clock::time_point began = Clock::now();
    Impl::Shared& s = f.mine();
    Impl::Lock lock(s.mutex);
    if (s.failure) std::rethrow_exception(s.failure);
    require(f.taken < s.batches, "a feed's epoch of ", s.batches, " batches is over; begin() another");
    // The caller is done with the batch before, so that its buffer takes the one after this.
    s.allowed = f.taken + 2;
    s.work.notify_one();
    while (s.making <= f.taken) {
        if (s.failure) std::rethrow_exception(s.failure);
        if (f.any_left(s))
            f.make_some(s, lock, f.makers[1]);
        else
            s.done.wait(lock);
    }
    lock.unlock();
    f.waited += Clock::now() - began;
    return f.taken++ % 2 * f.batch;
}

void Feed::close() {
    impl_->close();
}

double Feed::waited() const {
    return std::chrono::duration<double>(impl_->waited).count();
}

}  // namespace striate
