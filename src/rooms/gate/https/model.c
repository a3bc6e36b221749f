/* model.c - entries as JSON.
 *
 * Ids are strings or numbers as MOVEit has them: of files a string, but a number in
 * FolderContentItemModel; of folders a number.  What Sallyport has no notion of is given the value
 * that says so.
 */
#include "rooms/gate/https/model.h"

#define PAGE_SIZE 25u /* rows of a page, when nobody says how many */

static void
id_str(struct json *j, const char *key, uint64_t id)
{
	char buf[24];
	struct text t = text_of(buf, sizeof(buf));

	text_u64(&t, id);
	json_kstr(j, key, text_span(&t));
}

static void
stamp(struct json *j, const char *key, uint64_t us)
{
	char buf[40];
	struct text t = text_of(buf, sizeof(buf));

	time_plain(&t, (int64_t)us);
	json_kstr(j, key, text_span(&t));
}

/* null when it never was */
static void
stamp_or_null(struct json *j, const char *key, uint64_t us)
{
	if (us != 0) {
		stamp(j, key, us);
		return;
	}
	json_key(j, key);
	json_none(j);
}

static void
word(struct json *j, const char *key, const char *const *words, size_t n, size_t i)
{
	json_kstr(j, key, span_str(i < n ? words[i] : words[0]));
}

bool
model_is_new(const struct ipc_entry_rec *e)
{
	return e->kind == 1 && e->downloads == 0;
}

static void
file_members(struct json *j, const struct ipc_entry_rec *e)
{
	id_str(j, "id", e->id);
	json_kstr(j, "name", e->name);
	json_kstr(j, "path", e->path);
	json_ku64(j, "size", e->size);
	json_ku64(j, "folderID", e->parent);
	json_kstr(j, "uploadUsername", e->owner_name);
	stamp(j, "uploadStamp", e->modified_us);
	json_kbool(j, "isNew", model_is_new(e));
}

void
model_file(struct json *j, const struct ipc_entry_rec *e)
{
	json_open(j, '{');
	file_members(j, e);
	json_close(j, '}');
}

/* "curl/7.88.1 (x)" as brand "curl" and version "7.88.1". */
static void
agent_members(struct json *j, struct span agent)
{
	struct span first = span_cut(agent, span_find(agent, ' '));
	size_t slash = span_find(first, '/');

	json_kstr(j, "uploadAgentBrand", span_cut(first, slash));
	json_kstr(j, "uploadAgentVersion", span_skip(first, slash + 1));
}

/* "192.0.2.1:5000" or "[2001:db8::1]:5000" without the port, and without the brackets. */
static struct span
host_of(struct span a)
{
	size_t colon = span_find(a, ':');
	struct span port = span_skip(a, colon + 1);

	if (a.len != 0 && a.ptr[0] == '[')
		return span_cut(span_skip(a, 1), span_find(a, ']') - 1);
	return span_find(port, ':') == port.len ? span_cut(a, colon) : a;
}

void
model_file_details(struct json *j, const struct ipc_entry_rec *e)
{
	char hex[65];
	struct text t = text_of(hex, sizeof(hex));

	json_open(j, '{');
	file_members(j, e);
	id_str(j, "orgID", e->org);
	json_kstr(j, "originalFilename", e->name);
	json_kstr(j, "originalFileType", SPAN_LIT("Any"));
	json_kstr(j, "currentFileType", SPAN_LIT("Any"));
	json_kstr(j, "uploadComment", e->comment);
	json_kstr(j, "uploadIP", host_of(e->upload_address));
	agent_members(j, e->upload_agent);
	json_kstr(j, "uploadUserFullName", e->owner_full_name);
	json_ku64(j, "uploadIntegrity", e->checked);
	json_ku64(j, "downloadCount", e->downloads);
	json_kstr(j, "hash", SPAN_LIT("")); /* SHA-1, which we do not compute; see sha256 */
	json_kbool(j, "dlpChecked", false);
	json_ku64(j, "dlpMetaData", 0);
	json_kstr(j, "dlpViolation", SPAN_LIT(""));
	json_kbool(j, "dlpBlocked", false);
	json_ku64(j, "version", e->version);
	if (e->has_sha256)
		text_hex(&t, span_of(e->sha256.b, sizeof(e->sha256.b)));
	json_kstr(j, "sha256", text_span(&t));
	json_close(j, '}');
}

