#include "actors/common/actor_basics.hpp"

#include <caf/actor_system.hpp>
#include <caf/scheduled_actor.hpp>
#include <exception>
#include <string>

namespace cmirror {
namespace {

std::string what_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& error) {
        return error.what();
    } catch (...) {
        return "unknown exception";
    }
}

}  // namespace

void set_common_handlers(caf::scheduled_actor* self, LogSink& sink) {
    self->set_default_handler([&sink](caf::scheduled_actor* actor,
                                      caf::message_view& message) -> caf::result<caf::message> {
        sink.write(LogLevel::error, std::string("internal: ") + actor->name() + " dropped an unexpected message of " +
                                        std::to_string(message.content().size()) + " elements");
        return caf::make_error(caf::sec::unexpected_message);
    });
    self->set_down_handler([](caf::scheduled_actor*, caf::down_msg&) {});
    self->set_error_handler([&sink](caf::scheduled_actor* actor, caf::error& error) {
        sink.write(LogLevel::error, std::string("internal: ") + actor->name() + " was sent an error: code " +
                                        std::to_string(error.code()));
    });
    self->set_exit_handler([](caf::scheduled_actor* actor, caf::exit_msg& message) { actor->quit(message.reason); });
    self->set_exception_handler([&sink](caf::scheduled_actor* actor, std::exception_ptr& thrown) -> caf::error {
        sink.write(LogLevel::error,
                   std::string("internal: ") + actor->name() + " ended by an exception: " + what_of(thrown));
        return caf::make_error(caf::exit_reason::unhandled_exception);
    });
}

void write_lines(LogSink& sink, LogLines& lines) {
    for (const auto& line : lines)
        sink.write_about({line.event}, line.level, line.text);
    lines.clear();
}

}  // namespace cmirror
