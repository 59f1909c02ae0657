// Regions with a failed leg, and the owners that reported it: those alone may recover them.
#pragma once

#include <iterator>
#include <map>
#include <set>

#include "messages/identity.hpp"

namespace cmirror::mirror_log {

/// Forgets the reports of the owners that `whose` tells, and regions that nobody reports any more.
template <class Whose>
void forget_reports(std::map<RegionNumber, std::set<Owner>>& failed, Whose whose) {
    for (auto i = failed.begin(); i != failed.end();) {
        std::erase_if(i->second, whose);
        i = i->second.empty() ? failed.erase(i) : std::next(i);
    }
}

}  // namespace cmirror::mirror_log
