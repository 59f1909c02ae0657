// Reads the recorded files of tests/golden/data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace cmirror::golden {

struct RecordedFrame {
    std::uint32_t node = 0;
    std::vector<std::byte> bytes;
};

inline std::ifstream open_recorded(const std::string& name) {
    std::ifstream file(std::string(CMIRROR_GOLDEN_DATA) + "/" + name);
    if (!file) throw std::runtime_error("no recorded file " + name);
    return file;
}

inline std::vector<std::byte> from_hex(const std::string& text) {
    std::vector<std::byte> bytes;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2)
        bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(at, 2), nullptr, 16)));
    return bytes;
}

inline std::vector<RecordedFrame> recorded_frames(const std::string& name) {
    std::vector<RecordedFrame> frames;
    auto file = open_recorded(name);
    RecordedFrame frame;
    for (std::string hex; file >> frame.node >> hex; frames.push_back(frame))
        frame.bytes = from_hex(hex);
    return frames;
}

/// A device of `size` bytes; lines that the file leaves out are zero.
inline std::vector<std::byte> recorded_image(const std::string& name, std::size_t size) {
    constexpr std::size_t hex_begin = 10;
    constexpr std::size_t hex_length = 40;
    std::vector<std::byte> image(size);
    auto file = open_recorded(name);
    for (std::string line; std::getline(file, line);) {
        std::size_t offset = std::stoul(line.substr(0, 8), nullptr, 16);
        std::istringstream groups(line.substr(hex_begin, hex_length));
        for (std::string group; groups >> group;)
            for (const std::byte byte : from_hex(group))
                image.at(offset++) = byte;
    }
    return image;
}

}  // namespace cmirror::golden
