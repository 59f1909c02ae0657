// Making, activating and removing mirrors: what is checked, what is done, what is said.
#include "main/ctl/mirrors.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "adapters/device_mapper/fake_device_mapper.hpp"
#include "adapters/disk/fake_disk_inspector.hpp"
#include "tests/unit/status_example.hpp"

namespace cmirror::ctl {
namespace {

using Calls = std::vector<std::string>;

class MirrorsTest : public testing::Test {
  protected:
    MirrorsTest() {
        std::filesystem::remove(path);
        constexpr std::uint64_t mib = 1U << 20U;
        disks.disks = {{"/dev/sda", {8, 0, 64 * mib}},
                       {"/dev/sdb", {8, 16, 65 * mib}},
                       {"/dev/sdc", {8, 32, 8 * mib}},
                       {"/dev/sdd", {8, 48, 64 * mib}},
                       {"/dev/alias", {8, 0, 64 * mib}}};
        snapshot.daemon.node = 1;
    }
    ~MirrorsTest() override { std::filesystem::remove(path); }

    Cmirrortab tab() const { return load_tab(path).value(); }
    std::string refusal(const Outcome& outcome) const { return outcome ? "done: " + *outcome : outcome.error().text; }
    /// A mirror of sda and sdb, its log on sdc.
    void make() {
        ASSERT_TRUE(mirrors.create(order));
        devices.calls.clear();
        disks.wiped.clear();
    }
    /// The daemon says that these nodes have the mirror.
    void members(std::vector<NodeId> nodes) {
        auto log = test::log_example();
        log.sync_count = log.region_count;
        log.marks.clear();
        log.members.clear();
        for (const auto node : nodes)
            log.members.push_back({{node, 100}, true, false, false});
        snapshot.logs = {log};
    }

