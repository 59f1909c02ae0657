#include "messages/kernel_payload.hpp"

#include <cstring>
#include <type_traits>

#include "messages/invariant.hpp"

namespace cmirror {
namespace {

RegionNumber region_at(std::span<const std::byte> data, std::size_t index) {
    CMIRROR_INVARIANT(index < data.size() / sizeof(RegionNumber));
    RegionNumber region = 0;
    std::memcpy(&region, data.data() + index * sizeof region, sizeof region);
    return region;
}

Failure<KernelFrameFault> wrong_size() {
    return Failure<KernelFrameFault>(KernelFrameFault::wrong_data_size);
}

Result<RequestPayload, KernelFrameFault> unpack_regions(std::span<const std::byte> data) {
    const std::size_t count = data.size() / sizeof(RegionNumber);
    if (data.size() % sizeof(RegionNumber) != 0 || count > RegionList::capacity) return wrong_size();
    RegionList regions;
    for (std::size_t i = 0; i < count; ++i)
        regions.push_back(region_at(data, i));
    return regions;
}

/// `behind` are the datagram's bytes behind the data. A first CTR does not count its NUL, and the datagram has it only
/// as padding (spec/kernel.md, "Transport"); so its text ends with the data, or with the NUL that is the last byte.
Result<RequestPayload, KernelFrameFault> unpack_text(std::span<const std::byte> data,
                                                     std::span<const std::byte> behind) {
    if (data.empty()) return wrong_size();
    ConstructorText constructor;
    constructor.reconnect = data.back() == std::byte{0};
    if (!constructor.reconnect && !behind.empty() && behind.front() != std::byte{0})
        return Failure<KernelFrameFault>(KernelFrameFault::unterminated_text);
    const std::size_t length = data.size() - (constructor.reconnect ? 1 : 0);
    constructor.text.assign(reinterpret_cast<const char*>(data.data()), length);
    if (length == 0 || constructor.text.find('\0') != std::string::npos) return wrong_size();
    return constructor;
}

/// Puts values one behind the other.
class Writer {
  public:
    explicit Writer(std::span<std::byte> out) : out_(out) {}

    void operator()(std::monostate) const {}
    void operator()(std::uint64_t value) { add(&value, sizeof value); }
    void operator()(const RegionList& regions) {
        for (const RegionNumber region : regions)
            (*this)(region);
    }
    void operator()(const RegionSync& sync) {
        (*this)(sync.region);
        (*this)(std::uint64_t{sync.in_sync});
    }
    void operator()(const ConstructorText& constructor) {
        // c_str(): a reconnect counts the NUL, a first constructor does not.
        add(constructor.text.c_str(), constructor.text.size() + (constructor.reconnect ? 1 : 0));
    }
    void operator()(const FlagAndRegion& pair) {
        (*this)(static_cast<std::uint64_t>(pair.flag));
        (*this)(pair.region);
    }
    void operator()(const std::string& text) { add(text.data(), text.size()); }

    std::size_t size() const { return size_; }

  private:
    void add(const void* bytes, std::size_t size) {
        CMIRROR_INVARIANT(size <= out_.size() - size_);
        std::memcpy(out_.data() + size_, bytes, size);
        size_ += size;
    }

    std::span<std::byte> out_;
    std::size_t size_ = 0;
};

}  // namespace

Result<RequestPayload, KernelFrameFault> unpack_request_payload(RequestType type, std::span<const std::byte> data,
                                                                std::span<const std::byte> behind) {
    switch (type) {
        case RequestType::ctr:
            return unpack_text(data, behind);
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::is_remote_recovering:
            if (data.size() != sizeof(RegionNumber)) return wrong_size();
            return region_at(data, 0);
        case RequestType::mark_region:
        case RequestType::clear_region:
            if (data.empty()) return wrong_size();
            return unpack_regions(data);
        case RequestType::flush:
            return unpack_regions(data);
        case RequestType::set_region_sync:
            if (data.size() != sizeof(RegionNumber) + sizeof(std::int64_t)) return wrong_size();
            return RegionSync{region_at(data, 0), region_at(data, 1) != 0};
        default:
            if (!data.empty()) return wrong_size();
            return std::monostate{};
    }
}

std::size_t pack_request_payload(const RequestPayload& payload, std::span<std::byte> out) {
    Writer writer{out};
    std::visit(writer, payload);
    return writer.size();
}

std::size_t pack_reply_payload(const ReplyPayload& payload, std::span<std::byte> out) {
    Writer writer{out};
    std::visit(writer, payload);
    return writer.size();
}

}  // namespace cmirror
