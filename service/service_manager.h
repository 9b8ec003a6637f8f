// What systemd, or whatever else has started migd with NOTIFY_SOCKET, is told of it; see
// sd_notify(3). Nothing happens where nobody listens.
#pragma once

#include "absl/time/time.h"

namespace migd {

// It serves. After NotifyReloading: it has read its configuration anew.
void NotifyReady();
// It reads its configuration anew.
void NotifyReloading();
// It has begun to stop, which takes so long at most: systemd waits for it, also if that is longer
// than the unit says.
void NotifyStopping(absl::Duration most);

// It lives. Expected again and again where WatchdogTimeout() is positive.
void NotifyAlive();
// After so long without NotifyAlive this process is taken for dead; zero if nobody watches.
absl::Duration WatchdogTimeout();

}  // namespace migd
