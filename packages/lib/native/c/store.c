/*
 * store.c - makes a file durable: pwritev(2), rename(2), fchmod(2), fsync(2), close(2) as one job in a thread
 *
 * Octets of Buffers are borrowed until the job is done (an array of ours keeps them, whatever becomes of the caller's),
 * strings are copied.
 */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#define MAX_RUN 64
/* of a path below the queue directory */
#define MAX_NAME 300

typedef struct {
    int64_t position;
    const char *octets;
    size_t length;
    char *owned;
} store_part;

typedef struct {
    pool_job job;
    int fd;
    int32_t mode; /* -1: leave it */
    bool syncs, closes;
    char from[MAX_NAME], to[MAX_NAME]; /* empty: it keeps its name */
    napi_ref buffers_ref; /* an array of the Buffers among the parts */
    size_t count;
    store_part parts[];
} store_job;

static bool store_failed(store_job *store, const char *call) {
    if (store->job.error != 0) return false;
    store->job.error = errno;
    store->job.call = call;
    return false;
}

static bool write_run(store_job *store, struct iovec *run, int count, int64_t position) {
    while (count > 0) {
        ssize_t written = pwritev(store->fd, run, count, position);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return store_failed(store, "pwritev");
        position += written;
        while (count > 0 && (size_t)written >= run->iov_len) {
            written -= (ssize_t)run->iov_len;
            run++;
            count--;
        }
        if (count > 0) {
            run->iov_base = (char *)run->iov_base + written;
            run->iov_len -= (size_t)written;
        }
    }
    return true;
}

/* Parts that follow each other in the file go out together. */
static bool write_parts(store_job *store) {
    struct iovec run[MAX_RUN];
    size_t at = 0;
    while (at < store->count) {
        int64_t start = store->parts[at].position, end = start;
        int count = 0;
        while (at < store->count && count < MAX_RUN && store->parts[at].position == end) {
            store_part *part = &store->parts[at++];
            run[count++] = (struct iovec){ .iov_base = (void *)part->octets, .iov_len = part->length };
            end += (int64_t)part->length;
        }
        if (!write_run(store, run, count, start)) return false;
    }
    return true;
}

/* A file server whose clock is ahead would date the file into the future, where qmgr(8) leaves it alone. */
static void date_not_ahead(int fd) {
    struct stat status;
    struct timespec now, stamps[2];
    if (clock_gettime(CLOCK_REALTIME, &now) < 0 || fstat(fd, &status) < 0 || status.st_mtime <= now.tv_sec) return;
    stamps[0] = stamps[1] = now;
    futimens(fd, stamps);
}

static void run_store(pool_job *job) {
    store_job *store = (store_job *)job;
    bool is_done = write_parts(store) &&
        (store->to[0] == '\0' || rename(store->from, store->to) == 0 || store_failed(store, "rename")) &&
        (store->mode < 0 || fchmod(store->fd, (mode_t)store->mode) == 0 || store_failed(store, "fchmod")) &&
        (!store->syncs || fsync(store->fd) == 0 || store_failed(store, "fsync"));
    if (is_done && store->to[0] != '\0') date_not_ahead(store->fd);
    if (store->closes && close(store->fd) < 0) store_failed(store, "close");
}

static void release_store(napi_env env, pool_job *job) {
    store_job *store = (store_job *)job;
    for (size_t i = 0; i < store->count; i++) free(store->parts[i].owned);
    if (store->buffers_ref != NULL) napi_delete_reference(env, store->buffers_ref);
    free(store);
}

/* Keeps a Buffer from the garbage collector as long as the job lives. */
static bool keep_buffer(napi_env env, store_job *store, napi_value buffer) {
    napi_value kept;
    uint32_t length;
    if (store->buffers_ref == NULL &&
        (napi_create_array(env, &kept) != napi_ok || napi_create_reference(env, kept, 1, &store->buffers_ref) != napi_ok)) {
        return false;
    }
    return napi_get_reference_value(env, store->buffers_ref, &kept) == napi_ok &&
        napi_get_array_length(env, kept, &length) == napi_ok && napi_set_element(env, kept, length, buffer) == napi_ok;
}

static bool take_part(napi_env env, napi_value array, size_t index, store_job *store) {
    store_part *part = &store->parts[index];
    napi_value position, octets;
    if (napi_get_element(env, array, (uint32_t)(2 * index), &position) != napi_ok ||
        napi_get_element(env, array, (uint32_t)(2 * index + 1), &octets) != napi_ok) {
        return false;
    }
    if (napi_get_value_int64(env, position, &part->position) != napi_ok || part->position < 0) {
        napi_throw_type_error(env, NULL, "Cannot store part: want a position of 0 or more");
        return false;
    }
    if (!take_octets(env, octets, &part->octets, &part->length, &part->owned)) return false;
    if (part->owned == NULL && part->octets != shared_octets) return keep_buffer(env, store, octets);
    if (part->owned != NULL) return true;
    part->owned = malloc(part->length + 1);
    if (part->owned == NULL) {
        napi_throw_error(env, NULL, "Cannot store part: out of memory");
        return false;
    }
    memcpy(part->owned, part->octets, part->length);
    part->octets = part->owned;
    return true;
}

/* storeFile(fd, [position, octets, ...], from or '', to or '', mode or -1, sync, close): a promise */
static napi_value store_file(napi_env env, napi_callback_info info) {
    napi_value args[7];
    int32_t fd, mode;
    bool syncs, closes, is_array = false;
    uint32_t length = 0;
    if (!take_args(env, info, 7, args) || !take_int(env, args[0], &fd) || !take_int(env, args[4], &mode) ||
        !take_bool(env, args[5], &syncs) || !take_bool(env, args[6], &closes)) {
        return NULL;
    }
    if (napi_is_array(env, args[1], &is_array) != napi_ok || !is_array ||
        napi_get_array_length(env, args[1], &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "Cannot store parts: want an array");
        return NULL;
    }
    store_job *store = calloc(1, sizeof *store + length / 2 * sizeof store->parts[0]);
    if (store == NULL) {
        napi_throw_error(env, NULL, "Cannot store parts: out of memory");
        return NULL;
    }
    store->job = (pool_job){ .run = run_store, .release = release_store };
    store->fd = fd;
    store->mode = mode;
    store->syncs = syncs;
    store->closes = closes;
    store->count = length / 2;
    if (!take_text(env, args[2], store->from, MAX_NAME) || !take_text(env, args[3], store->to, MAX_NAME)) {
        free(store);
        return NULL;
    }
    for (size_t i = 0; i < store->count; i++) {
        if (!take_part(env, args[1], i, store)) {
            release_store(env, &store->job);
            return NULL;
        }
    }
    return pool_submit(env, &store->job);
}

static const native_function functions[] = { { "storeFile", store_file } };

bool define_store(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