void
model_version(struct json *j, const struct ipc_entry_rec *e)
{
	char hex[65];
	struct text t = text_of(hex, sizeof(hex));

	if (e->has_sha256)
		text_hex(&t, span_of(e->sha256.b, sizeof(e->sha256.b)));
	json_open(j, '{');
	json_ku64(j, "version", e->version);
	json_ku64(j, "size", e->size);
	json_kstr(j, "sha256", text_span(&t));
	stamp(j, "uploadStamp", e->modified_us);
	json_kstr(j, "uploadUsername", e->owner_name);
	json_kstr(j, "uploadUserFullName", e->owner_full_name);
	json_kstr(j, "uploadComment", e->comment);
	json_close(j, '}');
}

static const char *const folder_types[] = {"Virtual", "Normal", "Archive", "Webpost",
    "GlobalMessaging", "Mailbox", "Root", "RootArchives", "RootWebposts"};

static void
permission(struct json *j, uint16_t rights)
{
	static const struct {
		const char *key;
		uint16_t right;
	} rows[] = {
	    {"canListSubfolders", RIGHT_LIST},
	    {"canAddSubfolders", RIGHT_SUBFOLDERS},
	    {"canChangeSettings", RIGHT_ADMIN},
	    {"canDelete", RIGHT_SUBFOLDERS},
	    {"canListFiles", RIGHT_LIST},
	    {"canReadFiles", RIGHT_READ},
	    {"canWriteFiles", RIGHT_WRITE},
	    {"canDeleteFiles", RIGHT_DELETE},
	    {"canShare", RIGHT_SHARE},
	};

	json_key(j, "permission");
	json_open(j, '{');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		json_kbool(j, rows[i].key, (rights & rows[i].right) != 0);
	json_close(j, '}');
}

static void
folder_members(struct json *j, const struct ipc_entry_rec *e)
{
	json_ku64(j, "id", e->id);
	json_ku64(j, "parentId", e->parent);
	json_kstr(j, "name", e->name);
	json_kstr(j, "path", e->path);
	word(j, "folderType", folder_types, ARRAY_LEN(folder_types), e->type);
	stamp(j, "lastContentChangeTime", e->modified_us);
	json_kbool(j, "isShared", e->shared != 0);
	permission(j, e->rights);
	json_ku64(j, "subfolderCount", e->folders);
	json_ku64(j, "totalFileCount", e->files);
	json_ku64(j, "sharedWithUsersCount", e->shared_users);
	json_ku64(j, "sharedWithGroupsCount", e->shared_groups);
}

void
model_folder(struct json *j, const struct ipc_entry_rec *e)
{
	json_open(j, '{');
	folder_members(j, e);
	json_close(j, '}');
}

void
model_folder_details(struct json *j, const struct ipc_entry_rec *e)
{
	json_open(j, '{');
	folder_members(j, e);
	json_ku64(j, "orgId", e->org);
	json_kstr(j, "owner", e->owner_name);
	json_kstr(j, "description", e->comment);
	json_kstr(j, "systemType", e->type == 1 ? SPAN_LIT("User") : SPAN_LIT("System"));
	json_kstr(j, "cleanType", SPAN_LIT("Never"));
	json_ku64(j, "cleanTimeDays", 0);
	json_ku64(j, "subfolderCleanTime", 0);
	json_kstr(j, "uploadNotificationConfirmationType", SPAN_LIT("None"));
	json_ku64(j, "uploadNotificationConfirmationTime", 0);
	json_kstr(j, "newFileNotificationType", SPAN_LIT("None"));
	json_ku64(j, "newFileNotificationTime", 0);
	json_kstr(j, "alertSenderFileIsNotDownloadedTimeType", SPAN_LIT("None"));
	json_ku64(j, "alertSenderFileIsNotDownloadedTime", 0);
	json_kstr(j, "deliveryRecepientNotificationType", SPAN_LIT("None"));
	json_kstr(j, "responseType", SPAN_LIT("RedirectImmediately"));
	json_kstr(j, "responseText", SPAN_LIT(""));
	json_ku64(j, "responseTime", 0);
	json_ku64(j, "newTime", 0);
	json_kbool(j, "enforceUniqueFilenames", true);
	json_kbool(j, "allowFileOverwrite", false);
	json_ku64(j, "parentInheritRights", e->inherit);
	json_ku64(j, "quota", e->quota);
	json_ku64(j, "totalFilesSize", e->used);
	json_kstr(j, "fileMaskRule", SPAN_LIT("AllowExceptMatching"));
	json_kstr(j, "fileMasks", SPAN_LIT(""));
	json_close(j, '}');
}

