#pragma once

#include <atomic>
#include <cstdint>

#include "storage/byte_queue.h"

namespace hutch {

// Reads an archive file from its current position to its end, undoes the compression that its content shows
// (gzip, bzip2, xz, zstd, or none), and feeds the result to `queue`, which it finishes in every case. Damage
// that the format's own checks show is an error at the latest when everything was read. Runs in a thread of
// its own; throws nothing. `consumed` counts the bytes read from the file.
void decompress(int archive_fd, ByteQueue& queue, std::atomic<std::uint64_t>& consumed) noexcept;

}  // namespace hutch
