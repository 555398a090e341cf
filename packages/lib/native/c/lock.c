/*
 * lock.c - flock(2) between Postfix processes, fcntl(2) locks for mailboxes
 *
 * flock(2) waits in a thread of its own, on a duplicate of the descriptor, because a process may wait for hours for its
 * turn to accept connections. A wait cannot be interrupted; when the caller has closed its descriptor meanwhile, the
 * lock goes with the duplicate as soon as it comes.
 */
#include "pool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>

/* flock(fd, operation): operation as in flock(2), LOCK_NB included */
static napi_value flock_now(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd, operation;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &operation)) return NULL;
    return give_int(env, checked("flock", flock(fd, operation | LOCK_NB)));
}

/* fcntlLock(fd, type): 0 read, 1 write, 2 unlock; the whole file */
static napi_value fcntl_lock(napi_env env, napi_callback_info info) {
    static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK };
    napi_value args[2];
    int32_t fd, type;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &type)) return NULL;
    if (type < 0 || type > 2) {
        napi_throw_type_error(env, NULL, "Cannot lock: want 0, 1 or 2");
        return NULL;
    }
    struct flock range = { .l_type = types[type], .l_whence = SEEK_SET };
    int status;
    do status = fcntl(fd, F_SETLK, &range);
    while (status < 0 && errno == EINTR);
    return give_int(env, checked("fcntl", status));
}

typedef struct {
    pool_job job;
    int fd; /* ours, a duplicate */
    int operation;
} lock_job;

static void run_lock(pool_job *job) {
    lock_job *wait = (lock_job *)job;
    int status;
    do status = flock(wait->fd, wait->operation);
    while (status < 0 && errno == EINTR);
    if (status < 0) {
        job->error = errno;
        job->call = "flock";
    }
}

/* The lock belongs to the open file, which the caller's descriptor keeps; no thread may have run. */
static void release_lock(napi_env env, pool_job *job) {
    close(((lock_job *)job)->fd);
    free(job);
}

/* flockWait(fd, operation): a promise */
static napi_value flock_wait(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd, operation;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &operation)) return NULL;
    lock_job *wait = calloc(1, sizeof *wait);
    int copy = wait == NULL ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        free(wait);
        return give_int(env, fail("fcntl"));
    }
    wait->job = (pool_job){ .run = run_lock, .release = release_lock };
    wait->fd = copy;
    wait->operation = operation & ~LOCK_NB;
    return pool_submit_alone(env, &wait->job);
}

static const native_function functions[] = {
    { "flock", flock_now },
    { "fcntlLock", fcntl_lock },
    { "flockWait", flock_wait },
};

bool define_lock(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
