#include "tests/sim/garbage.hpp"

#include <array>
#include <cerrno>

#include "messages/wire_kernel.hpp"
#include "tests/sim/mapped_device.hpp"
#include "tests/sim/world.hpp"

namespace cmirror::sim {

void send_garbage(World& world, Node& node) {
    FakeKernelSocket& socket = node.daemon->socket();
    MappedDevice* device = world.device(node, 0);
    Random& random = world.chaos;
    const Luid luid = device != nullptr && device->live() != nullptr ? device->live()->luid() : 1;
    const Mirror& mirror = world.mirrors()[0];
    KernelRequest request{.seq = World::garbage_seq + static_cast<std::uint32_t>(random.below(1U << 20U)),
                          .type = RequestType::in_sync,
                          .version = 2,
                          .luid = luid,
                          .uuid = mirror.table.uuid,
                          .payload = mirror.profile.regions + random.below(1U << 20U)};
    std::array<std::byte, kernel_frame_size_max> buffer{};
    switch (random.below(6)) {
        case 0: {
            std::vector<std::byte> noise(random.index(kernel_frame_size_max));
            for (std::byte& b : noise)
                b = static_cast<std::byte>(random.next());
            return socket.someone_else_sends(noise);
        }
        case 1:
            request.type = RequestType::set_region_sync;
            request.payload = RegionSync{mirror.profile.regions, true};
            break;
        case 2: {
            request.type = RequestType::mark_region;
            RegionList list;
            list.push_back(~std::uint64_t{0} - random.below(3));
            request.payload = list;
            break;
        }
        case 3:
            request.luid = 7;
            request.type = RequestType::ctr;
            request.payload = ConstructorText{"nonsense", false};
            break;
        case 4:
            return socket.receive_fails_once(ENOBUFS);
        default:
            break;
    }
    if (random.chance(0.2)) request.version = 0;
    std::size_t size = pack_kernel_request(request, buffer);
    if (random.chance(0.3)) size = random.index(size);
    std::vector<std::byte> frame(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
    if (random.chance(0.3))
        socket.someone_else_sends(std::move(frame));
    else
        socket.kernel_sends(std::move(frame));
}

}  // namespace cmirror::sim
