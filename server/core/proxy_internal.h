/* What the files of the proxy share. */
#ifndef POSTHORN_CORE_PROXY_INTERNAL_H
#define POSTHORN_CORE_PROXY_INTERNAL_H

#include "core/cidr.h"
#include "posthorn/proxy.h"

#define PH_PROXY_WORD_MAX 255 /* bytes of user name and password, by SOCKS5 */

struct ph_proxy {
    bool is_socks, has_user;
    char *host;
    uint16_t port;
    size_t user_len, password_len;
    char user[PH_PROXY_WORD_MAX], password[PH_PROXY_WORD_MAX];
    struct ph_cidr *direct_v4, *direct_v6;
    size_t n_v4, n_v6;
    char **suffixes; /* lower case, without a dot at either end */
    size_t n_suffixes;
};

#endif
