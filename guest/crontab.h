#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "guest/guest_root.h"

namespace hutch::guest {

// A system crontab(5) whose lines with a numeric minute and user root run at another minute, from
// `next_minute`.
std::string randomize_minutes(std::string_view crontab, const std::function<unsigned()>& next_minute);

// /etc/crontab and every /etc/cron.d/[A-Za-z0-9_-]+, with random minutes 0-58, so that the containers made
// from one template do not all start their jobs in the same minute.
void randomize_crontabs(const GuestRoot& root);

}  // namespace hutch::guest
