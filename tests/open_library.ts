// Opens the native library and prints its version, or what an application would see of the failure.
// library_test.ts and permissions_test.ts run it with environments and permissions of their own.

import { openLibrary } from "../ffi/library.ts";
import { StoreError } from "../src/errors.ts";

try {
  const library = openLibrary({
    pts_abi_version: { parameters: [], result: "u32" /* uint32_t */ },
  });
  console.log(`version ${library.symbols.pts_abi_version()}`);
} catch (error) {
  if (!(error instanceof StoreError)) throw error;
  console.log(`${error.code}: ${error.message}`);
}
