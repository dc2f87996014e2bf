/* The answer of those operations that start a background task. */
#ifndef POSTHORN_API_TASK_ANSWER_H
#define POSTHORN_API_TASK_ANSWER_H

#include "posthorn/json.h"
#include "posthorn/task.h"

/* A ph_background_task_done whose ctx is the call: 202 with the task, or the error. */
void ph_api_answer_task(void *ctx, enum ph_err err, const struct ph_background_task *task);
/* Its members, for answers with more of them. */
void ph_api_write_started(struct ph_json_writer *w, const struct ph_background_task *task);

#endif
