/*
 * Commands that work on the database: `posthorn tenant create --name NAME --json` is the action "create" of the command "tenant".
 */
#ifndef POSTHORN_ROLE_COMMAND_H
#define POSTHORN_ROLE_COMMAND_H

#include "posthorn/json.h"
#include "role/operator.h"

/* ---- output ---- */

/* What a command prints: a JSON object or array of them, or lines for a person. */
struct ph_output {
    bool json;
    struct ph_buf buf;
    struct ph_json_writer writer;
};

void ph_output_begin(struct ph_output *out, bool json);
/* Prints and frees it. */
void ph_output_finish(struct ph_output *out);
/* Members of an object; 0 as a time: null. */
void ph_output_id(struct ph_output *out, const char *name, enum ph_id_kind kind, struct ph_id id);
void ph_output_str(struct ph_output *out, const char *name, struct ph_str value);
void ph_output_time(struct ph_output *out, const char *name, int64_t wall_ms);
/* "id  name", the name made harmless. */
void ph_output_line(struct ph_output *out, enum ph_id_kind kind, struct ph_id id,
                    struct ph_str name);

/* ---- actions ---- */

/* Bits of the options that an action takes. */
enum {
    PH_OPTION_NAME = 1,
    PH_OPTION_TENANT = 2,
    PH_OPTION_KEY = 4,
    PH_OPTION_JSON = 8,
    PH_OPTION_ROLE = 16,
    PH_OPTION_SCOPE = 32,
    PH_OPTION_EXPIRES = 64,
    PH_OPTION_PLAN = 128,
    PH_OPTION_QUOTAS = 256,
};

/* Options of all actions; which of them an action takes is in its row. */
struct ph_command_options {
    const char *command; /* e.g. "posthorn key create", for messages */
    struct ph_str name;
    struct ph_id tenant;
    struct ph_id key;
    struct ph_str role; /* of PostgreSQL */
    enum ph_access access;
    int64_t expires_ms;
    struct ph_str plan;
    struct ph_str quotas; /* JSON, not checked yet */
    bool json;
};

struct ph_command_action {
    const char *name; /* NULL ends a table */
    int (*run)(struct ph_operator *op, const struct ph_command_options *options);
    int takes, needs; /* bits of options */
};

/* Reads the arguments of a role, connects, and runs one of its actions: the exit code. */
int ph_command_run(int argc, char **argv, const struct ph_command_action *actions,
                   const char *usage);

/* Say on standard error what was wrong; the exit code. */
int ph_command_report(const struct ph_command_options *options, enum ph_err err);
int ph_command_report_name(const struct ph_command_options *options, int max);
int ph_command_report_absent(const struct ph_command_options *options, enum ph_id_kind kind,
                             struct ph_id id);

#endif
