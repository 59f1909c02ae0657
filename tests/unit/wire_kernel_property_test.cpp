// Any request of the kernel survives the wire; any bytes are read without harm.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "messages/wire_kernel.hpp"

namespace cmirror {
namespace {

using Bytes = std::vector<std::byte>;

constexpr std::size_t headers_size = 196;
/// Bytes of data behind the headers in a request of the kernel at most (spec/kernel.md, "Transport").
constexpr std::size_t data_size_max = 332;

template <class Number>
Number any() {
    return *rc::gen::arbitrary<Number>();
}

RegionList any_regions(std::size_t count_min) {
    RegionList regions;
    for (auto count = *rc::gen::inRange(count_min, RegionList::capacity + 1); count > 0; --count)
        regions.push_back(any<RegionNumber>());
    return regions;
}

std::string any_text() {
    const auto size = *rc::gen::inRange<std::size_t>(1, data_size_max);
    return *rc::gen::container<std::string>(size, rc::gen::inRange<char>(' ', '~'));
}

RequestPayload any_payload(RequestType type) {
    switch (type) {
        case RequestType::ctr:
            return ConstructorText{any_text(), any<bool>()};
        case RequestType::is_clean:
        case RequestType::in_sync:
        case RequestType::is_remote_recovering:
            return any<RegionNumber>();
        case RequestType::mark_region:
        case RequestType::clear_region:
            return any_regions(1);
        case RequestType::flush:
            return any_regions(0);
        case RequestType::set_region_sync:
            return RegionSync{any<RegionNumber>(), any<bool>()};
        default:
            return std::monostate{};
    }
}

KernelRequest any_request() {
    const auto type = static_cast<RequestType>(*rc::gen::inRange(1, 18));
    const std::string uuid(*rc::gen::inRange<std::size_t>(1, Uuid::length_max + 1), 'u');
    return {.seq = any<std::uint32_t>(),
            .type = type,
            .version = *rc::gen::inRange(1U, 5U),
            .luid = any<Luid>(),
            .uuid = *Uuid::from_text(uuid),
            .payload = any_payload(type)};
}

Bytes frame_of(const KernelRequest& request) {
    Bytes frame(kernel_frame_size_max);
    frame.resize(pack_kernel_request(request, frame));
    return frame;
}

bool is_same(const KernelRequest& a, const KernelRequest& b) {
    return a.seq == b.seq && a.type == b.type && a.version == b.version && a.luid == b.luid && a.uuid == b.uuid &&
           a.payload == b.payload;
}

/// The request in a frame that lies in memory of exactly its size, where a sanitizer sees a read past it.
Result<KernelRequest, BadKernelFrame> read(const Bytes& frame) {
    const Bytes exact(frame.begin(), frame.end());
    static_cast<void>(unpack_kernel_reply(exact));
    return unpack_kernel_request(exact);
}

RC_GTEST_PROP(WireKernelProperty, requests_survive_the_wire, ()) {
    const auto request = any_request();
    const auto read_back = read(frame_of(request));
    RC_ASSERT(read_back && is_same(*read_back, request));
}

RC_GTEST_PROP(WireKernelProperty, any_bytes_are_read_without_harm, (const std::vector<std::uint8_t>& bytes)) {
    Bytes frame(bytes.size());
    if (!bytes.empty()) std::memcpy(frame.data(), bytes.data(), bytes.size());
    RC_ASSERT(!read(frame).has_value());
}

RC_GTEST_PROP(WireKernelProperty, what_is_accepted_of_a_changed_frame_could_have_been_sent, ()) {
    Bytes frame = frame_of(any_request());
    for (auto changes = *rc::gen::inRange(1, 8); changes > 0; --changes)
        frame[*rc::gen::inRange<std::size_t>(0, frame.size())] = static_cast<std::byte>(any<std::uint8_t>());
    const auto request = read(frame);
    if (!request) return;
    const auto again = read(frame_of(*request));
    RC_ASSERT(again && is_same(*again, *request));
}

RC_GTEST_PROP(WireKernelProperty, frame_cut_in_its_headers_is_dropped, ()) {
    Bytes frame = frame_of(any_request());
    frame.resize(*rc::gen::inRange<std::size_t>(0, headers_size));
    const auto request = read(frame);
    RC_ASSERT(!request && !request.error().answer_to);
}

RC_GTEST_PROP(WireKernelProperty, data_of_any_size_is_taken_or_refused, ()) {
    auto request = any_request();
    request.payload = ConstructorText{any_text(), false};
    Bytes frame = frame_of(request);
    // The text becomes the data of a request of another type.
    const auto type = *rc::gen::inRange<std::uint32_t>(0, 20);
    std::memcpy(&frame[188], &type, sizeof type);
    const auto read_back = read(frame);
    if (!read_back) {
        RC_ASSERT(read_back.error().answer_to && read_back.error().answer_to->raw_type == type);
        return;
    }
    RC_ASSERT(is_same(*read(frame_of(*read_back)), *read_back));
}

RC_GTEST_PROP(WireKernelProperty, integers_survive_the_way_back, (std::uint64_t value, std::uint32_t seq)) {
    std::array<std::byte, kernel_frame_size_max> out{};
    const std::size_t size = pack_kernel_reply({seq, RequestType::get_sync_count, 5, 0, value}, out);
    const auto reply = unpack_kernel_reply(std::span(out).first(size));
    RC_ASSERT(reply && reply->seq == seq && reply->data.size() == sizeof value);
    RC_ASSERT(std::memcmp(reply->data.data(), &value, sizeof value) == 0);
}

}  // namespace
}  // namespace cmirror
