/*
 * test_platform_windows.c: what only Windows can be asked: access lists and owners.
 *
 * Wine keeps the mode of a Unix file only, and no list: it makes one up of the mode, which is not
 * protected and lets the system in, too. So each list is looked at as it is given to the system, and a
 * file's only for who it lets in. Nor does Wine keep another owner: the answers about owners are asked
 * of identifiers in memory.
 */

#include "test_platform.h"

#include "platform_windows.h"

#include <aclapi.h>
#include <sddl.h>

/* ---- help ------------------------------------------------------------------------------------ */

/* The list of a descriptor in its text form, such as "D:P(A;;FA;;;WD)". */
static PACL list_of(const wchar_t *text, PSECURITY_DESCRIPTOR *descriptor) {
  BOOL present = FALSE, defaulted;
  PACL list = NULL;
  CHECK(ConvertStringSecurityDescriptorToSecurityDescriptorW(text, SDDL_REVISION_1, descriptor,
                                                             NULL));
  CHECK(GetSecurityDescriptorDacl(*descriptor, &present, &list, &defaulted) && present);
  return list;
}

static bool is_open(const wchar_t *text) {
  PSECURITY_DESCRIPTOR descriptor;
  bool answer = pts_windows_is_open(list_of(text, &descriptor));
  LocalFree(descriptor);
  return answer;
}

static bool is_ours(WELL_KNOWN_SID_TYPE kind) {
  BYTE sid[SECURITY_MAX_SID_SIZE];
  DWORD size = sizeof sid;
  CHECK(CreateWellKnownSid(kind, NULL, sid, &size));
  return pts_windows_is_ours(sid);
}

