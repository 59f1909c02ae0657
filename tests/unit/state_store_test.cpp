// State files: their format, and the folder they are in.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "adapters/state_store/folder_state_store.hpp"
#include "messages/wire_state_file.hpp"

namespace cmirror {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t region_count = 1000;

KeptIdentity identity() {
    return {*Uuid::from_text("LVM-test"), 0xffff8880deadbeefU, BootId{1, 2, 3}, 1024, region_count};
}

RegionWords words_with(std::initializer_list<RegionNumber> regions) {
    RegionWords words(region_words(region_count));
    for (const RegionNumber region : regions)
        words[region / 64] |= std::uint64_t{1} << (region % 64);
    return words;
}

void put(std::vector<std::byte>& file, const StatePatch& patch) {
    std::ranges::copy(patch.bytes, file.begin() + static_cast<std::ptrdiff_t>(patch.offset));
}

std::vector<std::byte> made_file() {
    std::vector<std::byte> file(state_file_size(region_count));
    put(file, pack_state_identity(identity()));
    put(file,
        pack_state_lines(StateMap::live, identity(), words_with({3, 500, 999}), 0, state_map_lines(region_count)));
    put(file, pack_state_lines(StateMap::in_sync, identity(), words_with({7}), state_line_of(7), 1));
    put(file, pack_state_standing({true, true, true, true, RegionNumber{42}, 17, true}));
    return file;
}

TEST(StateFileFormat, what_is_written_is_read_back) {
    const auto kept = unpack_state_file(made_file());
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->identity, identity());
    EXPECT_EQ(kept->standing, (KeptStanding{true, true, true, true, RegionNumber{42}, 17, true}));
    EXPECT_EQ(kept->live, words_with({3, 500, 999}));
    EXPECT_EQ(kept->in_sync, words_with({7}));
    EXPECT_EQ(kept->reached, words_with({}));
}

TEST(StateFileFormat, uuid_of_the_greatest_length_fits) {
    auto longest = identity();
    longest.uuid = *Uuid::from_text(std::string(Uuid::length_max, 'u'));
    auto file = made_file();
    put(file, pack_state_identity(longest));
    EXPECT_EQ(unpack_state_file(file)->identity.uuid, longest.uuid);
}

TEST(StateFileFormat, any_flipped_bit_is_noticed) {
    const auto good = made_file();
    for (std::size_t at = 0; at < good.size(); ++at) {
        auto bad = good;
        bad[at] ^= std::byte{0x10};
        ASSERT_FALSE(unpack_state_file(bad)) << "byte " << at;
    }
}

TEST(StateFileFormat, line_in_another_place_is_noticed) {
    auto file = made_file();
    std::copy_n(file.begin() + 5 * 64, 64, file.begin() + 6 * 64);
    EXPECT_EQ(unpack_state_file(file).error(), StateFileFault::broken_line);
}

TEST(StateFileFormat, file_of_another_size_is_refused) {
    auto file = made_file();
    file.resize(file.size() - 64);
    EXPECT_EQ(unpack_state_file(file).error(), StateFileFault::wrong_size);
    EXPECT_EQ(unpack_state_file(std::span(file).first(10)).error(), StateFileFault::wrong_size);
    EXPECT_EQ(unpack_state_file(std::vector<std::byte>(4096)).error(), StateFileFault::not_a_state_file);
}

struct StateFolder : ::testing::Test {
    fs::path path = fs::temp_directory_path() / ("state_store_test." + std::to_string(::getpid()));
    ~StateFolder() override { fs::remove_all(path); }
    std::unique_ptr<FolderStateStore> open() {
        auto store = FolderStateStore::open(path);
        EXPECT_TRUE(store) << store.error();
        return std::move(*store);
    }
    static StatePatch patch(std::uint64_t offset, std::string_view text) {
        StatePatch made{offset, {}};
        for (const char c : text)
            made.bytes.push_back(static_cast<std::byte>(c));
        return made;
    }
};

TEST_F(StateFolder, file_holds_its_patches_and_zeros) {
    auto store = open();
    const auto file = store->begin(7, 100, std::array{patch(10, "begin")});
    ASSERT_TRUE(file) << file.error();
    ASSERT_TRUE((*file)->write(std::array{patch(90, "end"), patch(10, "B")}));
    const auto bytes = store->read(7);
    ASSERT_TRUE(bytes);
    EXPECT_EQ(bytes->size(), 100U);
    EXPECT_EQ((*bytes)[10], std::byte{'B'});
    EXPECT_EQ((*bytes)[11], std::byte{'e'});
    EXPECT_EQ((*bytes)[92], std::byte{'d'});
    EXPECT_EQ((*bytes)[50], std::byte{0});
}

TEST_F(StateFolder, new_file_takes_the_place_of_an_older_one) {
    auto store = open();
    const auto older = store->begin(7, 100, std::array{patch(0, "old")});
    const auto newer = store->begin(7, 50, std::array{patch(0, "new")});
    ASSERT_TRUE((*older)->write(std::array{patch(0, "bad")}));
    EXPECT_EQ(store->read(7)->front(), std::byte{'n'});
}

TEST_F(StateFolder, files_are_for_their_owner_alone) {
    auto store = open();
    const auto file = store->begin(7, 100, {});
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0700U);
    ASSERT_EQ(::stat((path / "0000000000000007.state").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
}

TEST_F(StateFolder, file_that_others_can_read_or_that_is_anothers_is_not_believed) {
    auto store = open();
    ASSERT_TRUE(store->begin(7, 4, {}));
    const auto file = path / "0000000000000007.state";
    fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
    EXPECT_FALSE(store->read(7));
    fs::permissions(file, fs::perms::owner_read | fs::perms::owner_write);
    EXPECT_TRUE(store->read(7));
    const bool given_away = ::chown(file.c_str(), 65534, 65534) == 0;
    EXPECT_TRUE(!given_away || !store->read(7));
}

TEST_F(StateFolder, removed_file_is_not_found) {
    auto store = open();
    const auto file = store->begin(7, 100, {});
    store->remove(7);
    EXPECT_FALSE(store->read(7));
    store->remove(7);
}

TEST_F(StateFolder, link_is_not_followed) {
    auto store = open();
    std::ofstream(path / "target") << "text";
    fs::create_symlink(path / "target", path / "0000000000000007.state");
    EXPECT_FALSE(store->read(7));
    const auto file = store->begin(7, 4, {});
    ASSERT_TRUE(file);
    EXPECT_EQ(fs::file_size(path / "target"), 4U);
    EXPECT_FALSE(fs::is_symlink(path / "0000000000000007.state"));
}

TEST_F(StateFolder, folder_that_others_can_enter_is_refused) {
    fs::create_directory(path);
    fs::permissions(path, fs::perms::all);
    const auto store = FolderStateStore::open(path);
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().find("chmod 700"), std::string::npos);
}

TEST_F(StateFolder, folder_that_is_a_link_is_refused) {
    fs::create_symlink("/tmp", path);
    EXPECT_FALSE(FolderStateStore::open(path));
    fs::remove(path);
}

}  // namespace
}  // namespace cmirror
