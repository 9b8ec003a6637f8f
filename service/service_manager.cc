#include "service/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"

namespace migd {

void NotifyReady() { sd_notify(0, "READY=1"); }

void NotifyReloading() {
  // With the time, Type=notify-reload can tell this reload from an earlier one.
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  constexpr int64_t kMicrosecondsPerSecond = 1'000'000;
  const int64_t microseconds = now.tv_sec * kMicrosecondsPerSecond + now.tv_nsec / 1000;
  sd_notify(0, absl::StrCat("RELOADING=1\nMONOTONIC_USEC=", microseconds).c_str());
}

void NotifyStopping(absl::Duration most) {
  sd_notify(
      0, absl::StrCat("STOPPING=1\nEXTEND_TIMEOUT_USEC=", absl::ToInt64Microseconds(most)).c_str());
}

void NotifyAlive() { sd_notify(0, "WATCHDOG=1"); }

absl::Duration WatchdogTimeout() {
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) <= 0) return absl::ZeroDuration();
  return absl::Microseconds(static_cast<int64_t>(microseconds));
}

}  // namespace migd
