/*
 * platform_windows_access.c: modes and owners in the terms of Windows: access lists, and identifiers of
 * users and groups.
 *
 * The list of a new file is its own, without the entries that a folder hands down: in many folders,
 * those let every user of the machine in. Neither the system nor the administrators are in it: their
 * privileges (backup, taking ownership) let them at any file, as root is let on Unix.
 */

#include "platform_windows.h"

#include <aclapi.h>

#include "pts.h"

/* Of the user that the thread acts for. TOKEN_USER and TOKEN_PRIMARY_GROUP begin alike. */
static bool ask_token(TOKEN_INFORMATION_CLASS what, pts_windows_account *out) {
  DWORD size;
  return GetTokenInformation(GetCurrentThreadEffectiveToken(), what, out, sizeof *out, &size);
}

/* The three bits of a mode are, in their order, the three highest of a mask. */
#define GENERIC_OF(bits) ((DWORD)((bits) & 7) << 29)
_Static_assert(GENERIC_OF(4) == GENERIC_READ && GENERIC_OF(2) == GENERIC_WRITE &&
                   GENERIC_OF(1) == GENERIC_EXECUTE,
               "bits of a mode");

int32_t pts_windows_access_for(uint32_t permissions, DWORD inherited, pts_windows_access *out) {
  static SID everyone = {SID_REVISION, 1, SECURITY_WORLD_SID_AUTHORITY, {SECURITY_WORLD_RID}};
  PACL list = (PACL)out->list;
  if (!ask_token(TokenUser, &out->user) || !ask_token(TokenPrimaryGroup, &out->group) ||
      !InitializeAcl(list, sizeof out->list, ACL_REVISION)) {
    return pts_windows_failed(GetLastError());
  }
  const PSID sids[] = {out->user.sid, out->group.sid, &everyone};
  for (int i = 0; i < 3; i++) {
    DWORD rights = GENERIC_OF(permissions >> (6 - 3 * i));
    if (i == 0) rights |= DELETE; /* also to give it another name */
    if (rights == 0) continue;
    if (!AddAccessAllowedAceEx(list, ACL_REVISION, inherited, rights, sids[i])) {
      return pts_windows_failed(GetLastError());
    }
  }
  out->descriptor = (SECURITY_DESCRIPTOR){
      .Revision = SECURITY_DESCRIPTOR_REVISION,
      .Control = SE_DACL_PRESENT | SE_DACL_PROTECTED,
      .Owner = out->user.sid, /* and not, from an elevated process, the administrators */
      .Dacl = list,
  };
  out->attributes = (SECURITY_ATTRIBUTES){
      .nLength = sizeof out->attributes,
      .lpSecurityDescriptor = &out->descriptor,
  };
  return 0;
}

/*
 * Beside the user's own: what is of the administrators, as all that the user makes in an elevated
 * process without saying more, the folder of the unpacked library for one; nobody else can give them a
 * file. And what is of nobody: file systems without owners say "Everyone".
 */
bool pts_windows_is_ours(PSID owner) {
  pts_windows_account user;
  if (owner == NULL || !ask_token(TokenUser, &user)) return false;
  return EqualSid(owner, user.sid) || IsWellKnownSid(owner, WinBuiltinAdministratorsSid) ||
         IsWellKnownSid(owner, WinWorldSid);
}

/* By an entry for all who have an account. Entries that deny it to some are not looked at. */
bool pts_windows_is_open(PACL list) {
  static const WELL_KNOWN_SID_TYPE everybody[] = {WinWorldSid, WinAuthenticatedUserSid,
                                                  WinBuiltinUsersSid};
  const DWORD writing = FILE_WRITE_DATA | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL;
  void *at;
  if (list == NULL) return true; /* that is what no list means */
  for (DWORD i = 0; GetAce(list, i, &at); i++) {
    PACCESS_ALLOWED_ACE entry = at;
    if (entry->Header.AceType != ACCESS_ALLOWED_ACE_TYPE || (entry->Mask & writing) == 0 ||
        (entry->Header.AceFlags & INHERIT_ONLY_ACE) != 0) {
      continue;
    }
    for (int j = 0; j < 3; j++) {
      if (IsWellKnownSid(&entry->SidStart, everybody[j])) return true;
    }
  }
  return false;
}

void pts_windows_inspect(HANDLE file, pts_file_id *out) {
  PSID owner;
  PACL list;
  PSECURITY_DESCRIPTOR both;
  const SECURITY_INFORMATION asked = OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;
  if (GetSecurityInfo(file, SE_FILE_OBJECT, asked, &owner, NULL, &list, NULL, &both) != 0) return;
  out->is_ours = pts_windows_is_ours(owner);
  out->is_open = pts_windows_is_open(list);
  LocalFree(both);
}
