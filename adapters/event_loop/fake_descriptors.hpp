// Descriptors that exist only in this process, so that fakes can be watched without the kernel.
#pragma once

#include <map>

namespace cmirror {

/// Hands out numbers that no real descriptor has, always the same ones in the same order, and knows which are readable.
class FakeDescriptors {
  public:
    static constexpr int first = 1 << 24;

    static bool is_fake(int descriptor) { return descriptor >= first; }

    int open() {
        readable_.emplace(next_, false);
        return next_++;
    }
    void close(int descriptor) { readable_.erase(descriptor); }
    /// Stays readable until told otherwise, as a descriptor does while something waits.
    void set_readable(int descriptor, bool readable) {
        if (const auto found = readable_.find(descriptor); found != readable_.end()) found->second = readable;
    }
    bool is_readable(int descriptor) const {
        const auto found = readable_.find(descriptor);
        return found != readable_.end() && found->second;
    }

  private:
    int next_ = first;
    std::map<int, bool> readable_;
};

}  // namespace cmirror
