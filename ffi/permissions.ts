/**
 * Asks for permissions, and names the flags of those that are missing.
 *
 * @module
 */

import { StoreError } from "../src/errors.ts";

/**
 * Asks for every permission: Deno prompts in a terminal, and says no without one.
 *
 * @throws {StoreError} `PERMISSION` with the message when one is not granted.
 */
export function requirePermissions(
  permissions: Deno.PermissionDescriptor[],
  message: () => string,
): void {
  for (const permission of permissions) {
    if (Deno.permissions.requestSync(permission).state !== "granted") {
      throw new StoreError("PERMISSION", message());
    }
  }
}

/** Whether the permission is granted, without asking for it. */
export function isGranted(permission: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(permission).state === "granted";
}

/**
 * The command line flag of a permission, quoted for a shell where its value needs it. Deno splits a
 * value at commas and knows no escape for them: such a value can only be granted as a whole.
 */
export function flag(name: string, value?: string): string {
  if (value === undefined || value.includes(",")) return `--allow-${name}`;
  const text = `--allow-${name}=${value}`;
  return /^[\w@%+=:./\\-]+$/.test(text) ? text : `"${text}"`;
}
