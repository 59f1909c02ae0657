// The journal of unanswered requests: what the next daemon learns from it, and the file that it is in.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "adapters/state_store/mapped_request_journal.hpp"

namespace cmirror {
namespace {

namespace fs = std::filesystem;

constexpr BootId boot{1, 2, 3};

struct RequestJournals : ::testing::Test {
    std::string folder;

    RequestJournals() {
        std::string pattern = "/tmp/cmirror-journal-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr) folder = pattern;
    }
    ~RequestJournals() override { fs::remove_all(folder); }
    std::string file() const { return folder + "/" + MappedRequestJournal::file_name; }
    std::unique_ptr<MappedRequestJournal> open(const BootId& of = boot) const {
        auto opened = MappedRequestJournal::open(folder, of);
        EXPECT_TRUE(opened.has_value()) << opened.error();
        return opened ? std::move(*opened) : nullptr;
    }
    /// What the next daemon is told, without the numbers that were never received.
    std::vector<std::uint32_t> left(const BootId& of = boot) const {
        auto seqs = open(of)->take_unanswered();
        if (seqs.size() >= MappedRequestJournal::unread_max)
            seqs.resize(seqs.size() - MappedRequestJournal::unread_max);
        return seqs;
    }
    std::string refusal() const {
        const auto opened = MappedRequestJournal::open(folder, boot);
        return opened ? "" : opened.error();
    }
};

TEST_F(RequestJournals, unanswered_requests_are_left_the_oldest_first) {
    {
        const auto journal = open();
        for (const std::uint32_t seq : {0xfffffffeU, 0xffffffffU, 0U, 1U, 2U})
            journal->received(seq);
        journal->answered(0xffffffffU);
        journal->answered(1);
    }
    EXPECT_EQ(left(), (std::vector<std::uint32_t>{0xfffffffeU, 0U, 2U}));
}
TEST_F(RequestJournals, numbers_behind_the_latest_may_have_been_left_unread) {
    open()->received(41);
    const auto seqs = open()->take_unanswered();
    ASSERT_EQ(seqs.size(), 1 + MappedRequestJournal::unread_max);
    EXPECT_EQ(seqs[1], 42U);
    EXPECT_EQ(seqs.back(), 41U + MappedRequestJournal::unread_max);
}
TEST_F(RequestJournals, what_was_taken_is_not_left_again) {
    open()->received(41);
    open()->take_unanswered();
    EXPECT_TRUE(left().empty());
}
TEST_F(RequestJournals, new_journal_knows_nothing) {
    EXPECT_TRUE(open()->take_unanswered().empty());
}
TEST_F(RequestJournals, another_boot_has_other_requests) {
    open()->received(41);
    EXPECT_TRUE(open(BootId{9})->take_unanswered().empty());
}
TEST_F(RequestJournals, request_that_waits_long_is_not_lost_among_many_that_are_answered) {
    {
        const auto journal = open();
        journal->received(5);
        for (std::uint32_t seq = 6; seq < 200'000; ++seq) {
            journal->received(seq);
            journal->answered(seq);
        }
    }
    EXPECT_EQ(left(), std::vector<std::uint32_t>{5U});
}
TEST_F(RequestJournals, file_of_another_form_is_started_anew) {
    std::ofstream{file()} << std::string(100'000, 'x');
    fs::permissions(file(), fs::perms{0600});
    EXPECT_TRUE(open()->take_unanswered().empty());
}
TEST_F(RequestJournals, file_is_for_its_owner_alone) {
    open();
    struct stat status {};
    ASSERT_EQ(::stat(file().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
}
TEST_F(RequestJournals, no_link_is_followed) {
    std::ofstream{folder + "/target"} << "precious";
    fs::create_symlink(folder + "/target", file());
    EXPECT_NE(refusal(), "");
    fs::remove(file());
    fs::create_hard_link(folder + "/target", file());
    EXPECT_NE(refusal(), "");
    EXPECT_EQ(fs::file_size(folder + "/target"), 8U);
}
TEST_F(RequestJournals, file_that_others_can_write_is_refused) {
    open();
    fs::permissions(file(), fs::perms{0666});
    EXPECT_NE(refusal().find("remove it"), std::string::npos);
}

}  // namespace
}  // namespace cmirror