    std::string path = std::filesystem::temp_directory_path() / ("mirrors_test." + std::to_string(::getpid()));
    FakeDeviceMapper devices;
    FakeDiskInspector disks;
    StatusSnapshot snapshot;
    bool running = true;
    CreateOrder order{.name = "data", .legs = {"/dev/sda", "/dev/sdb"}, .log_device = "/dev/sdc"};
    Mirrors mirrors{{&devices, &disks, path, [this]() -> Result<StatusSnapshot, std::string> {
                         if (!running) return Failure<std::string>("cmirrord does not run: start it");
                         return snapshot;
                     }}};
};

TEST_F(MirrorsTest, create_makes_the_device_and_a_line_of_the_tab) {
    EXPECT_EQ(mirrors.create(order).value(),
              "data: active, 64M\n"
              "On the other nodes: add this line to " +
                  path +
                  ", then \"cmirrorctl activate data\"\n"
                  "data /dev/sda,/dev/sdb /dev/sdc size=64M,region-size=512K,uuid=CMIRROR-data");
    const auto& device = devices.devices.at("data");
    EXPECT_EQ(device.uuid, "CMIRROR-data");
    EXPECT_EQ(device.sectors, 131072U);
    EXPECT_EQ(device.parameters,
              "userspace 4 CMIRROR-data clustered-disk 8:32 1024 2 /dev/sda 0 /dev/sdb 0 1 handle_errors");
    EXPECT_EQ(disks.wiped, Calls{"/dev/sdc"});
    ASSERT_NE(tab().find("data"), nullptr);
}

TEST_F(MirrorsTest, nosync_is_for_the_first_start_alone) {
    order.nosync = true;
    order.log_device.clear();
    ASSERT_TRUE(mirrors.create(order));
    EXPECT_EQ(devices.devices.at("data").parameters,
              "userspace 4 CMIRROR-data clustered-core 1024 nosync 2 /dev/sda 0 /dev/sdb 0 1 handle_errors");
    ASSERT_TRUE(mirrors.deactivate("data"));
    ASSERT_TRUE(mirrors.activate("data"));
    EXPECT_EQ(devices.devices.at("data").parameters.find("nosync"), std::string::npos);
}

TEST_F(MirrorsTest, create_checks_the_devices) {
    const auto refused_with = [this](CreateOrder changed) {
        const auto text = refusal(mirrors.create(changed));
        EXPECT_TRUE(devices.calls.empty()) << text;
        EXPECT_TRUE(disks.wiped.empty()) << text;
        EXPECT_TRUE(tab().entries().empty()) << text;
        return text;
    };
    auto bad = order;
    bad.legs = {"/dev/sda"};
    EXPECT_EQ(refused_with(bad), "a mirror has two legs at least: --leg DEV --leg DEV");
    bad.legs = {"/dev/sda", "/dev/alias"};
    EXPECT_EQ(refused_with(bad), "/dev/alias: is given twice, perhaps by another name (8:0)");
    bad.legs = {"/dev/sda", "/dev/sdz"};
    EXPECT_EQ(refused_with(bad), "/dev/sdz: cannot be opened");
    bad.legs = {"sda", "/dev/sdb"};
    EXPECT_EQ(refused_with(bad), "sda: give the full path of a device, one that is the same on all nodes");
    bad = order;
    bad.sectors = 131073;
    EXPECT_EQ(refused_with(bad), "the smallest leg has 64M, less than 131073s");
    bad = order;
    bad.region_sectors = 1000;
    EXPECT_EQ(refused_with(bad), "the region size must be a power of two, from 4K up to the size");
    bad = order;
    disks.disks["/dev/sdc"].bytes = 1024;
    EXPECT_EQ(refused_with(bad),
              "/dev/sdc: has 1024 bytes, the log needs 1040: use a larger device, or a larger --region-size");
    disks.disks["/dev/sdc"].bytes = 8U << 20U;
    bad.name = "a b";
    EXPECT_EQ(refused_with(bad), "\"a b\" is no name for a mirror: use letters, digits and . _ + -");
    disks.disks["/dev/sdb"].in_use = true;
    EXPECT_NE(refused_with(order).find("/dev/sdb: is in use"), std::string::npos);
    bad = order;
    bad.force = true;
    EXPECT_NE(refused_with(bad).find("/dev/sdb: is in use"), std::string::npos);
}

TEST_F(MirrorsTest, what_looks_like_data_is_overwritten_by_force_alone) {
    disks.disks["/dev/sda"].contents = "ext4";
    EXPECT_EQ(refusal(mirrors.create(order)).find("/dev/sda: holds something (ext4): if it is of no use"), 0U);
    EXPECT_TRUE(devices.devices.empty());
    order.force = true;
    EXPECT_TRUE(mirrors.create(order));
}

TEST_F(MirrorsTest, without_the_daemon_nothing_is_done) {
    running = false;
    EXPECT_EQ(mirrors.create(order).error().code, not_running);
    EXPECT_TRUE(disks.wiped.empty());
    running = true;
    make();
    running = false;
    EXPECT_EQ(mirrors.deactivate("data").error().code, not_running);
    EXPECT_EQ(mirrors.refresh("data").error().code, not_running);
    EXPECT_EQ(mirrors.remove("data").error().code, not_running);
    EXPECT_TRUE(devices.calls.empty());
    EXPECT_NE(tab().find("data"), nullptr);
}

TEST_F(MirrorsTest, kernel_that_refuses_leaves_the_tab_alone) {
    devices.failure = "device-mapper: reload ioctl failed";
    EXPECT_EQ(refusal(mirrors.create(order)),
              "device-mapper: reload ioctl failed (what the kernel and the daemon say: \"dmesg\", \"journalctl -u "
              "lvm2-cmirrord\")");
    EXPECT_TRUE(tab().entries().empty());
}

TEST_F(MirrorsTest, large_mirror_has_large_regions) {
    order.log_device.clear();
    disks.disks["/dev/sda"].bytes = disks.disks["/dev/sdb"].bytes = 4ULL << 40U;
    ASSERT_TRUE(mirrors.create(order));
    EXPECT_EQ(tab().find("data")->region_sectors, 8192U);
    EXPECT_EQ(tab().find("data")->sectors, 1ULL << 33U);
}

TEST_F(MirrorsTest, activate_and_deactivate_can_be_repeated) {
    make();
    EXPECT_EQ(mirrors.activate("data").value(), "data: active already");
    EXPECT_TRUE(mirrors.deactivate("data"));
    EXPECT_EQ(mirrors.deactivate("data").value(), "data: not active");
    EXPECT_EQ(mirrors.activate("data").value(), "data: active");
    EXPECT_EQ(devices.calls, (Calls{"remove data", "create data"}));
    EXPECT_EQ(refusal(mirrors.activate("other")).find("there is no mirror \"other\" in "), 0U);
}

TEST_F(MirrorsTest, another_mirror_of_that_name_is_not_taken_for_it) {
    make();
    devices.devices.at("data").parameters =
        "userspace 3 CMIRROR-else clustered-core 1024 2 /dev/sda 0 /dev/sdb 0 1 handle_errors";
    EXPECT_EQ(refusal(mirrors.activate("data")).find("data: another mirror of that name is active"), 0U);
}

TEST_F(MirrorsTest, all_but_noauto_are_activated_and_a_failure_does_not_end_it) {
    auto known = Cmirrortab{};
    known.put({"a", {"/dev/sda", "/dev/sdb"}, "/dev/none", 2048, 1024, "A"});
    known.put({"b", {"/dev/sda", "/dev/sdb"}, "", 2048, 1024, "B"});
    known.put({"c", {"/dev/sda", "/dev/sdb"}, "", 2048, 1024, "C", false, true});
    ASSERT_TRUE(save_tab(path, known));
    EXPECT_EQ(refusal(mirrors.activate_all()).find("/dev/none: cannot be opened: bring it back"), 0U);
    EXPECT_EQ(devices.calls, Calls{"create b"});
    EXPECT_TRUE(mirrors.activate("c"));
    EXPECT_TRUE(mirrors.deactivate_all());
    EXPECT_TRUE(devices.devices.empty());
}

TEST_F(MirrorsTest, mirror_in_use_is_not_removed) {
    make();
    devices.devices.at("data").open_count = 1;
    EXPECT_EQ(refusal(mirrors.remove("data")).find("data: is in use: unmount it"), 0U);
    EXPECT_NE(tab().find("data"), nullptr);
    devices.devices.at("data").open_count = 0;
    EXPECT_TRUE(mirrors.remove("data"));
    EXPECT_TRUE(devices.devices.empty());
    EXPECT_EQ(tab().find("data"), nullptr);
}

TEST_F(MirrorsTest, refresh_suspends_and_resumes) {
    make();
    EXPECT_EQ(mirrors.refresh("data").value(), "data: refreshed");
    devices.devices.at("data").suspended = true;
    EXPECT_TRUE(mirrors.refresh("data"));
    EXPECT_EQ(devices.calls, (Calls{"suspend data", "resume data", "resume data"}));
    EXPECT_FALSE(mirrors.refresh("other"));
}

TEST_F(MirrorsTest, refresh_has_a_leg_tried_again_that_failed) {
    order.nosync = true;
    make();
    devices.statuses["data"] = "2 8:0 8:16 70/70 1 AA 3 clustered-disk 8:32 A";
    ASSERT_TRUE(mirrors.refresh("data"));
    EXPECT_EQ(devices.calls, (Calls{"suspend data", "resume data"}));
    devices.statuses["data"] = "2 8:0 8:16 69/70 1 DA 3 clustered-disk 8:32 A";
    ASSERT_TRUE(mirrors.refresh("data"));
    EXPECT_EQ(devices.calls, (Calls{"suspend data", "resume data", "load data", "suspend data", "resume data"}));
    // What was true of the legs at first is not now.
    EXPECT_EQ(devices.devices.at("data").parameters.find("nosync"), std::string::npos);
    // A table that waits for its resume is not given up.
    devices.devices.at("data").suspended = true;
    ASSERT_TRUE(mirrors.refresh("data"));
    EXPECT_EQ(devices.calls.size(), 6U);
}

TEST_F(MirrorsTest, replaced_leg_is_filled_under_a_new_log_from_one_that_stays) {
    make();
    members({1});
    ASSERT_TRUE(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"}));
    EXPECT_EQ(devices.calls, (Calls{"load data", "suspend data", "resume data"}));
    EXPECT_EQ(devices.devices.at("data").parameters,
              "userspace 4 CMIRROR-data.2 clustered-disk 8:32 1024 2 /dev/sdb 0 /dev/sdd 0 1 handle_errors");
    EXPECT_EQ(disks.wiped, Calls{"/dev/sdc"});
    EXPECT_EQ(tab().find("data")->legs, (Calls{"/dev/sdb", "/dev/sdd"}));
    EXPECT_EQ(tab().find("data")->log_uuid, "CMIRROR-data.2");
}

TEST_F(MirrorsTest, leg_is_not_replaced_while_another_node_uses_the_mirror) {
    make();
    members({1, 2, 3});
    EXPECT_EQ(
        refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"})).find("data: is active on nodes 2, 3 as well"),
        0U);
    EXPECT_TRUE(devices.calls.empty());
    // One that is away with marks of its own may still write.
    members({1});
    std::get<LogStatus>(snapshot.logs[0]).marks = {{{3, 0xaa}, 5, {}, false, false}};
    EXPECT_FALSE(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"}));
    EXPECT_TRUE(devices.calls.empty());
}

TEST_F(MirrorsTest, first_leg_is_not_replaced_before_the_others_hold_everything) {
    make();
    members({1});
    std::get<LogStatus>(snapshot.logs[0]).sync_count -= 3;
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"})).find("/dev/sda: 3 regions are not on"),
              0U);
    EXPECT_TRUE(devices.calls.empty());
    EXPECT_TRUE(mirrors.replace_leg({"data", "/dev/sdb", "/dev/sdd"}));
    snapshot.logs.clear();
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdb"})).find("data: the daemon does not know"),
              0U);
}

TEST_F(MirrorsTest, leg_that_failed_is_replaced_also_if_regions_fell_out_of_sync_for_it) {
    make();
    members({1});
    auto& log = std::get<LogStatus>(snapshot.logs[0]);
    log.sync_count -= 3;
    devices.statuses["data"] = "2 8:0 8:16 67/70 1 DA 3 clustered-disk 8:32 A";
    // Copies to the other leg had not come to their end when it failed.
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"})).find("/dev/sda: 3 regions are not on"),
              0U);
    log.refresh_due = true;
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sdb", "/dev/sdd"})),
              "/dev/sda: has failed: replace that leg first");
    EXPECT_TRUE(devices.calls.empty());
    ASSERT_TRUE(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"}));
    EXPECT_EQ(tab().find("data")->legs, (Calls{"/dev/sdb", "/dev/sdd"}));
}

TEST_F(MirrorsTest, leg_is_not_filled_from_one_that_failed) {
    disks.disks["/dev/sde"] = {8, 64, 64U << 20U};
    order.legs = {"/dev/sda", "/dev/sdb", "/dev/sdd"};
    make();
    members({1});
    devices.statuses["data"] = "3 8:0 8:16 8:48 70/70 1 DDA 3 clustered-disk 8:32 A";
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sde"})).find("/dev/sdb: has failed as well, and"),
              0U);
    EXPECT_TRUE(devices.calls.empty());
    devices.statuses["data"] = "3 8:0 8:16 8:48 70/70 1 DAD 3 clustered-disk 8:32 A";
    EXPECT_TRUE(mirrors.replace_leg({"data", "/dev/sda", "/dev/sde"}));
}

