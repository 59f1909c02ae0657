// The log device: who writes it, when, and what a new server does before it writes (design.md, rules 2 and 6,
// "Group commit").
#include <algorithm>
#include <bit>
#include <cerrno>
#include <utility>

#include "actors/mirror_log/mirror_log_core.hpp"

namespace cmirror::mirror_log {

/// A daemon that was stopped may have been replaced as the server.
void MirrorLogCore::hold_writes_if_late(Instant now) {
    if (scheduled_ && now - *scheduled_ > stopped_when_late_by && valid_ && writes_device())
        write_again_due_ = now + config_.settings.write_again;
}

void MirrorLogCore::start_write(Instant now, Effects& effects) {
    hold_writes_if_late(now);
    if (write_again_due_ && now < *write_again_due_) return lazy_write_due_.reset();
    write_again_due_.reset();
    if (merged_ && device_rewrite_due_ && now >= *device_rewrite_due_) {
        device_rewrite_due_.reset();
        writer_.everything_changed(args_.region_count);
    }
    // What the device calls dirty is in the state first: until then the device is all that knows of it.
    const Member* self = state_->member(self_);
    const bool taken_in = merged_ && (merge_need_ == 0 || (self != nullptr && self->next_seq >= merge_need_));
    if (!taken_in || writer_.writing() || !writer_.has_pending() || !quorate()) return lazy_write_due_.reset();
    const bool urgent =
        life_ == LifeState::leaving || std::any_of(to_confirm_.begin(), to_confirm_.end(), [this](const auto& wanted) {
            return value_of(durable_, wanted.first) < wanted.second;
        });
    if (device_error_ != 0 && !urgent) return lazy_write_due_.reset();
    if (!urgent && !lazy_write_due_) lazy_write_due_ = now + config_.settings.lazy_write;
    if (!urgent && now < *lazy_write_due_) return;
    lazy_write_due_.reset();
    effects.emplace_back(writer_.start(state_->clean(), device_size_, progress()));
}

void MirrorLogCore::device_written(std::uint64_t write, const Result<void, DeviceError>& outcome, Instant now,
                                   Effects& effects) {
    if (ended_) return;
    const std::optional<DeviceWriter::Outcome> finished = writer_.finished(write, outcome.has_value());
    if (!finished) return after_event(now, effects);
    if (!finished->done && outcome.error().code == write_too_late) {
        // Whether this node still serves the log shows in what it hears now.
        write_again_due_ = now + config_.settings.write_again;
        say(LogLevel::warning, "a write to its log device was given up: this daemon was stopped for a while", effects);
        return after_event(now, effects);
    }
    ++device_status_.writes;
    if (finished->done) {
        device_status_.bytes_written += finished->bytes;
        if (device_error_ != 0) say(LogLevel::notice, "its log device works again", effects, LogEvent::device_works);
        device_error_ = 0;
        device_status_.failed = false;
        for (const auto& [member, through] : finished->progress)
            durable_[member] = std::max(value_of(durable_, member), through);
    } else {
        if (device_error_ == 0)
            say(LogLevel::error, "cannot write its log device " + args_.device + ": " + outcome.error().text, effects,
                LogEvent::device_failed);
        device_error_ = outcome.error().code > 0 ? outcome.error().code : EIO;
        device_status_.failed = true;
        device_status_.last_error = outcome.error().text;
        fail_flushes(device_error_, effects);
    }
    after_event(now, effects);
}

/// Another member became the server: what it has not confirmed is confirmed by whoever does that now.
void MirrorLogCore::server_changed(Effects& effects) {
    const Member* server = state_->server();
    const MemberId now_server = server == nullptr || state_->legacy_serves() ? MemberId{} : server->id;
    if (now_server == last_server_) return;
    // Beside a legacy server ours said that they have applied the ops: its answers alone covered the device. A word of
    // that kind may still be under way; it cannot speak of an op that comes now.
    if (last_server_ == MemberId{} && device_ready() && need_ > 0) {
        confirmed_ = 0;
        ask_for_confirmation();
        for (WaitingFlush& flush : flushes_)
            flush.need = need_;
    }
    last_server_ = now_server;
    sent_confirm_.clear();
    // What another member said to a server was that it has applied the ops; a server's word also covers the device.
    confirmed_by_other_ = std::min(confirmed_by_other_, confirmed_);
    if (now_server != self_ && device_ready()) {
        // Others write the device from now on: what it holds is to be looked at again before we do.
        relieved_merged_ = std::exchange(merged_, false);
        durable_.clear();
    }
    takes_over_ = now_server == self_ && device_ready() && !merged_;
    reading_to_merge_ = false;
    if (takes_over_) say(LogLevel::notice, "is served by this node now", effects);
}

/// The new server looks at the device when the one before it writes no more.
void MirrorLogCore::take_device_over(Instant now, Effects& effects) {
    if (!takes_over_ || state_->hands_device_over() || now < device_doubt_until_) return;
    takes_over_ = false;
    reading_to_merge_ = true;
    ++reads_open_;
    effects.emplace_back(ReadEffect{args_.region_count});
    device_rewrite_due_ = now + config_.settings.device_rewrite;
}

/// A server that a lower member has relieved says when its writes have ended.
void MirrorLogCore::hand_device_over(Instant now, Effects& effects) {
    const Member& self = *state_->member(self_);
    if (is_server() || writer_.busy() || now < device_doubt_until_) return;
    if (self.relieved == std::max(self.handed_over, handed_over_)) return;
    handed_over_ = self.relieved;
    outbox_.add({OpKind::device_free, handed_over_, relieved_merged_ ? device_behind_state : 1});
    outbox_.send(effects, now);
}

/// Who handed the device over may vouch for it: what it calls dirty beyond the state was cleared since it was written.
void MirrorLogCore::note_device_free(const Ops& ops) {
    for (const Op& op : ops.ops)
        if (op.kind == OpKind::device_free && takes_over_)
            handed_whole_ = handed_whole_.value_or(true) && op.count == device_behind_state;
}

void MirrorLogCore::device_read(const Result<DeviceImage, DeviceError>& image, Instant now, Effects& effects) {
    if (ended_) return;
    // Others may have written since an earlier one was asked for.
    if (--reads_open_ > 0) return;
    if (!image) {
        device_error_ = image.error().code > 0 ? image.error().code : EIO;
        device_status_.failed = true;
        device_status_.last_error = image.error().text;
        say(LogLevel::error, "cannot read its log device " + args_.device + ": " + image.error().text, effects,
            LogEvent::device_failed);
    }
    if (reading_device_) {
        reading_device_ = false;
        // What cannot be read calls nothing clean, whatever the table says of a device without a log.
        DeviceImage unknown;
        unknown.is_log = true;
        unknown.region_count = args_.region_count;
        found_with(image ? &*image : &unknown, now, effects);
    } else if (std::exchange(reading_to_merge_, false)) {
        merge(image ? *image : DeviceImage{}, effects);
        outbox_.send(effects, now);
    }
    after_event(now, effects);
}

// A region is clean only if it was clean on the device and is clean in memory (spec/disk.md), unless the server before
// vouches that the state knows all that is on the device. All members hear of what the device says otherwise; our own
// copy changes when that is delivered.
void MirrorLogCore::merge(const DeviceImage& image, Effects& effects) {
    merged_ = true;
    writer_.everything_changed(args_.region_count);
    const std::uint64_t known = image.is_log ? std::min(image.region_count, args_.region_count) : 0;
    std::uint64_t differing = 0;
    if (handed_whole_.value_or(false)) {
        // Nothing more to be known.
    } else if (known == 0) {
        differing = state_->clean().count();
        need_ = outbox_.add({OpKind::not_clean, 0, args_.region_count}) + 1;
    } else {
        for (const Op& op : dirty_on_device(image, known)) {
            need_ = outbox_.add(op) + 1;
            differing += op.count;
        }
    }
    merge_need_ = differing > 0 ? need_ : 0;
    say(LogLevel::notice, "took the log device over; " + std::to_string(differing) + " regions are dirty there alone",
        effects);
}

/// Runs of regions that are clean in memory and not among the first `known` ones of the device.
std::vector<Op> MirrorLogCore::dirty_on_device(const DeviceImage& image, std::uint64_t known) const {
    std::vector<Op> ops;
    for (std::uint64_t word = 0; word * 32 < args_.region_count; ++word) {
        const std::uint32_t on_device = word < image.words.size() && word * 32 < known ? image.words[word] : 0;
        for (std::uint32_t dirty = state_->clean().word32(word) & ~on_device; dirty != 0; dirty &= dirty - 1) {
            const RegionNumber region = word * 32 + static_cast<unsigned>(std::countr_zero(dirty));
            if (!ops.empty() && ops.back().region + ops.back().count == region && ops.back().count < op_regions_max)
                ++ops.back().count;
            else
                ops.push_back({OpKind::not_clean, region, 1});
        }
    }
    return ops;
}

}  // namespace cmirror::mirror_log
