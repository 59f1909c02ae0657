// What the log looks like from outside: the kernel's status lines and the snapshot.
#include "actors/mirror_log/mirror_log_core.hpp"
#include "actors/mirror_log/region_strip.hpp"

namespace cmirror::mirror_log {

namespace {

constexpr std::size_t sample_max = 8;

}  // namespace

// As the kernel's own logs say it: the number of words, then the words; A: the log device is alive, D: it failed.
std::string MirrorLogCore::status_info() const {
    if (!args_.disk_log) return "1 clustered-core";
    return "3 clustered-disk " + args_.device + (device_error_ == 0 ? " A" : " D");
}

std::string MirrorLogCore::status_table() const {
    std::string text = args_.disk_log ? "clustered-disk " + args_.device : "clustered-core";
    text += " " + std::to_string(args_.region_size_sectors) + " ";
    if (args_.sync == ConstructorArguments::Sync::sync) text += "sync ";
    if (args_.sync == ConstructorArguments::Sync::nosync) text += "nosync ";
    if (args_.block_on_error) text += "block_on_error";
    return text + " ";
}

LogStatus MirrorLogCore::status() const {
    LogStatus status;
    status.uuid = config_.uuid;
    status.luid = config_.luid;
    status.state = name_of(life_);
    status.log_type = args_.disk_log ? "clustered-disk" : "clustered-core";
    status.region_size_sectors = args_.region_size_sectors;
    status.region_count = args_.region_count;
    status.quorate = quorate();
    status.awaited = awaited();
    status.requests = requests_;
    status.bad_requests = bad_requests_;
    status.rounds = rounds_;
    status.marked_ahead = marked_ahead_;
    status.round_time = outbox_.round_time();
    status.recovered_here = recovered_here_;
    if (args_.disk_log) status.device = device_status_;
    for (const WaitingFlush& flush : flushes_)
        status.pending.push_back({flush.request.seq, "FLUSH"});
    for (const WaitingWork& work : work_)
        status.pending.push_back({work.request.seq, "GET_RESYNC_WORK"});
    for (const auto* requests : {&waiting_, &resume_requests_, &leave_requests_})
        for (const KernelRequest& r : *requests)
            status.pending.push_back({r.seq, std::string(name_of(r.type))});
    if (!state_) return status;

    status.state_ordinal = state_->ordinal();
    status.state_digest = state_->digest();
    status.sync_count = state_->sync_count();
    status.dirty_count = state_->region_count() - state_->clean().count();
    status.region_map = region_strip(*state_);
    status.in_sync_hint = truthful_hint();
    status.refresh_due = state_->ever_fully_in_sync() && !state_->sync().all();
    // While nothing is recovered no message tells that the rate has become 0.
    if (!state_->grants().empty()) status.sync_rate = progress_meter_.rate();
    for (const auto& [first, run] : state_->grants().runs())
        status.recovering.push_back({run.owner, run.first, run.count});
    for (const Owner who : state_->marks().owners()) {
        const auto& regions = state_->marks().of(who);
        MarksOfOwner marks{who, regions.size(), {}, state_->present(who), state_->marks().has_everything(who)};
        for (auto i = regions.begin(); i != regions.end() && marks.sample.size() < sample_max; ++i)
            marks.sample.push_back(*i);
        status.marks.push_back(std::move(marks));
    }
    const Member* server = state_->server();
    for (const Member& m : state_->members())
        status.members.push_back({m.id, m.valid || m.legacy_valid,
                                  server != nullptr && server->id == m.id && !state_->legacy_serves(), m.legacy,
                                  m.version.text()});
    return status;
}

}  // namespace cmirror::mirror_log
