/* The version of the exported ABI. ffi/ refuses a library of another version. */

#include "pts.h"

PTS_EXPORT uint32_t pts_abi_version(void) {
  return PTS_ABI_VERSION;
}
