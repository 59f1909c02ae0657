// FLUSH: who confirms what, and the log device (design.md, rules 1 and 6, "Group commit").
#include <algorithm>
#include <bit>
#include <cerrno>

#include "actors/mirror_log/mirror_log_core.hpp"
#include "messages/invariant.hpp"

namespace cmirror::mirror_log {

namespace {

/// Does the originator wait for this op to be confirmed?
bool waits_for_confirmation(OpKind kind) {
    switch (kind) {
        case OpKind::mark:
        case OpKind::failed:
        case OpKind::want_work:
        case OpKind::marked_unknown:
        case OpKind::written:
        case OpKind::not_clean:
        case OpKind::confirm:
            return true;
        default:
            return false;
    }
}

std::uint64_t value_of(const Progress& progress, MemberId member) {
    const auto i = progress.find(member);
    return i == progress.end() ? 0 : i->second;
}

}  // namespace

void MirrorLogCore::note_durable_ops(MemberId origin, const Ops& ops) {
    for (std::size_t i = ops.ops.size(); i > 0; --i) {
        if (!waits_for_confirmation(ops.ops[i - 1].kind)) continue;
        std::uint64_t& wanted = to_confirm_[origin];
        wanted = std::max(wanted, ops.first_seq + i);
        return;
    }
}

/// Of every valid member: its ops that are applied here.
Progress MirrorLogCore::progress() const {
    Progress all;
    for (const Member& member : state_->members())
        if (member.valid || member.legacy) all[member.id] = state_->applied_through(member);
    return all;
}

/// Called after every event: what can be written, confirmed and answered now.
void MirrorLogCore::update_durability(Instant now, Effects& effects) {
    std::set<std::uint64_t> changed = state_->take_changed_blocks();
    const bool writes = writes_device();
    if (!writes) {
        writer_.forget();
        lazy_write_due_.reset();
    } else {
        writer_.changed(changed);
        if (writer_.settled() && merged_) durable_ = progress();
        start_write(now, effects);
    }
    send_confirmations(effects);
    update_confirmed();
    answer_flushes(effects);
}

void MirrorLogCore::start_write(Instant now, Effects& effects) {
    if (!merged_ || writer_.writing() || !writer_.has_pending() || !quorate()) return lazy_write_due_.reset();
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
    if (!finished) return;
    ++device_status_.writes;
    if (finished->done) {
        device_status_.bytes_written += finished->bytes;
        if (device_error_ != 0) say(LogLevel::notice, "its log device works again", effects);
        device_error_ = 0;
        device_status_.failed = false;
        for (const auto& [member, through] : finished->progress)
            durable_[member] = std::max(value_of(durable_, member), through);
    } else {
        if (device_error_ == 0)
            say(LogLevel::error, "cannot write its log device " + args_.device + ": " + outcome.error().text, effects);
        device_error_ = outcome.error().code > 0 ? outcome.error().code : EIO;
        device_status_.failed = true;
        device_status_.last_error = outcome.error().text;
        fail_flushes(device_error_, effects);
    }
    after_event(now, effects);
}

/// The device's write failed: the FLUSHes that wait for it carry the error, here and at their originators.
void MirrorLogCore::fail_flushes(int error, Effects& effects) {
    Confirm confirm;
    for (auto& [member, wanted] : to_confirm_) {
        const std::uint64_t through = value_of(durable_, member);
        const Member* origin = state_->member(member);
        if (origin == nullptr || through >= wanted) continue;
        if (member != self_ && !origin->legacy)
            confirm.confirmations.push_back({member, origin->token, through, -error});
        // The next FLUSH tries again.
        wanted = through;
    }
    if (!confirm.confirmations.empty()) effects.emplace_back(SendEffect{std::move(confirm)});
    refuse_flushes(error, effects);
}

void MirrorLogCore::refuse_flushes(int error, Effects& effects) {
    flush_failed_ = true;
    for (const WaitingFlush& flush : std::exchange(flushes_, {}))
        refuse(flush.request, error, effects);
    fail_legacy_flushes(error, effects);
}

/// Tells originators that count on this member how far their ops are applied, and on the device.
void MirrorLogCore::send_confirmations(Effects& effects) {
    if (!quorate()) return;
    Confirm confirm;
    for (const auto& [member, wanted] : to_confirm_) {
        if (member == self_) continue;
        const Member* origin = state_->member(member);
        const Member* confirmer = state_->confirmer_of(member);
        if (origin == nullptr || origin->legacy || confirmer == nullptr || confirmer->id != self_) continue;
        std::uint64_t& sent = sent_confirm_[member];
        if (sent >= wanted) continue;
        std::uint64_t through = state_->applied_through(*origin);
        if (writes_device()) through = std::min(through, value_of(durable_, member));
        if (through <= sent) continue;
        sent = through;
        confirm.confirmations.push_back({member, origin->token, through, 0});
    }
    if (!confirm.confirmations.empty()) effects.emplace_back(SendEffect{std::move(confirm)});
}

void MirrorLogCore::take_confirm(MemberId sender, const Confirm& confirm, Effects& effects) {
    const Member* confirmer = state_->confirmer_of(self_);
    for (const Confirmation& c : confirm.confirmations) {
        if (c.origin != self_ || c.token != token_) continue;
        if (confirmer == nullptr || confirmer->id != sender || c.next_seq > outbox_.next_seq()) continue;
        confirmed_by_other_ = std::max(confirmed_by_other_, c.next_seq);
        if (!is_server()) device_error_ = -c.error;
        if (c.error != 0) refuse_flushes(-c.error, effects);
    }
}

/// Own ops below confirmed_ would survive the loss of any one node.
void MirrorLogCore::update_confirmed() {
    if (!quorate()) return;
    const Member* self = state_->member(self_);
    CMIRROR_INVARIANT(self != nullptr);
    std::uint64_t through = state_->applied_through(*self);
    if (state_->confirmer_of(self_) != nullptr) through = std::min(through, confirmed_by_other_);
    if (writes_device()) through = std::min(through, value_of(durable_, self_));
    confirmed_ = std::max(confirmed_, through);
    failures_.erase(failures_.begin(), failures_.lower_bound(confirmed_));
}

void MirrorLogCore::answer_flushes(Effects& effects) {
    std::vector<WaitingFlush> waiting;
    waiting.swap(flushes_);
    for (const WaitingFlush& flush : waiting) {
        if (flush.need <= confirmed_ && legacy_flushed(flush.legacy_need))
            reply(flush.request, {}, effects);
        else
            flushes_.push_back(flush);
    }
}

/// Another member became the server: what it has not confirmed is confirmed by whoever does that now.
void MirrorLogCore::server_changed(Effects& effects) {
    const Member* server = state_->server();
    const MemberId now_server = server == nullptr || state_->legacy_serves() ? MemberId{} : server->id;
    if (now_server == last_server_) return;
    last_server_ = now_server;
    sent_confirm_.clear();
    // What another member said to a server was that it has applied the ops; a server's word also covers the device.
    confirmed_by_other_ = std::min(confirmed_by_other_, confirmed_);
    if (now_server != self_ && device_ready()) {
        // Others write the device from now on: what it holds is to be looked at again before we do.
        merged_ = false;
        durable_.clear();
    }
    if (now_server != self_ || !device_ready() || merged_) return;
    say(LogLevel::notice, "is served by this node now", effects);
    ++reads_open_;
    effects.emplace_back(ReadEffect{args_.region_count});
}

void MirrorLogCore::device_read(const Result<DeviceImage, DeviceError>& image, Instant now, Effects& effects) {
    if (ended_) return;
    // Others may have written since an earlier one was asked for.
    if (--reads_open_ > 0) return;
    if (!image) {
        device_error_ = image.error().code > 0 ? image.error().code : EIO;
        device_status_.failed = true;
        device_status_.last_error = image.error().text;
        say(LogLevel::error, "cannot read its log device " + args_.device + ": " + image.error().text, effects);
    }
    if (reading_device_) {
        reading_device_ = false;
        // What cannot be read calls nothing clean, whatever the table says of a device without a log.
        DeviceImage unknown;
        unknown.is_log = true;
        unknown.region_count = args_.region_count;
        found_with(image ? &*image : &unknown, now, effects);
    } else if (valid_ && is_server() && !merged_) {
        merge(image ? *image : DeviceImage{}, effects);
        outbox_.send(effects, now);
    }
    after_event(now, effects);
}

// A region is clean only if it was clean on the device and is clean in memory (spec/disk.md). All members hear of what
// the device says otherwise; our own copy changes when that is delivered.
void MirrorLogCore::merge(const DeviceImage& image, Effects& effects) {
    merged_ = true;
    writer_.everything_changed(args_.region_count);
    const std::uint64_t known = image.is_log ? std::min(image.region_count, args_.region_count) : 0;
    std::uint64_t differing = 0;
    for (std::uint64_t word = 0; word * 32 < args_.region_count; ++word) {
        const std::uint32_t on_device = word < image.words.size() && word * 32 < known ? image.words[word] : 0;
        std::uint32_t dirty = state_->clean().word32(word) & ~on_device;
        for (; dirty != 0; dirty &= dirty - 1) {
            const auto bit = static_cast<unsigned>(std::countr_zero(dirty));
            need_ = outbox_.add({OpKind::not_clean, word * 32 + bit, 1}) + 1;
            ++differing;
        }
    }
    say(LogLevel::notice, "took the log device over; " + std::to_string(differing) + " regions are dirty there alone",
        effects);
}

}  // namespace cmirror::mirror_log
