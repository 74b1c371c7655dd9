// Whether a run is worth dealing out to all threads, learned from how long it took. Where other processes hold the
// cores, threads wait for one another at every barrier, and one thread is many times faster. Results are the same bits
// either way, so the choice may follow the clock.
#pragma once

namespace striate {

class Balance {
  public:
    // `expected` is what one thread would take, in seconds, roughly.
    Balance(int threads, double expected) : expected_(expected), extra_(threads - 1) {}

    // What to do next.
    bool shared() const { return shared_; }
    // What it took.
    void took(double seconds);

  private:
    void took_shared(double seconds);
    void took_alone(double seconds);

    static constexpr double kWarmUp = 1e-3;

    double expected_, extra_;  // extra: threads beyond the first
    bool shared_ = true;
    double cold_ = kWarmUp;  // seconds for which runs are no measure: threads that slept wake up, clocks go up
    int samples_ = 0;        // of `together_` since threads were last shared
    bool first_ = true;      // of the runs on one thread that follow one another
    double alone_ = -1.0;    // mean of the last runs on one thread; negative: not known yet
    double together_ = 0.0;  // the same on all threads
    double fastest_ = 0.0;   // of the runs on all threads
    double since_ = 0.0;     // seconds on all threads since one thread was measured
    double debt_ = 0.0;      // seconds lost to threads that did not pay, less what was saved up
};

}  // namespace striate