TEST_F(MirrorsTest, missing_leg_is_named_and_replaced_while_the_mirror_is_not_active) {
    make();
    ASSERT_TRUE(mirrors.deactivate("data"));
    disks.disks.erase("/dev/sda");
    devices.failure = "device-mapper: reload ioctl failed";
    EXPECT_EQ(
        refusal(mirrors.activate("data")),
        "/dev/sda: cannot be opened: bring it back, or replace it: \"cmirrorctl replace-leg --force data /dev/sda "
        "NEW\"");
    devices.failure.clear();
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"})).find("data: is not active on this node"),
              0U);
    devices.calls.clear();
    const ReplaceOrder trusting{.name = "data", .old_leg = "/dev/sda", .new_leg = "/dev/sdd", .force = true};
    disks.disks["/dev/sdc"].in_use = true;
    EXPECT_EQ(refusal(mirrors.replace_leg(trusting)).find("/dev/sdc: is in use"), 0U);
    EXPECT_TRUE(disks.wiped.empty());
    disks.disks["/dev/sdc"].in_use = false;
    EXPECT_EQ(mirrors.replace_leg(trusting).value().find(
                  "data: /dev/sdd takes the place of /dev/sda, and is filled from /dev/sdb by \"cmirrorctl activate"),
              0U);
    EXPECT_TRUE(devices.calls.empty());
    EXPECT_EQ(disks.wiped, Calls{"/dev/sdc"});
    EXPECT_EQ(tab().find("data")->legs, (Calls{"/dev/sdb", "/dev/sdd"}));
    EXPECT_EQ(tab().find("data")->log_uuid, "CMIRROR-data.2");
    EXPECT_TRUE(mirrors.activate("data"));
}

