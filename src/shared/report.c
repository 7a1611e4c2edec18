/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <time.h>

#include <json-c/json.h>

#include "macro.h"
#include "name-util.h"
#include "report.h"

#define DEPTH_MAX 8

static const char *const roads[_REPORT_ROAD_MAX] = {
        [REPORT_ROAD_LUOCTL] = "luoctl",
        [REPORT_ROAD_LOGIND] = "logind",
        [REPORT_ROAD_KEXEC_TARGET] = "kexec.target",
        [REPORT_ROAD_STOP_JOB] = "stop-job",
        [REPORT_ROAD_UNANNOUNCED] = "unannounced",
};

static const char *const results[_REPORT_RESULT_MAX] = {
        [REPORT_UNDER_WAY] = "under-way", [REPORT_DONE] = "done", [REPORT_CANCELLED] = "cancelled",
        [REPORT_FAILED] = "failed",       [REPORT_LOST] = "lost", [REPORT_COLD_BOOT] = "cold-boot",
};

static const char *const times[_REPORT_TIME_MAX] = {
        [REPORT_TIME_REQUEST] = "request",         [REPORT_TIME_PREPARE] = "prepare",
        [REPORT_TIME_READY] = "ready",             [REPORT_TIME_HANDOVER] = "handover",
        [REPORT_TIME_SHUTDOWN] = "shutdown",       [REPORT_TIME_JUMP] = "jump",
        [REPORT_TIME_KERNEL] = "kernel",           [REPORT_TIME_USERSPACE] = "userspace",
        [REPORT_TIME_LUOD] = "luod",               [REPORT_TIME_FIRST_CLAIM] = "first-claim",
        [REPORT_TIME_LAST_FINISH] = "last-finish",
};

static const char *const delay_kinds[_REPORT_DELAY_KIND_MAX] = {
        [REPORT_DELAY_LOCK] = "lock",
        [REPORT_DELAY_SESSION] = "session",
};

static const char *const outcomes[_REPORT_OUTCOME_MAX] = {
        [REPORT_KEPT] = "kept",           [REPORT_UNCLAIMED] = "unclaimed", [REPORT_CLAIMED] = "claimed",
        [REPORT_FINISHED] = "finished",   [REPORT_DISCARDED] = "discarded", [REPORT_RENEWED] = "renewed",
        [REPORT_CARRIED] = "carried",     [REPORT_GONE_BAD] = "failed",     [REPORT_GONE] = "lost",
};

static const char *const file_outcomes[_REPORT_FILE_OUTCOME_MAX] = {
        [REPORT_FILE_KEPT] = "kept",
        [REPORT_FILE_LOST] = "lost",
        [REPORT_FILE_FAILED] = "failed",
        [REPORT_FILE_RETRIEVED] = "retrieved",
};

#define DEFINE_TO_STRING(function, type, table)                                              \
        const char *function(type value) {                                                   \
                return value >= 0 && (size_t) value < ARRAY_SIZE(table) ? (table)[value] : NULL; \
        }
DEFINE_TO_STRING(report_road_to_string, ReportRoad, roads)
DEFINE_TO_STRING(report_result_to_string, ReportResult, results)
DEFINE_TO_STRING(report_time_to_string, ReportTime, times)
DEFINE_TO_STRING(report_delay_kind_to_string, ReportDelayKind, delay_kinds)
DEFINE_TO_STRING(report_outcome_to_string, ReportOutcome, outcomes)
DEFINE_TO_STRING(report_file_outcome_to_string, ReportFileOutcome, file_outcomes)

/* --- the struct */

void report_done(Report *report) {
        for (size_t i = 0; i < report->n_sessions; i++)
                free(report->sessions[i].files);
        free(report->sessions);
        free(report->delays);
        *report = (Report) {};
}

ReportDelay *report_add_delay(Report *report) {
        ReportDelay *larger = reallocarray(report->delays, report->n_delays + 1, sizeof(*larger));

        if (!larger)
                return NULL;
        report->delays = larger;
        larger += report->n_delays++;
        *larger = (ReportDelay) {};
        return larger;
}

ReportSession *report_add_session(Report *report) {
        ReportSession *larger = reallocarray(report->sessions, report->n_sessions + 1, sizeof(*larger));

        if (!larger)
                return NULL;
        report->sessions = larger;
        larger += report->n_sessions++;
        *larger = (ReportSession) {};
        return larger;
}

