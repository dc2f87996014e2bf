#include "posthorn/migrate.h"

#include "posthorn/role.h"

#include <stdio.h>

static const char usage[] =
    "usage: posthorn migrate\n"
    "\n"
    "Brings the database of POSTHORN_DATABASE_URL up to date: each missing migration in a\n"
    "transaction of its own. Needs a user that may create roles and tables. Several may run at\n"
    "once: one works, the others wait.\n";

int ph_role_migrate(int argc, char **argv)
{
    int code = ph_role_no_options(argc, argv, usage);
    if (code >= 0)
        return code;
    struct ph_config config;
    if (ph_role_load_database(argv[0], &config) != PH_OK)
        return PH_EXIT_FAILURE;
    int applied;
    enum ph_err err = ph_migrate(config.database_url, ph_migrations, &applied);
    if (err != PH_OK) {
        fprintf(stderr, "%s: the database is not up to date: %s\n", argv[0], ph_err_text(err));
        return PH_EXIT_FAILURE;
    }
    if (applied == 0)
        puts("The database was up to date.");
    else
        printf("%d migration%s applied.\n", applied, applied == 1 ? "" : "s");
    return PH_EXIT_OK;
}
