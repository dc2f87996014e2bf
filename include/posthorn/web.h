/*
 * The files of the dashboard and of the readable interface page, which the build compiles into the program. Only read: any thread.
 */
#ifndef POSTHORN_WEB_H
#define POSTHORN_WEB_H

#include "posthorn/api.h"

struct ph_web_file {
    const char *path; /* "/dashboard", "/assets/index-BdC3x.js" */
    const char *type;
    const char *etag; /* weak, with its quotes: one for all encodings */
    bool
        is_page; /* HTML: asked for anew each time. Others have a hash in their name and never change */
    struct ph_str plain, gzip, brotli; /* gzip and brotli absent: not worth it */
};

/* Made by web/pack: sorted by path. */
extern const struct ph_web_file ph_web_files[];
extern const size_t ph_web_files_count;

/* Once, before the first request. */
void ph_web_use(const struct ph_web_file *files, size_t count);

/* Answers when the path is one of a file, or of a page of the dashboard. False: it is not. */
PH_MUST_CHECK bool ph_web_answer(struct ph_call *call);

#endif
