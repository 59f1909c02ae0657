#include "messages/wire_disk.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace cmirror {
namespace {

class WireDisk : public testing::Test {
  protected:
    WireDisk() { pack_device_header({2, 70}, bytes_); }

    std::vector<std::byte> bytes_ = std::vector<std::byte>(device_header_size, std::byte{0xFF});
};

TEST_F(WireDisk, header_survives) {
    EXPECT_EQ(unpack_device_header(bytes_), (DeviceHeader{2, 70}));
}
TEST_F(WireDisk, magic_lies_little_endian) {
    const std::array expected{std::byte{0x72}, std::byte{0x52}, std::byte{0x69}, std::byte{0x4d}};
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), bytes_.begin()));
}
TEST_F(WireDisk, rest_of_the_header_is_zero) {
    EXPECT_TRUE(std::all_of(bytes_.begin() + 16, bytes_.end(), [](std::byte byte) { return byte == std::byte{0}; }));
}
TEST_F(WireDisk, other_magic_is_no_log) {
    bytes_[0] ^= std::byte{1};
    EXPECT_EQ(unpack_device_header(bytes_), std::nullopt);
}
TEST_F(WireDisk, another_version_is_told) {
    pack_device_header({3, 70}, bytes_);
    EXPECT_EQ(unpack_device_header(bytes_)->version, 3U);
}
TEST_F(WireDisk, short_header_is_no_log) {
    bytes_.pop_back();
    EXPECT_EQ(unpack_device_header(bytes_), std::nullopt);
}
TEST_F(WireDisk, map_of_no_regions_has_no_words) {
    EXPECT_EQ(device_words(0), 0U);
}
TEST_F(WireDisk, map_of_32_regions_has_one_word) {
    EXPECT_EQ(device_words(32), 1U);
}
TEST_F(WireDisk, map_of_33_regions_has_two_words) {
    EXPECT_EQ(device_words(33), 2U);
}
TEST_F(WireDisk, map_begins_at_1024) {
    EXPECT_EQ(device_bytes(1), 1028U);
}
TEST_F(WireDisk, first_block_holds_the_first_24576_regions) {
    EXPECT_EQ(device_block_of(24575), 0U);
}
TEST_F(WireDisk, second_block_begins_with_region_24576) {
    EXPECT_EQ(device_block_of(24576), 1U);
}
TEST_F(WireDisk, lowest_bit_of_the_first_byte_is_region_0) {
    std::array<std::byte, 4> out{};
    pack_device_words(std::array{1U}, out);
    EXPECT_EQ(out[0], std::byte{1});
}

RC_GTEST_PROP(WireDiskProperty, words_survive, (const std::vector<std::uint32_t>& words)) {
    std::vector<std::byte> bytes(words.size() * 4);
    pack_device_words(words, bytes);
    std::vector<std::uint32_t> read(words.size());
    unpack_device_words(bytes, read);
    RC_ASSERT(read == words);
}

RC_GTEST_PROP(WireDiskProperty, headers_survive, (std::uint32_t version, std::uint64_t region_count)) {
    std::vector<std::byte> bytes(device_header_size);
    pack_device_header({version, region_count}, bytes);
    RC_ASSERT(unpack_device_header(bytes) == (DeviceHeader{version, region_count}));
}

RC_GTEST_PROP(WireDiskProperty, any_bytes_are_read_without_harm, (const std::vector<std::uint8_t>& bytes)) {
    RC_ASSERT(!unpack_device_header(std::as_bytes(std::span(bytes))) || bytes.size() >= device_header_size);
}

}  // namespace
}  // namespace cmirror
