#include "adapters/block_device/fake_block_device.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>

namespace cmirror {
namespace {

using Call = FakeDisk::Call;

class FakeBlockDeviceTests : public ::testing::Test {
  protected:
    FakeBlockDeviceTests() { provider.add("7:0", disk); }

    static DeviceBlocks block(std::uint64_t offset, std::size_t size, int value) {
        return {{offset, std::vector<std::byte>(size, static_cast<std::byte>(value))}};
    }

    std::shared_ptr<FakeDisk> disk = std::make_shared<FakeDisk>(10'000);
    FakeBlockDeviceProvider provider;
    FakeBlockDevice device{disk};
    std::array<std::byte, 4> four{};
};

TEST_F(FakeBlockDeviceTests, what_was_written_is_read_after_opening_again) {
    ASSERT_TRUE(device.write_durably(block(4096, 4096, 7)).has_value());
    auto again = provider.open("7:0");
    ASSERT_TRUE(again.has_value());
    ASSERT_TRUE((*again)->read(4098, four).has_value());
    EXPECT_EQ(four[3], std::byte{7});
    EXPECT_EQ((*again)->size_bytes(), 10'000U);
}

TEST_F(FakeBlockDeviceTests, unknown_name_is_no_device) {
    EXPECT_EQ(provider.open("7:1").error().code, ENXIO);
}

TEST_F(FakeBlockDeviceTests, nothing_lies_past_the_end) {
    EXPECT_EQ(device.read(9'998, four).error().code, EINVAL);
    EXPECT_EQ(device.write_durably(block(8192, 4096, 1)).error().code, EINVAL);
    EXPECT_TRUE(device.write_durably(block(8192, 1808, 1)).has_value());
}

TEST_F(FakeBlockDeviceTests, calls_fail_as_often_as_told) {
    disk->fail_next(Call::read, EIO);
    EXPECT_EQ(device.read(0, four).error().code, EIO);
    EXPECT_TRUE(device.read(0, four).has_value());
    disk->fail_next(Call::write, ENOSPC, 2);
    EXPECT_EQ(device.write_durably(block(0, 1, 1)).error().code, ENOSPC);
    EXPECT_EQ(device.write_durably(block(0, 1, 1)).error().code, ENOSPC);
    EXPECT_TRUE(device.write_durably(block(0, 1, 1)).has_value());
}

TEST_F(FakeBlockDeviceTests, torn_write_leaves_its_beginning) {
    disk->tear_next_write(3, EIO);
    EXPECT_EQ(device.write_durably(block(0, 4096, 9)).error().code, EIO);
    EXPECT_EQ(disk->bytes()[2], std::byte{9});
    EXPECT_EQ(disk->bytes()[3], std::byte{0});
}

TEST_F(FakeBlockDeviceTests, power_lost_in_a_write_takes_the_rest_of_it) {
    disk->lose_power_in_next_write(4096);
    auto blocks = block(0, 4096, 1);
    blocks.push_back(block(4096, 4096, 2)[0]);
    EXPECT_EQ(device.write_durably(blocks).error().code, ENODEV);
    EXPECT_FALSE(provider.open("7:0").has_value());
    disk->comes_back();
    EXPECT_TRUE(device.read(4095, four).has_value());
    EXPECT_EQ(four[0], std::byte{1});
    EXPECT_EQ(four[1], std::byte{0});
}

TEST_F(FakeBlockDeviceTests, disk_that_is_away_fails_every_call) {
    disk->goes_away();
    EXPECT_EQ(device.read(0, four).error().code, ENODEV);
    EXPECT_EQ(device.write_durably(block(0, 1, 1)).error().code, ENODEV);
    EXPECT_EQ(provider.open("7:0").error().code, ENODEV);
}

TEST_F(FakeBlockDeviceTests, hook_sees_each_call) {
    int calls = 0;
    disk->on_call([&](Call) { ++calls; });
    EXPECT_TRUE(device.read(0, four).has_value());
    EXPECT_TRUE(device.write_durably({}).has_value());
    EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace cmirror
