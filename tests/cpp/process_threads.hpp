// Processes that train together, as threads of one: an Exchange through memory.
#pragma once

#include <condition_variable>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "striate/exchange.hpp"

namespace striate::test {

class Room {
  public:
    explicit Room(int processes) : size(processes) {}

    const int size;
    std::mutex mutex;
    std::condition_variable changed;
    std::map<std::pair<int, int>, std::deque<std::vector<char>>> mail;  // by sender and receiver

    void put(int from, int to, const void* data, size_t bytes) {
        const std::lock_guard<std::mutex> lock(mutex);
        const char* const begin = static_cast<const char*>(data);
        mail[{from, to}].emplace_back(begin, begin + bytes);
        changed.notify_all();
    }
    std::vector<char> take(int from, int to) {
        std::unique_lock<std::mutex> lock(mutex);
        auto& letters = mail[{from, to}];
        changed.wait(lock, [&] { return !letters.empty(); });
        std::vector<char> letter = std::move(letters.front());
        letters.pop_front();
        return letter;
    }
};

class RoomExchange : public Exchange {
  public:
    RoomExchange(Room& room, int rank) : room_(room), rank_(rank) {}

    int rank() const override { return rank_; }
    int size() const override { return room_.size; }
    void gather(const void* mine, size_t bytes, void* all) override {
        for (int p = 0; p < room_.size; ++p) room_.put(rank_, p, mine, bytes);
        for (int p = 0; p < room_.size; ++p)
            std::memcpy(static_cast<char*>(all) + static_cast<size_t>(p) * bytes, room_.take(p, rank_).data(), bytes);
    }
    int begin(const std::vector<Part>& send, const std::vector<Part>& receive) override {
        for (const Part& part : send)
            room_.put(rank_, part.peer, part.data, static_cast<size_t>(part.size) * sizeof(float));
        waiting_[++tickets_] = receive;
        return tickets_;
    }
    bool done(int) override { return false; }
    void wait(int ticket) override {
        for (const Part& part : waiting_.at(ticket)) {
            const std::vector<char> letter = room_.take(part.peer, rank_);
            std::memcpy(part.data, letter.data(), letter.size());
        }
        waiting_.erase(ticket);
    }

  private:
    Room& room_;
    int rank_, tickets_ = 0;
    std::map<int, std::vector<Part>> waiting_;
};

// Runs `process(exchange)` in so many threads at once.
inline void in_processes(int count, const std::function<void(Exchange&)>& process) {
    Room room(count);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < count; ++rank)
        threads.emplace_back([&, rank] {
            RoomExchange exchange(room, rank);
            process(exchange);
        });
    for (std::thread& thread : threads) thread.join();
}

}  // namespace striate::test
