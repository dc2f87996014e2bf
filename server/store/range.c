#include "store/range.h"

#include <string.h>

void ph_range_add(struct ph_db_req *req, const struct ph_list *list, struct ph_id after,
                  struct ph_id before)
{
    struct ph_id low = after, high = before;

    if (ph_id_is_zero(high))
        memset(high.b, 0xff, sizeof(high.b));
    if (!ph_id_is_zero(list->from)) {
        if (ph_list_ascending(list)) {
            if (ph_id_compare(list->from, low) > 0)
                low = list->from;
        } else if (ph_id_compare(list->from, high) < 0) {
            high = list->from;
        }
    }
    ph_db_add_id(req, low);
    ph_db_add_id(req, high);
}
