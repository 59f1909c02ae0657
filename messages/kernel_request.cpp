#include "messages/kernel_request.hpp"

#include "messages/invariant.hpp"

namespace cmirror {

std::string_view name_of(RequestType type) {
    static constexpr std::array<std::string_view, 18> names{"",
                                                            "CTR",
                                                            "DTR",
                                                            "PRESUSPEND",
                                                            "POSTSUSPEND",
                                                            "RESUME",
                                                            "GET_REGION_SIZE",
                                                            "IS_CLEAN",
                                                            "IN_SYNC",
                                                            "FLUSH",
                                                            "MARK_REGION",
                                                            "CLEAR_REGION",
                                                            "GET_RESYNC_WORK",
                                                            "SET_REGION_SYNC",
                                                            "GET_SYNC_COUNT",
                                                            "STATUS_INFO",
                                                            "STATUS_TABLE",
                                                            "IS_REMOTE_RECOVERING"};
    const auto index = static_cast<std::size_t>(type);
    CMIRROR_INVARIANT(index != 0 && index < names.size());
    return names[index];
}

}  // namespace cmirror