int report_session_set_files(ReportSession *session, size_t n) {
        ReportFile *files = calloc(n + 1, sizeof(*files));

        if (!files)
                return -ENOMEM;
        free(session->files);
        session->files = files;
        session->n_files = n;
        return 0;
}

ReportFile *report_session_find_file(ReportSession *session, uint64_t token) {
        for (size_t i = 0; i < session->n_files; i++)
                if (session->files[i].token == token)
                        return session->files + i;
        return NULL;
}

/* Bytes of the character that the byte begins; of one that begins none 1. */
static size_t character_length(unsigned char c) {
        return c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
}

void report_set_text(char *to, size_t size, const char *from) {
        size_t n = 0;

        while (*from) {
                char character[5] = {};
                size_t length = strnlen(from, character_length((unsigned char) *from));

                memcpy(character, from, length);
                if (!is_printable_utf8(character)) {
                        memcpy(character, "?", 2);
                        length = 1;
                }
                if (n + length >= size)
                        break;
                memcpy(to + n, character, length);
                n += length;
                from += length;
        }
        to[n] = '\0';
}

static uint64_t clock_usec(clockid_t clock) {
        struct timespec ts = {};

        (void) clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

ReportStamp report_stamp_now(const char *boot_id) {
        ReportStamp stamp = { .realtime = clock_usec(CLOCK_REALTIME), .boottime = clock_usec(CLOCK_BOOTTIME) };

        report_set_text(stamp.boot_id, sizeof(stamp.boot_id), boot_id);
        return stamp;
}

bool report_stamp_is_known(const ReportStamp *stamp) {
        return stamp->realtime > 0;
}

bool report_duration(const ReportStamp *a, const ReportStamp *b, uint64_t *ret) {
        uint64_t from = a->realtime, to = b->realtime;

        if (!report_stamp_is_known(a) || !report_stamp_is_known(b))
                return false;
        if (a->boot_id[0] && streq(a->boot_id, b->boot_id)) {
                from = a->boottime;
                to = b->boottime;
        }
        *ret = to > from ? to - from : 0;
        return true;
}

const ReportStamp *report_blackout_start(const Report *report) {
        static const ReportTime candidates[] = { REPORT_TIME_READY, REPORT_TIME_HANDOVER, REPORT_TIME_SHUTDOWN,
                                                 REPORT_TIME_JUMP };

        for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
                if (report_stamp_is_known(report->times + candidates[i]))
                        return report->times + candidates[i];
        return report->times + REPORT_TIME_JUMP;
}

const ReportStamp *report_session_blackout_start(const Report *report, const ReportSession *session) {
        if (report_stamp_is_known(&session->ready))
                return &session->ready;
        if (report_stamp_is_known(report->times + REPORT_TIME_HANDOVER))
                return report->times + REPORT_TIME_HANDOVER;
        return report_blackout_start(report);
}

bool report_blackout(const Report *report, uint64_t *ret) {
        return report_duration(report_blackout_start(report), report->times + REPORT_TIME_FIRST_CLAIM, ret);
}

bool report_session_blackout(const Report *report, const ReportSession *session, uint64_t *ret) {
        return report_duration(report_session_blackout_start(report, session), &session->claimed, ret);
}

size_t report_count(const Report *report, ReportOutcome outcome) {
        size_t n = 0;

        for (size_t i = 0; i < report->n_sessions; i++)
                n += report->sessions[i].outcome == outcome;
        return n;
}

/* --- JSON */

static struct json_object *json_object_freeo(struct json_object *o) {
        (void) json_object_put(o);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct json_object, json_object_freeo);

static struct json_tokener *json_tokener_freet(struct json_tokener *t) {
        json_tokener_free(t);
        return NULL;
}
DEFINE_CLEANUP_FUNC(struct json_tokener, json_tokener_freet);

/* All of these take over @value, also when they fail. What failed once is not gone on with: *r. */
static void put(struct json_object *object, const char *key, struct json_object *value, int *r) {
        if (*r >= 0 && object && value && json_object_object_add(object, key, value) >= 0)
                return;
        (void) json_object_put(value);
        *r = -ENOMEM;
}

static void put_item(struct json_object *array, struct json_object *value, int *r) {
        if (*r >= 0 && array && value && json_object_array_add(array, value) >= 0)
                return;
        (void) json_object_put(value);
        *r = -ENOMEM;
}

static void put_u64(struct json_object *object, const char *key, uint64_t value, int *r) {
        put(object, key, json_object_new_uint64(value), r);
}

static void put_bool(struct json_object *object, const char *key, bool value, int *r) {
        put(object, key, json_object_new_boolean(value), r);
}

static void put_string(struct json_object *object, const char *key, const char *value, int *r) {
        put(object, key, json_object_new_string(strempty(value)), r);
}

/* A moment that is not known is left out. */
static void put_stamp(struct json_object *object, const char *key, const ReportStamp *stamp, int *r) {
        struct json_object *o;

        if (!report_stamp_is_known(stamp))
                return;
        o = json_object_new_object();
        put_u64(o, "realtime", stamp->realtime, r);
        if (stamp->boot_id[0]) {
                put_u64(o, "boottime", stamp->boottime, r);
                put_string(o, "boot", stamp->boot_id, r);
        }
        put(object, key, o, r);
}

static struct json_object *encode_times(const Report *report, int *r) {
        struct json_object *o = json_object_new_object();

        for (ReportTime t = 0; t < _REPORT_TIME_MAX; t++)
                put_stamp(o, times[t], report->times + t, r);
        return o;
}

static bool may_see_delay(const Report *report, const ReportDelay *delay, uid_t viewer) {
        if (viewer == 0)
                return true;
        for (size_t i = 0; i < report->n_sessions && delay->kind == REPORT_DELAY_SESSION; i++)
                if (report->sessions[i].uid == viewer && streq(report->sessions[i].name, delay->who))
                        return true;
        return false;
}

static struct json_object *encode_delay(const Report *report, const ReportDelay *delay, uid_t viewer, int *r) {
        struct json_object *o = json_object_new_object();
        bool open = may_see_delay(report, delay, viewer);

        put_string(o, "kind", report_delay_kind_to_string(delay->kind), r);
        put_string(o, "who", open ? delay->who : "", r);
        put_string(o, "why", open ? delay->why : "", r);
        put_u64(o, "from", delay->from, r);
        put_u64(o, "until", delay->until, r);
        put_bool(o, "waited_for", delay->waited_for, r);
        return o;
}

static struct json_object *encode_file(const ReportFile *file, int *r) {
        struct json_object *o = json_object_new_object();

        put_u64(o, "token", file->token, r);
        put_string(o, "label", file->label, r);
        put_u64(o, "size", file->size, r);
        put_string(o, "outcome", report_file_outcome_to_string(file->outcome), r);
        put_u64(o, "errno", (uint64_t) file->error, r);
        put_string(o, "why", file->why, r);
        return o;
}

static struct json_object *encode_session(const Report *report, const ReportSession *session, int *r) {
        struct json_object *o = json_object_new_object(), *files = json_object_new_array();
        uint64_t blackout;

        put_u64(o, "sid", session->sid, r);
        put_string(o, "name", session->name, r);
        put_u64(o, "uid", session->uid, r);
        put_string(o, "outcome", report_outcome_to_string(session->outcome), r);
        put_string(o, "why", session->why, r);
        put_stamp(o, "ready", &session->ready, r);
        put_stamp(o, "claimed", &session->claimed, r);
        put_stamp(o, "finished", &session->finished, r);
        if (report_session_blackout(report, session, &blackout))
                put_u64(o, "blackout", blackout, r);
        for (size_t i = 0; i < session->n_files; i++)
                put_item(files, encode_file(session->files + i, r), r);
        put(o, "files", files, r);
        return o;
}

static void encode_head(const Report *report, uid_t viewer, struct json_object *o, int *r) {
        uint64_t blackout;

        put_u64(o, "format", REPORT_FORMAT, r);
        put_u64(o, "id", report->id, r);
        put_string(o, "road", report_road_to_string(report->road), r);
        put_string(o, "result", report_result_to_string(report->result), r);
        put_bool(o, "forced", report->forced, r);
        put_string(o, "message", viewer == 0 ? report->message : "", r); /* it may name others */
        put_string(o, "from_kernel", report->from_kernel, r);
        put_string(o, "to_kernel", report->to_kernel, r);
        put_string(o, "from_boot", report->from_boot, r);
        put_string(o, "to_boot", report->to_boot, r);
        if (report_blackout(report, &blackout))
                put_u64(o, "blackout", blackout, r);
}

int report_encode(const Report *report, uid_t viewer, char **ret) {
        _cleanup_(json_object_freeop) struct json_object *o = json_object_new_object();
        struct json_object *delays = json_object_new_array(), *sessions = json_object_new_array();
        const char *text;
        int r = 0;

        encode_head(report, viewer, o, &r);
        put(o, "timeline", encode_times(report, &r), &r);
        for (size_t i = 0; i < report->n_delays; i++)
                put_item(delays, encode_delay(report, report->delays + i, viewer, &r), &r);
        put(o, "delays", delays, &r);
        for (size_t i = 0; i < report->n_sessions; i++)
                if (viewer == 0 || report->sessions[i].uid == viewer)
                        put_item(sessions, encode_session(report, report->sessions + i, &r), &r);
        put(o, "sessions", sessions, &r);
        if (r < 0)
                return r;

        text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        *ret = text ? strdup(text) : NULL;
        return *ret ? 0 : -ENOMEM;
}

/* Reading: the type is asked for before the value. All are harmless once *r is an error. */

static struct json_object *get(struct json_object *o, const char *key, json_type type, int *r) {
        struct json_object *value = NULL;

        if (*r >= 0 && json_object_object_get_ex(o, key, &value) && json_object_is_type(value, type))
                return value;
        if (*r >= 0)
                *r = -EBADMSG;
        return NULL;
}

static uint64_t get_u64(struct json_object *o, const char *key, uint64_t max, int *r) {
        struct json_object *value = get(o, key, json_type_int, r);

        if (*r < 0)
                return 0;
        if (json_object_get_int64(value) < 0 || json_object_get_uint64(value) > max) {
                *r = -EBADMSG;
                return 0;
        }
        return json_object_get_uint64(value);
}

static bool get_bool(struct json_object *o, const char *key, int *r) {
        struct json_object *value = get(o, key, json_type_boolean, r);

        return *r >= 0 && json_object_get_boolean(value);
}

static void get_string(struct json_object *o, const char *key, char *to, size_t size, int *r) {
        struct json_object *value = get(o, key, json_type_string, r);
        const char *s = *r >= 0 ? json_object_get_string(value) : "";

        if (*r < 0)
                return;
        if (strlen(s) != (size_t) json_object_get_string_len(value) || strlen(s) >= size || !is_printable_utf8(s))
                *r = -EBADMSG;
        else
                memcpy(to, s, strlen(s) + 1);
}
#define GET_STRING(o, key, array, r) get_string(o, key, array, sizeof(array), r)

static int get_enum(struct json_object *o, const char *key, const char *const *table, size_t n, int *r) {
        char text[32] = "";

        GET_STRING(o, key, text, r);
        for (size_t i = 0; i < n && *r >= 0; i++)
                if (streq(table[i], text))
                        return (int) i;
        if (*r >= 0)
                *r = -EBADMSG;
        return 0;
}
#define GET_ENUM(o, key, table, r) get_enum(o, key, table, ARRAY_SIZE(table), r)

static void get_stamp(struct json_object *o, const char *key, ReportStamp *ret, int *r) {
        struct json_object *stamp;

        if (*r < 0 || !json_object_object_get_ex(o, key, NULL))
                return;
        stamp = get(o, key, json_type_object, r);
        ret->realtime = get_u64(stamp, "realtime", UINT64_MAX, r);
        if (*r < 0 || !json_object_object_get_ex(stamp, "boot", NULL))
                return;
        ret->boottime = get_u64(stamp, "boottime", UINT64_MAX, r);
        GET_STRING(stamp, "boot", ret->boot_id, r);
}

static void decode_delay(struct json_object *o, Report *report, int *r) {
        ReportDelay *delay = report_add_delay(report);

        if (!delay) {
                *r = -ENOMEM;
                return;
        }
        delay->kind = (ReportDelayKind) GET_ENUM(o, "kind", delay_kinds, r);
        GET_STRING(o, "who", delay->who, r);
        GET_STRING(o, "why", delay->why, r);
        delay->from = get_u64(o, "from", UINT64_MAX, r);
        delay->until = get_u64(o, "until", UINT64_MAX, r);
        delay->waited_for = get_bool(o, "waited_for", r);
}

static void decode_file(struct json_object *o, ReportFile *file, int *r) {
        file->token = get_u64(o, "token", UINT64_MAX, r);
        GET_STRING(o, "label", file->label, r);
        file->size = get_u64(o, "size", UINT64_MAX, r);
        file->outcome = (ReportFileOutcome) GET_ENUM(o, "outcome", file_outcomes, r);
        file->error = (int) get_u64(o, "errno", INT32_MAX, r);
        GET_STRING(o, "why", file->why, r);
}

static void decode_session(struct json_object *o, Report *report, int *r) {
        ReportSession *session = report_add_session(report);
        struct json_object *files;
        size_t n;

        if (!session) {
                *r = -ENOMEM;
                return;
        }
        session->sid = get_u64(o, "sid", UINT64_MAX, r);
        GET_STRING(o, "name", session->name, r);
        session->uid = (uid_t) get_u64(o, "uid", UINT32_MAX, r);
        session->outcome = (ReportOutcome) GET_ENUM(o, "outcome", outcomes, r);
        GET_STRING(o, "why", session->why, r);
        get_stamp(o, "ready", &session->ready, r);
        get_stamp(o, "claimed", &session->claimed, r);
        get_stamp(o, "finished", &session->finished, r);
        files = get(o, "files", json_type_array, r);
        if (*r < 0)
                return;
        n = json_object_array_length(files);
        *r = report_session_set_files(session, n);
        for (size_t i = 0; i < n && *r >= 0; i++)
                decode_file(json_object_array_get_idx(files, i), session->files + i, r);
}

static void decode_head(struct json_object *o, Report *report, int *r) {
        report->id = get_u64(o, "id", UINT64_MAX, r);
        report->road = (ReportRoad) GET_ENUM(o, "road", roads, r);
        report->result = (ReportResult) GET_ENUM(o, "result", results, r);
        report->forced = get_bool(o, "forced", r);
        GET_STRING(o, "message", report->message, r);
        GET_STRING(o, "from_kernel", report->from_kernel, r);
        GET_STRING(o, "to_kernel", report->to_kernel, r);
        GET_STRING(o, "from_boot", report->from_boot, r);
        GET_STRING(o, "to_boot", report->to_boot, r);
}

static int decode(struct json_object *o, Report *report) {
        struct json_object *timeline, *list;
        int r = 0;

        if (get_u64(o, "format", UINT64_MAX, &r) > REPORT_FORMAT && r >= 0)
                return -EPROTONOSUPPORT;
        decode_head(o, report, &r);
        timeline = get(o, "timeline", json_type_object, &r);
        for (ReportTime t = 0; t < _REPORT_TIME_MAX; t++)
                get_stamp(timeline, times[t], report->times + t, &r);
        list = get(o, "delays", json_type_array, &r);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++)
                decode_delay(json_object_array_get_idx(list, i), report, &r);
        list = get(o, "sessions", json_type_array, &r);
        for (size_t i = 0; r >= 0 && i < json_object_array_length(list); i++)
                decode_session(json_object_array_get_idx(list, i), report, &r);
        return r;
}

