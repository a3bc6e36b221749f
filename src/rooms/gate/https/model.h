/* model.h - folders and files as JSON, in the shapes of MOVEit Transfer's public API. */
#ifndef SP_GATE_HTTPS_MODEL_H
#define SP_GATE_HTTPS_MODEL_H

#include "base/text.h"
#include "ipc/ipc.h"

typedef void (*model_fn)(struct json *j, const struct ipc_entry_rec *e);

/* model_file - SimpleFileResourceModel.      model_file_details - FileDetailsModel.
 * model_folder - SimpleFolderModel.          model_folder_details - FolderDetailsModel.
 * model_content - FolderContentItemModel: either kind. */
void model_file(struct json *j, const struct ipc_entry_rec *e);
void model_file_details(struct json *j, const struct ipc_entry_rec *e);
void model_folder(struct json *j, const struct ipc_entry_rec *e);
void model_folder_details(struct json *j, const struct ipc_entry_rec *e);
void model_content(struct json *j, const struct ipc_entry_rec *e);

/* model_version - one version of a file: our own, MOVEit has none. */
void model_version(struct json *j, const struct ipc_entry_rec *e);

/* model_user - UserDetailsModel.  model_org - PublicOrgModel. */
void model_user(struct json *j, const struct ipc_user *u);
void model_org(struct json *j, const struct ipc_org *o);

/* model_session - where somebody is logged in: our own too. */
void model_session(struct json *j, const struct ipc_session_row *s);

/* model_is_new - MOVEit's "new": nobody has read this file yet. */
bool model_is_new(const struct ipc_entry_rec *e);
#endif
