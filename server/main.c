/* Posthorn: delivers webhooks. The command line chooses the role of this process. */
#include "posthorn/arena.h"
#include "posthorn/role.h"
#include "posthorn/web.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *arguments;
    const char *summary;
};

static const struct command commands[] = {
    {"dev", ph_role_dev, "[options]", "try it: a server with a PostgreSQL of its own"},
    {"serve", ph_role_serve, "[options]", "run a node"},
    {"receive", ph_role_receive, "[options]", "print deliveries and check their signatures"},
    {"migrate", ph_role_migrate, "", "bring the database up to date"},
    {"tenant", ph_role_tenant, "create --name NAME", "make a tenant"},
    {"plan", ph_role_plan, "list", "see and change the plans of tenants"},
    {"key", ph_role_key, "create --tenant org_...", "make an API key of a tenant"},
    {"sql-user", ph_role_sql_user, "create --role NAME", "let a PostgreSQL role send from SQL"},
    {"master-key", ph_role_master_key, "", "print a new random master key"},
    {"rekey", ph_role_rekey, "[options]", "move to a new master key while nodes run"},
    {"config", ph_role_config, "", "print the effective settings"},
    {"doc", ph_role_doc, "settings|metrics", "print a table of the README"},
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find(const char *name)
{
    for (size_t i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static void print_help(FILE *to)
{
    fprintf(to, "Posthorn " PH_VERSION " delivers webhooks.\n\nusage: posthorn COMMAND\n\n");
    for (size_t i = 0; i < N_COMMANDS; i++) {
        char line[64];
        snprintf(line, sizeof(line), "%s %s", commands[i].name, commands[i].arguments);
        fprintf(to, "  %-30s %s\n", line, commands[i].summary);
    }
    fprintf(to,
            "\n`posthorn help COMMAND` says more. Settings come from the environment: `posthorn "
            "doc settings`.\n");
}

/* The role sees its command as argv[0], for its messages. */
static int run(const struct command *command, int argc, char **argv)
{
    struct ph_arena *arena = ph_arena_new();
    argv[0] = ph_arena_printf(arena, "posthorn %s", command->name);
    int code = command->run(argc, argv);
    ph_arena_free(arena);
    return code;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (name == NULL) {
        print_help(stderr);
        return PH_EXIT_USAGE;
    }
    if (strcmp(name, "--version") == 0 || strcmp(name, "version") == 0) {
        puts("posthorn " PH_VERSION);
        return PH_EXIT_OK;
    }
    bool help = strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0;
    if (help && argc == 2) {
        print_help(stdout);
        return PH_EXIT_OK;
    }
    const struct command *command = find(help ? argv[2] : name);
    if (command == NULL) {
        fprintf(stderr, "posthorn: there is no command \"%s\"; `posthorn help` lists them\n",
                help ? argv[2] : name);
        return PH_EXIT_USAGE;
    }
    char *help_argv[] = {NULL, "--help", NULL};
    return help ? run(command, 2, help_argv) : run(command, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    if (sodium_init() < 0)
        abort();
    ph_web_use(ph_web_files, ph_web_files_count);
    int code = dispatch(argc, argv);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == PH_EXIT_OK) {
        fputs("posthorn: the output could not be written\n", stderr);
        code = PH_EXIT_FAILURE;
    }
    return code;
}
