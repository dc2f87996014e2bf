#include "posthorn/data_key.h"
#include "posthorn/file.h"
#include "posthorn/reseal.h"
#include "posthorn/role.h"
#include "role/operator.h"

#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: posthorn rekey [--new-key-file FILE]\n"
    "       posthorn rekey --new-data-key\n"
    "       posthorn rekey --reseal\n"
    "\n"
    "Moves the sealed values of the database to a new master key while nodes run: wraps the data\n"
    "keys, which POSTHORN_MASTER_KEY opens, by POSTHORN_MASTER_KEY_NEW or the key in FILE. A node\n"
    "that has both settings starts before and afterwards; one that runs does not notice.\n"
    "\n"
    "--new-data-key makes a further data key, which seals from a minute later on; what is sealed\n"
    "already stays as it is. --reseal seals anew what older data keys have sealed, a few values "
    "at\n"
    "a time.\n";

struct options {
    const char *command;
    const char *new_key_file;
    bool new_data_key;
    bool reseal;
};

/* Returns -1 to go on, or the exit code. */
static int parse(int argc, char **argv, struct options *out)
{
    enum { FILE_ = 256, DATA_KEY, RESEAL, HELP };
    static const struct option known[] = {
        {"new-key-file", required_argument, NULL, FILE_},
        {"new-data-key", no_argument, NULL, DATA_KEY},
        {"reseal", no_argument, NULL, RESEAL},
        {"help", no_argument, NULL, HELP},
        {NULL, 0, NULL, 0},
    };
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (c == HELP) {
            fputs(usage, stdout);
            return PH_EXIT_OK;
        }
        if (c == FILE_)
            out->new_key_file = optarg;
        else if (c == DATA_KEY)
            out->new_data_key = true;
        else if (c == RESEAL)
            out->reseal = true;
        else
            return PH_EXIT_USAGE;
    }
    if (optind < argc || (out->new_data_key + out->reseal + (out->new_key_file != NULL) > 1)) {
        fprintf(stderr, "%s: wrong arguments\n%s", argv[0], usage);
        return PH_EXIT_USAGE;
    }
    return -1;
}

static enum ph_err complain(const struct options *options, const char *what, const char *reason)
{
    fprintf(stderr, "%s: %s %s\n", options->command, what, reason);
    return PH_ERR_CONFIG;
}

/* From the file or the setting; none is an error only when it is needed. */
static enum ph_err add_new_master(const struct options *options, const struct ph_config *config,
                                  struct ph_keyring *keyring)
{
    const char *what = options->new_key_file ? options->new_key_file : "POSTHORN_MASTER_KEY_NEW";
    struct ph_buf text;
    enum ph_err err = PH_OK;

    if (!options->new_key_file && !*config->master_key_new)
        return options->new_data_key || options->reseal
                   ? PH_OK
                   : complain(options, what, "is not set; `posthorn master-key` makes a key");
    ph_buf_init(&text, 1024);
    if (!options->new_key_file)
        ph_buf_add_c(&text, config->master_key_new);
    else if (ph_file_read(options->new_key_file, &text) != PH_OK)
        err = complain(options, what, "cannot be read");
    if (err == PH_OK && ph_keyring_add_master(keyring, ph_str_trim(ph_buf_str(&text))) != PH_OK)
        err = complain(options, what, "is not base64 of 32 bytes");
    if (text.len)
        sodium_memzero(text.ptr, text.len);
    ph_buf_free(&text);
    return err;
}

static enum ph_err make_keyring(const struct options *options, const struct ph_config *config,
                                struct ph_keyring **out)
{
    if (ph_keyring_new(ph_str_of(config->master_key), out) != PH_OK)
        return complain(options, "POSTHORN_MASTER_KEY",
                        *config->master_key ? "is not base64 of 32 bytes" : "is not set");
    return add_new_master(options, config, *out);
}

static int report(const struct options *options, enum ph_err err)
{
    fprintf(stderr, "%s: %s\n", options->command,
            err == PH_ERR_CRYPTO
                ? "a data key opens with neither master key; nothing has been changed"
            : err == PH_ERR_CONFLICT ? "somebody else changes the data keys; try again"
                                     : ph_err_text(err));
    return PH_EXIT_FAILURE;
}

static int add_data_key(const struct options *options, struct ph_operator *op,
                        struct ph_keyring *keyring)
{
    uint32_t id;
    enum ph_err err = ph_data_key_add_next(op->loop, op->db, keyring, &id);

    if (err != PH_OK)
        return report(options, err);
    printf("Data key %u seals from a minute from now on.\n", id);
    return PH_EXIT_OK;
}

static int reseal(const struct options *options, struct ph_operator *op,
                  const struct ph_keyring *keyring)
{
    struct ph_reseal_counts counts;
    enum ph_err err = ph_reseal(op->loop, op->db, keyring, &counts);

    if (err != PH_OK)
        return report(options, err);
    printf("%lld values sealed anew with data key %u.\n", (long long)counts.sealed,
           ph_keyring_sealing_id(keyring));
    if (counts.changed)
        printf("%lld have been changed meanwhile: once more looks at them too.\n",
               (long long)counts.changed);
    if (!counts.broken)
        return PH_EXIT_OK;
    fprintf(stderr, "%s: %lld values do not open; they stay as they are\n", options->command,
            (long long)counts.broken);
    return PH_EXIT_FAILURE;
}

static int rewrap(const struct options *options, struct ph_operator *op,
                  const struct ph_keyring *keyring)
{
    int n;
    enum ph_err err = ph_data_keys_rewrap(op->loop, op->db, keyring, &n);

    if (err != PH_OK)
        return report(options, err);
    if (n)
        printf("%d data key%s now wrapped by the new master key. Make it POSTHORN_MASTER_KEY.\n", n,
               n == 1 ? " is" : "s are");
    else
        puts("All data keys were wrapped by the new master key already.");
    return PH_EXIT_OK;
}

int ph_role_rekey(int argc, char **argv)
{
    struct options options = {.command = argv[0]};
    struct ph_config config;
    struct ph_keyring *keyring = NULL;
    struct ph_operator op;
    int code = parse(argc, argv, &options);

    if (code >= 0)
        return code;
    code = PH_EXIT_FAILURE;
    if (ph_role_load_database(argv[0], &config) != PH_OK ||
        make_keyring(&options, &config, &keyring) != PH_OK)
        goto out;
    ph_operator_open(config.database_url, &op);
    enum ph_err err = ph_data_keys_load(op.loop, op.db, keyring);
    if (err != PH_OK)
        code = report(&options, err);
    else
        code = options.new_data_key ? add_data_key(&options, &op, keyring)
               : options.reseal     ? reseal(&options, &op, keyring)
                                    : rewrap(&options, &op, keyring);
    ph_operator_close(&op);
out:
    ph_keyring_free(keyring);
    return code;
}
