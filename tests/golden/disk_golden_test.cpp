#include <gtest/gtest.h>

#include <array>

#include "messages/wire_disk.hpp"
#include "tests/golden/golden_data.hpp"

namespace cmirror {
namespace {

constexpr std::uint64_t region_count = 70;

class RecordedDevice : public testing::Test {
  protected:
    std::vector<std::byte> image_ = golden::recorded_image("three-nodes-disk.image.xxd", 4096);
};

TEST_F(RecordedDevice, header_tells_version_and_regions) {
    EXPECT_EQ(unpack_device_header(image_), (DeviceHeader{device_version, region_count}));
}

TEST_F(RecordedDevice, three_regions_are_clean_and_in_sync) {
    std::array<std::uint32_t, device_words(region_count)> words{};
    unpack_device_words(std::span(image_).subspan(device_header_size), words);
    EXPECT_EQ(words, (std::array<std::uint32_t, 3>{7, 0, 0}));
}

TEST_F(RecordedDevice, image_is_written_as_it_was_recorded) {
    std::vector<std::byte> written(image_.size());
    pack_device_header({device_version, region_count}, written);
    pack_device_words(std::array<std::uint32_t, 3>{7, 0, 0}, std::span(written).subspan(device_header_size));
    EXPECT_EQ(written, image_);
}

}  // namespace
}  // namespace cmirror
