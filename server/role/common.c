#include "posthorn/role.h"

#include <getopt.h>
#include <stdio.h>

int ph_role_no_options(int argc, char **argv, const char *usage)
{
    static const struct option known[] = {{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int c;
    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c != 'h')
            return PH_EXIT_USAGE;
        fputs(usage, stdout);
        return PH_EXIT_OK;
    }
    if (optind < argc) {
        fprintf(stderr, "%s: unexpected argument \"%s\"\n", argv[0], argv[optind]);
        return PH_EXIT_USAGE;
    }
    return -1;
}

enum ph_err ph_role_load_config(const char *command, struct ph_config *out)
{
    struct ph_buf problems;
    ph_buf_init(&problems, 1 << 20);
    enum ph_err err = ph_config_load(&problems, out);
    if (err == PH_OK)
        ph_log_set_level(out->log_level);
    struct ph_str rest = ph_str_trim(ph_buf_str(&problems));
    struct ph_str line;
    while (err != PH_OK && ph_str_split(&rest, '\n', &line))
        fprintf(stderr, "%s: %.*s\n", command, (int)line.len, line.ptr);
    ph_buf_free(&problems);
    return err;
}

enum ph_err ph_role_load_database(const char *command, struct ph_config *out)
{
    enum ph_err err = ph_role_load_config(command, out);
    if (err != PH_OK || out->database_url[0] != '\0')
        return err;
    fprintf(stderr,
            "%s: POSTHORN_DATABASE_URL is not set: it says which PostgreSQL database to use, e.g. "
            "postgresql://posthorn@db.example/posthorn\n",
            command);
    return PH_ERR_CONFIG;
}