/* Of the process, which no thread here differs from. */
static PSID user_sid(void) {
  static pts_windows_account account;
  DWORD size;
  HANDLE token = NULL;
  CHECK(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
  CHECK(GetTokenInformation(token, TokenUser, &account, sizeof account, &size));
  CloseHandle(token);
  return account.sid;
}

/* What of a file's rights an account has by the list, not counting what it has as a member. */
static DWORD rights_in(PACL list, PSID sid) {
  DWORD rights = 0;
  void *entry;
  GENERIC_MAPPING mapping = {FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE,
                             FILE_ALL_ACCESS};
  for (DWORD i = 0; GetAce(list, i, &entry); i++) {
    PACCESS_ALLOWED_ACE ace = entry;
    CHECK_EQUAL(ace->Header.AceType, ACCESS_ALLOWED_ACE_TYPE);
    if (EqualSid(&ace->SidStart, sid)) rights |= ace->Mask;
  }
  MapGenericMask(&rights, &mapping);
  return rights;
}

static SID everyone = {SID_REVISION, 1, SECURITY_WORLD_SID_AUTHORITY, {SECURITY_WORLD_RID}};
static SID local_system = {SID_REVISION, 1, SECURITY_NT_AUTHORITY, {SECURITY_LOCAL_SYSTEM_RID}};

/* ---- access lists ---------------------------------------------------------------------------- */

static void a_mode_becomes_an_access_list(void) {
  const struct {
    uint32_t mode;
    WORD entries;
    DWORD user, group, others;
  } cases[] = {
      {0600, 1, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE, 0, 0},
      {0400, 1, FILE_GENERIC_READ | DELETE, 0, 0},
      {0640, 2, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE, FILE_GENERIC_READ, 0},
      {0604, 2, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE, 0, FILE_GENERIC_READ},
      {0666, 3, FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE,
       FILE_GENERIC_READ | FILE_GENERIC_WRITE, FILE_GENERIC_READ | FILE_GENERIC_WRITE},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    pts_windows_access access;
    SECURITY_DESCRIPTOR_CONTROL control = 0;
    BOOL present = FALSE, defaulted = TRUE;
    DWORD revision;
    PACL list = NULL;
    PSID owner = NULL;
    CHECK_EQUAL(pts_windows_access_for(cases[i].mode, 0, &access), 0);
    PSECURITY_DESCRIPTOR descriptor = access.attributes.lpSecurityDescriptor;
    CHECK(IsValidSecurityDescriptor(descriptor));
    CHECK(GetSecurityDescriptorControl(descriptor, &control, &revision));
    CHECK(control & SE_DACL_PROTECTED); /* the folder's entries stay out */
    CHECK(GetSecurityDescriptorOwner(descriptor, &owner, &defaulted) && !defaulted);
    CHECK(owner != NULL && EqualSid(owner, user_sid()));
    CHECK(GetSecurityDescriptorDacl(descriptor, &present, &list, &defaulted) && present);
    CHECK(IsValidAcl(list) && !defaulted);
    CHECK_EQUAL(list->AceCount, cases[i].entries);
    CHECK_EQUAL(rights_in(list, user_sid()), cases[i].user);
    CHECK_EQUAL(rights_in(list, access.group.sid), cases[i].group);
    CHECK_EQUAL(rights_in(list, &everyone), cases[i].others);
    CHECK_EQUAL(pts_windows_is_open(list), cases[i].mode == 0666);
  }
}

static void a_folder_hands_its_list_down(void) {
  pts_windows_access access;
  void *entry;
  CHECK_EQUAL(pts_windows_access_for(0700, CONTAINER_INHERIT_ACE | OBJECT_INHERIT_ACE, &access), 0);
  CHECK_EQUAL(access.descriptor.Dacl->AceCount, 1);
  CHECK(GetAce(access.descriptor.Dacl, 0, &entry));
  CHECK_EQUAL(((PACE_HEADER)entry)->AceFlags, CONTAINER_INHERIT_ACE | OBJECT_INHERIT_ACE);
  CHECK_EQUAL(rights_in(access.descriptor.Dacl, user_sid()),
              FILE_GENERIC_READ | FILE_GENERIC_WRITE | FILE_GENERIC_EXECUTE | DELETE);
}

/* ---- what files have ------------------------------------------------------------------------- */

/* Whether a file or folder is the user's and lets nobody else in, the system aside. */
static void check_private(HANDLE file, DWORD rights) {
  PSID owner = NULL;
  PACL list = NULL;
  PSECURITY_DESCRIPTOR both = NULL;
  void *entry;
  CHECK_EQUAL(GetSecurityInfo(file, SE_FILE_OBJECT, OWNER_SECURITY_INFORMATION |
                              DACL_SECURITY_INFORMATION, &owner, NULL, &list, NULL, &both), 0);
  CHECK(owner != NULL && EqualSid(owner, user_sid()));
  CHECK(list != NULL);
  for (DWORD i = 0; list != NULL && GetAce(list, i, &entry); i++) {
    PSID sid = &((PACCESS_ALLOWED_ACE)entry)->SidStart;
    CHECK(EqualSid(sid, user_sid()) || EqualSid(sid, &local_system));
  }
  if (list != NULL) CHECK_EQUAL(rights_in(list, user_sid()) & rights, rights);
  LocalFree(both);
}

static pts_fd create(const char *name, uint32_t permissions, char *temp) {
  pts_fd fd = PTS_NO_FD;
  CHECK_EQUAL(pts_os_create(in_folder(name), permissions, &fd, temp), 0);
  return fd;
}

static void a_new_file_lets_only_its_user_in(void) {
  char temp[PTS_PATH_MAX];
  pts_file_id id;
  pts_fd fd = create("private file", 0600, temp);
  check_private(pts_windows_handle(fd), FILE_GENERIC_READ | FILE_GENERIC_WRITE);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.is_ours && !id.is_open);
  pts_os_close(fd);
  CHECK_EQUAL(pts_os_open(temp, &fd), 0);
  pts_os_close(fd);
  pts_os_unlink(temp);
  CHECK_EQUAL(pts_os_identify_path(temp, &id), PTS_E_NOT_FOUND);
}

static void a_file_that_everybody_may_write_is_told(void) {
  char temp[PTS_PATH_MAX];
  wchar_t wide[PTS_WIDE_MAX];
  pts_windows_access access;
  pts_file_id id;
  pts_fd fd = create("read by all", 0644, temp);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.is_ours && !id.is_open);
  /* Afterwards, as Wine makes a file under the umask. */
  CHECK_EQUAL(pts_windows_access_for(0666, 0, &access), 0);
  CHECK_EQUAL(pts_windows_widen(temp, wide), 0);
  CHECK_EQUAL(SetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                                    access.descriptor.Dacl, NULL), 0);
  CHECK_EQUAL(pts_os_identify(fd, &id), 0);
  CHECK(id.is_ours && id.is_open);
  CHECK_EQUAL(pts_os_identify_path(temp, &id), 0);
  CHECK(id.is_ours && id.is_open);
  pts_os_close(fd);
  pts_os_unlink(temp);
}

