// What SIGHUP does: the configuration is read anew, and what can be changed while migd serves is.
#pragma once

#include <string>
#include <vector>

#include "service/config.h"
#include "service/rpc/catalog.h"

namespace migd {

// The settings in which two configurations differ and that take effect with a restart only, such as
// "listen" or "databases.app.url".
std::vector<std::string> SettingsThatNeedARestart(const Config& running, const Config& fresh);

// Gives every database that both have the policy that `fresh` has for it. Operations and calls that
// have begun go on with what they began with.
void ApplyPolicies(const Config& fresh, const Catalog& catalog);

}  // namespace migd
