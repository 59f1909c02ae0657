// A block device for tests: a loop device on a file in /tmp.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/unique_fd.hpp"

namespace cmirror {

/// A loop device on a file in a folder that goes away with it.
class LoopDevice {
  public:
    explicit LoopDevice(std::uint64_t size_bytes) { attach(size_bytes); }
    LoopDevice(const LoopDevice&) = delete;
    LoopDevice& operator=(const LoopDevice&) = delete;
    ~LoopDevice() {
        if (loop_.is_open()) ::ioctl(loop_.get(), LOOP_CLR_FD, 0);
        std::error_code ignored;
        std::filesystem::remove_all(folder, ignored);
    }
    void resize(std::uint64_t size_bytes) {
        std::filesystem::resize_file(folder + "/image", size_bytes);
        ASSERT_EQ(::ioctl(loop_.get(), LOOP_SET_CAPACITY, 0), 0);
    }
    std::string image() const {
        std::ifstream file{folder + "/image", std::ios::binary};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    std::string folder, path, number;

  private:
    void attach(std::uint64_t size_bytes) {
        std::string pattern = "/tmp/cmirror-loop-XXXXXX";
        if (::mkdtemp(pattern.data()) == nullptr) return fail("mkdtemp");
        folder = pattern;
        const UniqueFd file{::open((folder + "/image").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
        if (!file.is_open() || ::ftruncate(file.get(), static_cast<off_t>(size_bytes)) != 0) return fail("image");
        const UniqueFd control{::open("/dev/loop-control", O_RDWR | O_CLOEXEC)};
        if (!control.is_open()) return fail("/dev/loop-control (module loop, root)");
        // Another process may be quicker to take the free one.
        for (int attempt = 0; attempt < 20 && !loop_.is_open(); ++attempt)
            take(::ioctl(control.get(), LOOP_CTL_GET_FREE), file.get());
        if (!loop_.is_open()) return fail("LOOP_SET_FD");
        struct stat status {};
        ::fstat(loop_.get(), &status);
        number = std::to_string(::major(status.st_rdev)) + ":" + std::to_string(::minor(status.st_rdev));
    }
    void take(int free, int file) {
        path = "/dev/loop" + std::to_string(free);
        UniqueFd loop{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
        if (loop.is_open() && ::ioctl(loop.get(), LOOP_SET_FD, file) == 0) loop_ = std::move(loop);
    }
    static void fail(const char* what) { ADD_FAILURE() << "no loop device: " << what << ": " << std::strerror(errno); }
    UniqueFd loop_;
};

}  // namespace cmirror