/* LOCALAPPDATA of this process is the test's folder for the time. */
static void the_private_folder_lets_only_its_user_in(void) {
  wchar_t before[MAX_PATH], base[PTS_WIDE_MAX], wide[PTS_WIDE_MAX];
  char folder[PTS_PATH_MAX];
  bool fell_back = true;
  CHECK(GetEnvironmentVariableW(L"LOCALAPPDATA", before, MAX_PATH) > 0);
  CHECK_EQUAL(pts_windows_widen(in_folder("local"), base), 0);
  CHECK(CreateDirectoryW(base, NULL));
  CHECK(SetEnvironmentVariableW(L"LOCALAPPDATA", base));
  CHECK_EQUAL(pts_os_private_folder(0, folder, sizeof folder, &fell_back), 0);
  CHECK(!fell_back && strstr(folder, "\\local\\prometheus-tiny-shared") != NULL);
  CHECK_EQUAL(pts_windows_widen(folder, wide), 0);
  HANDLE opened = CreateFileW(wide, READ_CONTROL | WRITE_DAC, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL,
                              OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
  CHECK(opened != INVALID_HANDLE_VALUE);
  check_private(opened, FILE_GENERIC_READ | FILE_GENERIC_WRITE | FILE_GENERIC_EXECUTE);

  /* Opened to everybody, it is not taken again. */
  PSECURITY_DESCRIPTOR descriptor;
  PACL list = list_of(L"D:P(A;;FA;;;WD)", &descriptor);
  CHECK_EQUAL(SetSecurityInfo(opened, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION |
                              PROTECTED_DACL_SECURITY_INFORMATION, NULL, NULL, list, NULL), 0);
  CHECK_EQUAL(pts_os_private_folder(0, folder, sizeof folder, &fell_back), 0);
  CHECK(fell_back && strstr(folder, "\\local\\") == NULL);
  LocalFree(descriptor);
  CloseHandle(opened);
  CHECK(RemoveDirectoryW(wide));
  CHECK(RemoveDirectoryW(base));
  CHECK(SetEnvironmentVariableW(L"LOCALAPPDATA", before));
}

/* ---- answers --------------------------------------------------------------------------------- */

static void strangers_own_what_is_not_ours(void) {
  CHECK(pts_windows_is_ours(user_sid()));
  CHECK(is_ours(WinBuiltinAdministratorsSid)); /* of what an elevated process makes */
  CHECK(is_ours(WinWorldSid)); /* of a file system without owners */
  CHECK(!is_ours(WinLocalServiceSid));
  CHECK(!is_ours(WinAnonymousSid));
  CHECK(!is_ours(WinBuiltinUsersSid)); /* the user is in it */
  CHECK(!is_ours(WinBuiltinGuestsSid));
  CHECK(!pts_windows_is_ours(NULL));
}

static void who_else_may_write_is_found(void) {
  CHECK(pts_windows_is_open(NULL));
  CHECK(is_open(L"D:(A;;FA;;;WD)"));
  CHECK(is_open(L"D:(A;;FR;;;BA)(A;;FW;;;AU)"));
  CHECK(is_open(L"D:(A;;GA;;;BU)"));
  CHECK(is_open(L"D:(A;;GW;;;WD)"));
  CHECK(is_open(L"D:(A;;WD;;;WD)")); /* may let itself in */
  CHECK(!is_open(L"D:"));
  CHECK(!is_open(L"D:(A;;FRFX;;;WD)(A;;FA;;;SY)(A;;FA;;;BA)"));
  CHECK(!is_open(L"D:(D;;FA;;;WD)"));
  CHECK(!is_open(L"D:(A;OICIIO;FA;;;WD)")); /* for what will be in the folder */
}

static const test_case tests[] = {
    {"a mode becomes an access list", a_mode_becomes_an_access_list},
    {"a folder hands its list down", a_folder_hands_its_list_down},
    {"a new file lets only its user in", a_new_file_lets_only_its_user_in},
    {"a file that everybody may write is told", a_file_that_everybody_may_write_is_told},
    {"the private folder lets only its user in", the_private_folder_lets_only_its_user_in},
    {"strangers own what is not ours", strangers_own_what_is_not_ours},
    {"who else may write is found", who_else_may_write_is_found},
};

int main(void) { return run_tests_in_folder(tests, sizeof tests / sizeof *tests); }
