#include "posthorn/config.h"

#include "posthorn/role.h"

#include <stdio.h>

static const char usage[] =
    "usage: posthorn config\n"
    "\n"
    "Prints the effective settings as NAME=value lines, secrets only as (set) or (not set). When\n"
    "some are wrong it lists all of them and fails.\n";

int ph_role_config(int argc, char **argv)
{
    int code = ph_role_no_options(argc, argv, usage);
    if (code >= 0)
        return code;
    struct ph_config config;
    if (ph_role_load_config(argv[0], &config) != PH_OK)
        return PH_EXIT_FAILURE;
    struct ph_buf out;
    ph_buf_init(&out, 1 << 20);
    ph_config_write(&config, &out);
    fwrite(out.ptr, 1, out.len, stdout);
    ph_buf_free(&out);
    return PH_EXIT_OK;
}
