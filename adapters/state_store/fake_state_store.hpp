// State files in memory, for tests and simulation: they outlive the daemons that use them.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "messages/ports.hpp"

namespace cmirror {

class FakeStateStore final : public StateStore {
  public:
    /// The next calls fail with this text, if it is not empty.
    std::string failure;
    std::map<Luid, std::shared_ptr<std::vector<std::byte>>> files;

    Result<std::unique_ptr<StateFile>, std::string> begin(Luid luid, std::uint64_t size,
                                                          std::span<const StatePatch> patches) override {
        auto bytes = std::make_shared<std::vector<std::byte>>(size);
        auto file = std::make_unique<File>(*this, bytes);
        if (auto written = file->write(patches); !written) return Failure<std::string>(written.error());
        files[luid] = std::move(bytes);
        return file;
    }
    std::optional<std::vector<std::byte>> read(Luid luid) override {
        const auto found = files.find(luid);
        if (found == files.end()) return std::nullopt;
        return *found->second;
    }
    void remove(Luid luid) override { files.erase(luid); }

  private:
    class File final : public StateFile {
      public:
        File(FakeStateStore& store, std::shared_ptr<std::vector<std::byte>> bytes)
            : store_(store), bytes_(std::move(bytes)) {}
        Result<void, std::string> write(std::span<const StatePatch> patches) override {
            if (!store_.failure.empty()) return Failure<std::string>(store_.failure);
            for (const StatePatch& patch : patches)
                std::ranges::copy(patch.bytes, bytes_->begin() + static_cast<std::ptrdiff_t>(patch.offset));
            return {};
        }

      private:
        FakeStateStore& store_;
        std::shared_ptr<std::vector<std::byte>> bytes_;
    };
};

}  // namespace cmirror
