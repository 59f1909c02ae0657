#include <gtest/gtest.h>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include <algorithm>
#include <cerrno>

#include "actors/log_device/log_device_actor.hpp"
#include "tests/unit/actor_world.hpp"

namespace cmirror {
namespace {

using test::uuid;

/// A device in memory; calls fail on demand.
struct Disk {
    std::vector<std::byte> bytes;
    int open_error = 0;
    int read_error = 0;
    int write_error = 0;
    std::size_t largest_read = 0;
    int reads = 0;
    int writes = 0;

    void put_log(std::uint64_t region_count, const std::vector<std::uint32_t>& words) {
        pack_device_header({.version = device_version, .region_count = region_count},
                           std::span(bytes).first(device_header_size));
        pack_device_words(words, std::span(bytes).subspan(device_header_size, words.size() * 4));
    }
};

class DiskDevice final : public BlockDevice {
  public:
    explicit DiskDevice(Disk& disk) : disk_(disk) {}
    std::uint64_t size_bytes() const override { return disk_.bytes.size(); }
    Result<void, DeviceError> read(std::uint64_t offset, std::span<std::byte> out) override {
        if (disk_.read_error != 0) return Failure<DeviceError>(DeviceError{disk_.read_error, "cannot"});
        EXPECT_LE(offset + out.size(), disk_.bytes.size());
        ++disk_.reads;
        disk_.largest_read = std::max(disk_.largest_read, out.size());
        std::copy_n(disk_.bytes.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
        return {};
    }
    Result<void, DeviceError> write_durably(const DeviceBlocks& blocks) override {
        if (disk_.write_error != 0) return Failure<DeviceError>(DeviceError{disk_.write_error, "cannot"});
        ++disk_.writes;
        for (const auto& block : blocks)
            std::copy(block.bytes.begin(), block.bytes.end(),
                      disk_.bytes.begin() + static_cast<std::ptrdiff_t>(block.offset));
        return {};
    }

  private:
    Disk& disk_;
};

class DiskProvider final : public BlockDeviceProvider {
  public:
    explicit DiskProvider(Disk& disk) : disk_(disk) {}
    Result<std::unique_ptr<BlockDevice>, DeviceError> open(std::string_view name) override {
        EXPECT_EQ(name, "7:0");
        if (disk_.open_error != 0) return Failure<DeviceError>(DeviceError{disk_.open_error, "cannot"});
        return std::make_unique<DiskDevice>(disk_);
    }

  private:
    Disk& disk_;
};

class LogDeviceCoreTest : public testing::Test {
  protected:
    LogDeviceCoreTest() { disk.bytes.resize(1 << 20); }
    Result<DeviceImage, DeviceError> read(std::uint64_t region_count) {
        EXPECT_TRUE(core.open());
        return core.read(region_count);
    }