TEST_F(MirrorsTest, missing_log_device_is_named) {
    make();
    ASSERT_TRUE(mirrors.deactivate("data"));
    disks.disks.erase("/dev/sdc");
    EXPECT_EQ(
        refusal(mirrors.activate("data")),
        "/dev/sdc: cannot be opened: bring it back, or on all nodes name another log device, or none, in " + path);
}

TEST_F(MirrorsTest, users_of_a_mirror_do_not_wait_for_a_tab_that_cannot_be_written) {
    make();
    members({1});
    std::filesystem::create_directory(path + ".new");
    const auto text = refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"}));
    std::filesystem::remove(path + ".new");
    EXPECT_NE(text.find("cannot be written (Is a directory): the leg is replaced, but put this line there, on all "
                        "nodes: data /dev/sdb,"),
              std::string::npos)
        << text;
    EXPECT_EQ(devices.calls.back(), "resume data");
}

TEST_F(MirrorsTest, held_node_waits_with_the_new_table_and_leaves_log_and_tab_to_the_last_one) {
    make();
    members({1, 2});
    ASSERT_TRUE(mirrors.replace_leg({.name = "data", .old_leg = "/dev/sda", .new_leg = "/dev/sdd", .hold = true}));
    EXPECT_EQ(devices.calls, (Calls{"load data", "suspend data"}));
    EXPECT_TRUE(disks.wiped.empty());
    EXPECT_EQ(tab().find("data")->log_uuid, "CMIRROR-data");
    EXPECT_EQ(mirrors.refresh("data").value().find("data: refreshed, with another log (CMIRROR-data.2)"), 0U);
    EXPECT_EQ(devices.calls.back(), "resume data");
}

TEST_F(MirrorsTest, new_leg_is_checked) {
    make();
    members({1});
    disks.disks["/dev/sdd"].bytes -= 512;
    EXPECT_EQ(refusal(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"})),
              "/dev/sdd: has less than the mirror's 64M");
    disks.disks["/dev/sdd"].contents = "xfs";
    EXPECT_FALSE(mirrors.replace_leg({"data", "/dev/sda", "/dev/sdd"}));
    EXPECT_FALSE(mirrors.replace_leg({"data", "/dev/sdx", "/dev/sdd"}));
    EXPECT_TRUE(devices.calls.empty());
}

TEST(NextLogUuid, counts) {
    EXPECT_EQ(next_log_uuid("CMIRROR-data"), "CMIRROR-data.2");
    EXPECT_EQ(next_log_uuid("CMIRROR-data.2"), "CMIRROR-data.3");
    EXPECT_EQ(next_log_uuid("CMIRROR-data.9"), "CMIRROR-data.10");
    EXPECT_EQ(next_log_uuid("CMIRROR-my.data"), "CMIRROR-my.data.2");
}

}  // namespace
}  // namespace cmirror::ctl
