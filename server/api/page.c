#include "posthorn/api.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX     250

bool ph_page_read(struct ph_call *call, bool descending_by_default, struct ph_page *page)
{
    struct ph_faults faults = {0};
    struct ph_str limit = ph_query(call, "limit"), order = ph_query(call, "order");

    *page = (struct ph_page){.limit = LIMIT_DEFAULT, .descending = descending_by_default};
    page->iterator = ph_query(call, "iterator");
    if (page->iterator.len == 0)
        page->iterator = PH_STR_NONE;
    if (page->iterator.ptr && page->iterator.ptr[0] == '-') {
        page->backwards = true;
        page->iterator.ptr++;
        page->iterator.len--;
    }
    if (limit.ptr && (ph_str_to_i64(limit, &page->limit) != PH_OK || page->limit < 0)) {
        ph_answer_error(call, PH_ERR_BAD_REQUEST, "limit has to be a number.");
        return false;
    }
    if (page->limit < 1)
        ph_fault(call, &faults, "query", "limit", "has to be at least 1",
                 "value_error.number.not_ge");
    if (page->limit > LIMIT_MAX)
        ph_fault(call, &faults, "query", "limit", "has to be at most 250",
                 "value_error.number.not_le");
    if (ph_str_eq_c(order, "ascending"))
        page->descending = false;
    else if (ph_str_eq_c(order, "descending"))
        page->descending = true;
    else if (order.ptr)
        ph_fault(call, &faults, "query", "order", "has to be ascending or descending",
                 "type_error.enum");
    return !ph_faults_answer(call, &faults);
}

bool ph_page_read_ids(struct ph_call *call, bool descending_by_default, enum ph_id_kind kind,
                      struct ph_list *list)
{
    struct ph_page page;
    struct ph_faults faults = {0};

    if (!ph_page_read(call, descending_by_default, &page))
        return false;
    *list = (struct ph_list){
        .limit = page.limit, .descending = page.descending, .backwards = page.backwards};
    if (page.iterator.ptr && ph_id_parse(kind, page.iterator, &list->from) != PH_OK)
        ph_fault(call, &faults, "query", "iterator", "is not an iterator of this list",
                 "value_error");
    return !ph_faults_answer(call, &faults);
}

void ph_page_read_body(struct ph_call *call, struct ph_faults *faults, json_t *body,
                       enum ph_id_kind kind, struct ph_list *list)
{
    struct ph_str iterator = ph_field_str(call, faults, body, "iterator", false, 0, 0, NULL);
    int64_t limit = ph_field_int(call, faults, body, "limit", 1, LIMIT_MAX, NULL);

    *list = (struct ph_list){.limit = limit < 0 ? LIMIT_DEFAULT : limit, .descending = true};
    if (iterator.len && iterator.ptr[0] == '-') {
        list->backwards = true;
        iterator.ptr++;
        iterator.len--;
    }
    if (iterator.len && ph_id_parse(kind, iterator, &list->from) != PH_OK)
        ph_fault(call, faults, "body", "iterator", "is not an iterator of this list",
                 "value_error");
}