    Disk disk;
    DiskProvider provider{disk};
    LogDeviceCore core{provider, "7:0"};
};

using Words = std::vector<std::uint32_t>;

TEST_F(LogDeviceCoreTest, open_gives_the_size) {
    EXPECT_EQ(core.open().value(), disk.bytes.size());
}

TEST_F(LogDeviceCoreTest, open_that_fails_says_why_and_may_be_tried_again) {
    disk.open_error = ENXIO;
    const auto failed = core.open();
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ENXIO);
    EXPECT_EQ(failed.error().text, "cannot");
    disk.open_error = 0;
    EXPECT_TRUE(core.open());
}

TEST_F(LogDeviceCoreTest, read_and_write_need_an_open_device) {
    EXPECT_EQ(core.read(1).error().code, EBADF);
    EXPECT_EQ(core.write({}).error().code, EBADF);
}

TEST_F(LogDeviceCoreTest, read_gives_header_and_words) {
    disk.put_log(70, {1, 2, 3});
    const auto image = read(70).value();
    EXPECT_TRUE(image.is_log);
    EXPECT_EQ(image.version, device_version);
    EXPECT_EQ(image.region_count, 70U);
    EXPECT_EQ(image.words, (Words{1, 2, 3}));
}

TEST_F(LogDeviceCoreTest, grown_mirror_reads_what_is_on_disk) {
    disk.put_log(33, {1, 2, 3});
    EXPECT_EQ(read(700).value().words, (Words{1, 2}));
}

TEST_F(LogDeviceCoreTest, shrunk_mirror_reads_what_was_asked) {
    disk.put_log(96, {1, 2, 3});
    const auto image = read(32).value();
    EXPECT_EQ(image.words, (Words{1}));
    EXPECT_EQ(image.region_count, 96U);
}

TEST_F(LogDeviceCoreTest, absurd_count_on_disk_reads_what_was_asked) {
    disk.put_log(~std::uint64_t{0}, {1});
    EXPECT_EQ(read(32).value().words, (Words{1}));
}

TEST_F(LogDeviceCoreTest, foreign_device_is_not_interpreted) {
    std::fill(disk.bytes.begin(), disk.bytes.end(), std::byte{0xaa});
    const auto image = read(70).value();
    EXPECT_FALSE(image.is_log);
    EXPECT_EQ(image.region_count, 0U);
    EXPECT_TRUE(image.words.empty());
}

TEST_F(LogDeviceCoreTest, short_device_says_how_large_it_must_be) {
    disk.bytes.resize(1024);
    const auto image = read(70);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().code, ENOSPC);
    EXPECT_NE(image.error().text.find("1024 bytes"), std::string::npos);
    EXPECT_NE(image.error().text.find("1036 bytes"), std::string::npos);
}

TEST_F(LogDeviceCoreTest, device_that_just_holds_the_map_is_read) {
    disk.bytes.resize(1536);
    Words words(128, 7);
    disk.put_log(4096, words);
    EXPECT_EQ(read(4096).value().words, words);
    EXPECT_FALSE(core.read(4097));
}

TEST_F(LogDeviceCoreTest, region_count_beyond_any_device_is_an_error) {
    EXPECT_EQ(read(~std::uint64_t{0}).error().code, ENOSPC);
}

TEST_F(LogDeviceCoreTest, large_map_is_read_in_bounded_pieces) {
    Words words((disk.bytes.size() - device_header_size) / 4);
    for (std::size_t i = 0; i < words.size(); ++i)
        words[i] = static_cast<std::uint32_t>(i * 2654435761U);
    disk.put_log(words.size() * 32, words);
    EXPECT_EQ(read(words.size() * 32).value().words, words);
    EXPECT_LE(disk.largest_read, LogDeviceCore::piece_size);
}

TEST_F(LogDeviceCoreTest, small_map_reads_little) {
    disk.put_log(70, {1, 2, 3});
    ASSERT_TRUE(read(70));
    EXPECT_LE(disk.largest_read, device_block_size);
}

TEST_F(LogDeviceCoreTest, read_error_is_a_value) {
    disk.read_error = EIO;
    EXPECT_EQ(read(70).error().code, EIO);
}

TEST_F(LogDeviceCoreTest, write_after_a_failed_write_is_tried) {
    ASSERT_TRUE(core.open());
    const DeviceBlocks blocks{{4096, std::vector<std::byte>(4096, std::byte{1})}};
    disk.write_error = EIO;
    EXPECT_EQ(core.write(blocks).error().code, EIO);
    disk.write_error = 0;
    EXPECT_TRUE(core.write(blocks));
    EXPECT_EQ(disk.bytes[4096], std::byte{1});
}

// -- the shell ---------------------------------------------------------------------------------------

struct Told {
    std::vector<std::uint64_t> sizes;
    std::vector<Words> words;
    std::vector<std::pair<std::uint64_t, bool>> written;
};

MirrorLogActor::behavior_type log_probe(MirrorLogActor::pointer, Told* told) {
    return {[](const KernelRequest&) {},
            [](const Delivered&) {},
            [](const Membership&) {},
            [](const QuorumChanged&) {},
            [](const ClusterLost&) {},
            [](const LeftBehind&) {},
            [](const Superseded&) {},
            [told](const DeviceOpened& opened) { told->sizes.push_back(opened.size_bytes.value_or(0)); },
            [told](const DeviceRead& read) { told->words.push_back(read.image.value().words); },
            [told](const DeviceWritten& written) {
                told->written.emplace_back(written.write, written.outcome.has_value());
            },
            [](const Abandon&) {},
            [](const NodeGone&) {},
            [](const TimerDue&) {},
            [](const StatusQuery&) { return LogStatus{}; }};
}

class LogDeviceShellTest : public testing::Test {
  protected:
    LogDeviceShellTest() {
        disk.bytes.resize(8192);
        disk.put_log(70, {1, 2, 3});
    }
    void spawn(LogDeviceThread thread) {
        log = world.system->spawn(log_probe, &told);
        device = spawn_log_device(*world.system, thread, {&provider, &world.sink, "7:0"}, log);
        world.run();
    }

    Disk disk;
    DiskProvider provider{disk};
    Told told;
    test::ActorWorld world;
    MirrorLogActor log;
    LogDeviceActor device;
};

// The process was stopped between the order and the write: another node may have the device by now.
TEST_F(LogDeviceShellTest, write_that_comes_too_late_changes_nothing) {
    spawn(LogDeviceThread::shared);
    caf::anon_send(device, OpenDevice{});
    world.run();
    const auto before = disk.bytes;
    const WriteDevice late{1, {{4096, std::vector<std::byte>(4096, std::byte{0xff})}}, std::chrono::nanoseconds{-1}};
    caf::anon_send(device, late);
    world.run();
    EXPECT_EQ(told.written, (std::vector<std::pair<std::uint64_t, bool>>{{1, false}}));
    EXPECT_EQ(disk.bytes, before);
    world.end(log);
}

TEST_F(LogDeviceShellTest, answers_come_in_order_and_failures_are_values) {
    spawn(LogDeviceThread::shared);
    caf::anon_send(device, OpenDevice{});
    caf::anon_send(device, ReadDevice{70});
    caf::anon_send(device, WriteDevice{1, {{4096, std::vector<std::byte>(4096)}}});
    world.run();
    disk.write_error = EIO;
    caf::anon_send(device, WriteDevice{2, {}});
    world.run();
    EXPECT_EQ(told.sizes, (std::vector<std::uint64_t>{8192}));
    EXPECT_EQ(told.words, (std::vector<Words>{{1, 2, 3}}));
    EXPECT_EQ(told.written, (std::vector<std::pair<std::uint64_t, bool>>{{1, true}, {2, false}}));
    world.end(log);
}

TEST_F(LogDeviceShellTest, ends_with_its_log_and_does_not_keep_it_alive) {
    spawn(LogDeviceThread::shared);
    const auto weak = device.address();
    device = nullptr;
    world.end(log);
    EXPECT_EQ(caf::actor_cast<caf::strong_actor_ptr>(weak), nullptr);
}

TEST_F(LogDeviceShellTest, a_thread_of_its_own_ends_with_its_log_too) {
    spawn(LogDeviceThread::own);
    caf::anon_send(device, OpenDevice{});
    world.end(log);  // the system waits for the device's actor
}

}  // namespace
}  // namespace cmirror