/* Whether json-c, which makes the largest number of any larger one without a word, reads all as it is written. The format
 * has no fractions. */
static bool numbers_fit(const char *text, size_t size) {
        static const char largest[] = "18446744073709551615";

        for (size_t i = 0, n; i < size; i += n) {
                n = 1;
                if (text[i] == '"') {
                        while (i + n < size && text[i + n] != '"')
                                n += text[i + n] == '\\' ? 2 : 1;
                        n++;
                } else if (text[i] >= '0' && text[i] <= '9') {
                        while (i + n < size && text[i + n] >= '0' && text[i + n] <= '9')
                                n++;
                        if (n > strlen(largest) || (n == strlen(largest) && memcmp(text + i, largest, n) > 0))
                                return false;
                }
        }
        return true;
}

int report_decode(const char *text, size_t size, Report *ret) {
        _cleanup_(json_tokener_freetp) struct json_tokener *tokener = NULL;
        _cleanup_(json_object_freeop) struct json_object *o = NULL;
        Report report = {};
        int r;

        if (size > INT32_MAX || !numbers_fit(text, size))
                return -EBADMSG;
        tokener = json_tokener_new_ex(DEPTH_MAX);
        if (!tokener)
                return -ENOMEM;
        json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
        o = json_tokener_parse_ex(tokener, text, (int) size);
        if (json_tokener_get_error(tokener) != json_tokener_success || json_tokener_get_parse_end(tokener) != size ||
            !json_object_is_type(o, json_type_object))
                return -EBADMSG;

        r = decode(o, &report);
        if (r < 0) {
                report_done(&report);
                return r;
        }
        *ret = report;
        return 0;
}