void
model_content(struct json *j, const struct ipc_entry_rec *e)
{
	json_open(j, '{');
	json_ku64(j, "id", e->id);
	json_ku64(j, "parentId", e->parent);
	json_kstr(j, "type", e->kind == 0 ? SPAN_LIT("Folder") : SPAN_LIT("File"));
	json_kstr(j, "name", e->name);
	json_kstr(j, "path", e->path);
	stamp(j, "lastUpdateTime", e->modified_us);
	json_ku64(j, "size", e->kind == 1 ? e->size : 0);
	if (e->kind == 0)
		word(j, "folderType", folder_types, ARRAY_LEN(folder_types), e->type);
	json_kbool(j, "isShared", e->shared != 0);
	json_close(j, '}');
}

void
model_user(struct json *j, const struct ipc_user *u)
{
	static const char *const levels[] = {
	    "Anonymous", "TemporaryUser", "User", "AuditUser", "FileAdmin", "Admin", "SysAdmin"};
	static const char *const states[] = {"Active", "Suspended", "Template"};

	json_open(j, '{');
	id_str(j, "id", u->id);
	json_ku64(j, "orgID", u->org);
	json_kstr(j, "username", u->name);
	json_kstr(j, "fullName", u->full_name);
	word(j, "permission", levels, ARRAY_LEN(levels), u->level);
	json_kstr(j, "email", u->email);
	word(j, "status", states, ARRAY_LEN(states), u->status);
	stamp_or_null(j, "lastLoginStamp", u->last_login_us);
	json_kstr(j, "emailFormat", SPAN_LIT("Text"));
	json_kstr(j, "notes", u->notes);
	json_kstr(j, "statusNote", SPAN_LIT(""));
	stamp_or_null(j, "passwordChangeStamp", u->password_us);
	json_kstr(j, "receivesNotification", SPAN_LIT("ReceivesNoNotifications"));
	json_kbool(j, "forceChangePassword", false);
	json_ku64(j, "folderQuota", u->quota);
	json_ku64(j, "totalFileSize", u->used);
	json_kstr(
	    j, "authMethod", SPAN_LIT("MOVEitOnly")); /* MOVEit's word for a password of our own */
	json_kstr(j, "language", u->language);
	json_ku64(j, "homeFolderID", u->home);
	json_ku64(j, "defaultFolderID", 0);
	json_ku64(j, "expirationPolicyID", 0);
	json_key(j, "displaySettings");
	json_open(j, '{');
	json_ku64(j, "userListPageSize", PAGE_SIZE);
	json_ku64(j, "fileListPageSize", PAGE_SIZE);
	json_ku64(j, "liveViewPageSize", PAGE_SIZE);
	json_close(j, '}');
	json_close(j, '}');
}

void
model_org(struct json *j, const struct ipc_org *o)
{
	static const char *const empty[] = {"securityBanner", "securityNotice",
	    "securityNoticeStamp", "securityNoticeAcceptance", "techInfo", "techName", "techPhone",
	    "techEmail", "informationLink", "informationLinkName", "contactLink", "contactLinkName",
	    "baseURL", "samlAuthMode"};

	json_open(j, '{');
	id_str(j, "id", o->id);
	json_kstr(j, "name", o->name);
	json_kstr(j, "shortName", o->name);
	json_kstr(j, "language", SPAN_LIT("en"));
	json_kstr(j, "formattingLocale", SPAN_LIT("en"));
	json_kstr(j, "securityNoticeRequired", SPAN_LIT("NotRequired"));
	json_kbool(j, "allowPassChangeRequests", false);
	json_kbool(j, "mfaTrustDeviceEnabled", false);
	json_kstr(j, "ssoAuthMode", SPAN_LIT("Optional"));
	for (size_t i = 0; i < ARRAY_LEN(empty); i++)
		json_kstr(j, empty[i], SPAN_LIT(""));
	json_close(j, '}');
}

void
model_session(struct json *j, const struct ipc_session_row *s)
{
	json_open(j, '{');
	id_str(j, "id", s->id);
	json_kstr(j, "kind",
	    s->sftp ? SPAN_LIT("sftp") : s->bound ? SPAN_LIT("browser") : SPAN_LIT("token"));
	json_kbool(j, "current", s->current);
	stamp(j, "createdTime", s->created_us);
	stamp(j, "lastUsedTime", s->used_us);
	stamp_or_null(j, "expiryTime", s->end_us);
	json_kstr(j, "address", s->address);
	json_kstr(j, "agent", s->agent);
	json_close(j, '}');
}
