// Threads of a circuit kernel's call.
#pragma once
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "circuit/circuit_kernels.hpp"

// They wait for the next round awake, because a round may last only microseconds.
class Threads {
 public:
  explicit Threads(int64_t workers) {
    for (int64_t worker = 1; worker < workers; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
  }
  ~Threads() {
    stop_ = true;
    round_.fetch_add(1, std::memory_order_release);
    for (auto& thread : threads_) thread.join();
  }
  fewlevels::Team team() { return {run, this, (int64_t)threads_.size() + 1}; }

 private:
  using Task = void (*)(void*, int64_t, int64_t);

  static void run(void* self, int64_t tasks, Task task, void* context) {
    Threads& t = *(Threads*)self;
    if (t.threads_.empty() || tasks == 1) {
      for (int64_t index = 0; index < tasks; ++index) task(context, index, 0);
      return;
    }
    t.task_ = task, t.context_ = context, t.tasks_ = tasks;
    t.next_.store(0, std::memory_order_relaxed);
    t.busy_.store((int64_t)t.threads_.size(), std::memory_order_relaxed);
    t.round_.fetch_add(1, std::memory_order_release);
    t.work(0);
    wait([&] { return t.busy_.load(std::memory_order_acquire) == 0; });
  }
  template <class Ready>
  static void wait(const Ready& ready) {
    for (int turn = 0; !ready(); ++turn)
      if (turn > 4000) std::this_thread::yield();
  }
  void work(int64_t worker) {
    for (int64_t index; (index = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;)
      task_(context_, index, worker);
  }
  void serve(int64_t worker) {
    for (int64_t seen = 0;;) {
      wait([&] { return round_.load(std::memory_order_acquire) != seen; });
      ++seen;
      if (stop_) return;
      work(worker);
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  std::atomic<int64_t> round_{0}, next_{0}, busy_{0};
  std::atomic<bool> stop_{false};
  Task task_ = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
};
