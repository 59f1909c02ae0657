#include "actors/log_device/log_device_actor.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/system_messages.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/common/actor_basics.hpp"
#include "messages/invariant.hpp"

namespace cmirror {
namespace {

using Self = LogDeviceActor::stateful_pointer<LogDeviceState>;

template <class Answer>
void tell(Self self, Answer answer) {
    if (const auto log = caf::actor_cast<MirrorLogActor>(self->state.log)) self->send(log, std::move(answer));
}

}  // namespace

LogDeviceActor::behavior_type log_device(Self self, const LogDeviceConfig& config, const MirrorLogActor& log) {
    CMIRROR_INVARIANT(config.provider != nullptr && config.sink != nullptr);
    set_common_handlers(self, *config.sink);
    self->state.core.emplace(*config.provider, config.device);
    self->state.log = log.address();
    self->set_down_handler([self](caf::scheduled_actor*, caf::down_msg& down) {
        if (down.source == self->state.log) self->quit();
    });
    self->monitor(log);
    return {
        [self](const OpenDevice&) { tell(self, DeviceOpened{self->state.core->open()}); },
        [self](const ReadDevice& read) { tell(self, DeviceRead{self->state.core->read(read.region_count)}); },
        [self](const WriteDevice& write) {
            if (self->clock().now().time_since_epoch() > write.begin_by)
                return tell(self, DeviceWritten{write.write, Failure<DeviceError>({write_too_late, "too late"})});
            tell(self, DeviceWritten{write.write, self->state.core->write(write.blocks)});
        },
    };
}

LogDeviceActor spawn_log_device(caf::actor_system& system, LogDeviceThread thread, LogDeviceConfig config,
                                MirrorLogActor log) {
    if (thread == LogDeviceThread::own)
        return system.spawn<caf::detached>(log_device, std::move(config), std::move(log));
    return system.spawn(log_device, std::move(config), std::move(log));
}

}  // namespace cmirror
