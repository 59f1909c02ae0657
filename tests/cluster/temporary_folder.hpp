// A folder in /tmp that goes away with its owner.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace cmirror {

class Folder {
  public:
    Folder() {
        std::string pattern = "/tmp/cmirror-process-XXXXXX";
        if (::mkdtemp(pattern.data()) != nullptr) path = pattern;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

}  // namespace cmirror
