#include "adapters/state_store/mapped_request_journal.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

#include "adapters/system_failure.hpp"
#include "adapters/unique_fd.hpp"

namespace cmirror {
namespace {

constexpr std::array<char, 8> magic{'C', 'M', 'R', 'E', 'Q', 'S', '0', '1'};

/// Numbers wrap around.
bool is_older(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
}

}  // namespace

Result<std::unique_ptr<MappedRequestJournal>, std::string> MappedRequestJournal::open(const std::string& folder,
                                                                                      const BootId& boot) {
    static_assert(std::is_trivially_copyable_v<Image>);
    const auto path = folder + "/" + file_name;
    const UniqueFd place{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!place.is_open()) return system_failure("cannot open the folder " + folder);
    const UniqueFd file{
        ::openat(place.get(), file_name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) return system_failure("cannot open " + path);
    const bool ours = S_ISREG(status.st_mode) && status.st_uid == ::geteuid() && status.st_nlink == 1 &&
                      (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    if (!ours) return Failure<std::string>(path + " is not a file of the daemon's own: remove it");
    // A page that the file system has no room for must not be missed later, when it is written to.
    if (const int code = ::posix_fallocate(file.get(), 0, sizeof(Image)); code != 0)
        return system_failure("cannot make " + path + " large enough", code);
    void* const memory = ::mmap(nullptr, sizeof(Image), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
    if (memory == MAP_FAILED) return system_failure("cannot map " + path);
    auto* const image = static_cast<Image*>(memory);
    if (image->magic != magic || image->boot != boot) {
        std::memset(memory, 0, sizeof(Image));
        image->boot = boot;
        image->magic = magic;
    }
    return std::unique_ptr<MappedRequestJournal>{new MappedRequestJournal{image}};
}

MappedRequestJournal::~MappedRequestJournal() {
    ::munmap(image_, sizeof(Image));
}

void MappedRequestJournal::received(std::uint32_t seq) noexcept {
    if (image_->latest.used == 0 || is_older(image_->latest.seq, seq)) image_->latest = {1, seq};
    for (std::uint32_t probe = 0; probe < probes_max; ++probe) {
        Slot& slot = slot_of(seq, probe);
        if (slot.used != 0) continue;
        slot = {1, seq};
        return;
    }
    slot_of(seq, 0) = {1, seq};
}

void MappedRequestJournal::answered(std::uint32_t seq) noexcept {
    for (std::uint32_t probe = 0; probe < probes_max; ++probe)
        if (Slot& slot = slot_of(seq, probe); slot.used != 0 && slot.seq == seq) slot.used = 0;
}

std::vector<std::uint32_t> MappedRequestJournal::take_unanswered() {
    std::vector<std::uint32_t> seqs;
    for (Slot& slot : image_->slots)
        if (std::exchange(slot.used, 0U) != 0) seqs.push_back(slot.seq);
    std::ranges::sort(seqs, is_older);
    if (image_->latest.used == 0) return seqs;
    for (std::uint32_t i = 1; i <= unread_max; ++i)
        seqs.push_back(image_->latest.seq + i);
    return seqs;
}

}  // namespace cmirror
