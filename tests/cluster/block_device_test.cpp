// The block device adapter against a real loop device.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "adapters/block_device/linux_block_device.hpp"
#include "tests/cluster/loop_device.hpp"

namespace cmirror {
namespace {

constexpr std::uint64_t size = (1U << 20) + 512;

class BlockDeviceTests : public ::testing::Test {
  protected:
    BlockDeviceTests() {
        auto opened = provider.open(loop.path);
        EXPECT_TRUE(opened.has_value()) << opened.error().text;
        if (opened) device = std::move(*opened);
    }
    void SetUp() override { ASSERT_NE(device, nullptr); }

    static DeviceBlock block(std::uint64_t offset, std::size_t bytes, char value) {
        return {offset, std::vector<std::byte>(bytes, static_cast<std::byte>(value))};
    }
    std::string read(std::uint64_t offset, std::size_t bytes) {
        std::vector<std::byte> out(bytes);
        const auto outcome = device->read(offset, out);
        EXPECT_TRUE(outcome.has_value()) << outcome.error().text;
        return {reinterpret_cast<const char*>(out.data()), out.size()};
    }

    LoopDevice loop{size};
    LinuxBlockDeviceProvider provider;
    std::unique_ptr<BlockDevice> device;
};

TEST_F(BlockDeviceTests, size_is_the_device_s) {
    EXPECT_EQ(device->size_bytes(), size);
}

TEST_F(BlockDeviceTests, device_is_found_by_its_number) {
    const auto by_number = provider.open(loop.number);
    ASSERT_TRUE(by_number.has_value()) << by_number.error().text;
    EXPECT_EQ((*by_number)->size_bytes(), size);
}

TEST_F(BlockDeviceTests, written_blocks_are_on_the_device) {
    const auto outcome =
        device->write_durably({block(4096, 4096, 'a'), block(8192, 4096, 'b'), block(65536, 4096, 'c')});
    ASSERT_TRUE(outcome.has_value()) << outcome.error().text;
    EXPECT_EQ(read(4095, 2), std::string("\0a", 2));
    EXPECT_EQ(read(8191, 2), "ab");
    EXPECT_EQ(read(65536, 4096), std::string(4096, 'c'));
    EXPECT_EQ(loop.image().substr(8192, 4096), std::string(4096, 'b'));
}

TEST_F(BlockDeviceTests, reads_at_any_offset_and_length_give_what_is_there) {
    DeviceBlocks blocks;
    for (std::uint64_t i = 0; i < size / 4096; ++i)
        blocks.push_back(block(i * 4096, 4096, static_cast<char>('A' + i % 26)));
    ASSERT_TRUE(device->write_durably(blocks).has_value());
    const auto image = loop.image();
    for (const auto& [offset, bytes] : {std::pair<std::size_t, std::size_t>{0, size},
                                        {1, 1},
                                        {511, 2},
                                        {4095, 131'073},
                                        {131'071, 262'144},
                                        {size - 1, 1},
                                        {size, 0}})
        EXPECT_EQ(read(offset, bytes), image.substr(offset, bytes)) << offset << "+" << bytes;
}

TEST_F(BlockDeviceTests, last_partial_block_is_written) {
    ASSERT_TRUE(device->write_durably({block(1U << 20, 512, 'z')}).has_value());
    EXPECT_EQ(read(size - 512, 512), std::string(512, 'z'));
}

TEST_F(BlockDeviceTests, part_of_a_sector_leaves_the_rest_of_it) {
    ASSERT_TRUE(device->write_durably({block(0, 4096, 'x')}).has_value());
    ASSERT_TRUE(device->write_durably({block(0, 700, 'y')}).has_value());
    EXPECT_EQ(read(0, 1024), std::string(700, 'y') + std::string(324, 'x'));
}

TEST_F(BlockDeviceTests, nothing_is_read_or_written_past_the_end) {
    std::vector<std::byte> out(1024);
    EXPECT_EQ(device->read(size - 512, out).error().code, EINVAL);
    EXPECT_EQ(device->read(UINT64_MAX, out).error().code, EINVAL);
    const auto outcome = device->write_durably({block(0, 4096, 'x'), block(1U << 20, 4096, 'y')});
    EXPECT_EQ(outcome.error().code, EINVAL);
    EXPECT_EQ(read(0, 1), std::string(1, '\0'));
}

TEST_F(BlockDeviceTests, device_that_shrank_gives_an_error) {
    loop.resize(4096);
    std::vector<std::byte> out(512);
    EXPECT_FALSE(device->read(8192, out).has_value());
    EXPECT_FALSE(device->write_durably({block(8192, 4096, 'x')}).has_value());
}

TEST_F(BlockDeviceTests, no_bytes_are_no_write) {
    EXPECT_TRUE(device->write_durably({}).has_value());
}

TEST_F(BlockDeviceTests, regular_file_is_not_a_device) {
    const auto opened = provider.open(loop.folder + "/image");
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ENOTBLK);
}

TEST_F(BlockDeviceTests, character_device_is_not_a_block_device) {
    EXPECT_EQ(provider.open("/dev/null").error().code, ENOTBLK);
}

TEST_F(BlockDeviceTests, names_that_mean_nothing_are_refused) {
    EXPECT_EQ(provider.open("").error().code, EINVAL);
    EXPECT_EQ(provider.open("loop0").error().code, EINVAL);
    EXPECT_EQ(provider.open("7:").error().code, EINVAL);
    EXPECT_EQ(provider.open("4000:1").error().code, ENXIO);
    EXPECT_EQ(provider.open("/dev/there-is-no-such-device").error().code, ENOENT);
}

TEST_F(BlockDeviceTests, number_without_a_node_says_what_to_do) {
    const auto opened = LinuxBlockDeviceProvider{{loop.folder, "/sys"}}.open(loop.number);
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().text.find("mknod"), std::string::npos) << opened.error().text;
}

TEST_F(BlockDeviceTests, link_that_leads_to_another_device_is_not_believed) {
    const LoopDevice other{4096};
    std::filesystem::create_directory(loop.folder + "/block");
    std::filesystem::create_symlink(other.path, loop.folder + "/block/" + loop.number);
    std::filesystem::create_symlink(loop.path, loop.folder + "/" + loop.path.substr(5));
    // Neither the stale link nor a link in place of the node.
    EXPECT_FALSE((LinuxBlockDeviceProvider{{loop.folder, "/sys"}}.open(loop.number).has_value()));
    std::filesystem::remove(loop.folder + "/block/" + loop.number);
    std::filesystem::create_symlink(loop.path, loop.folder + "/block/" + loop.number);
    EXPECT_TRUE((LinuxBlockDeviceProvider{{loop.folder, "/sys"}}.open(loop.number).has_value()));
}

}  // namespace
}  // namespace cmirror
