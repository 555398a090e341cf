/*
 * pool.h - threads for calls that wait for the disk or for a lock
 *
 * A job runs in a thread and settles its promise in the event loop. The promise resolves to what the job gives
 * (undefined by default), or to [errno, name of the system call].
 */
#ifndef POSTHORN_POOL_H
#define POSTHORN_POOL_H

#include "native.h"

typedef struct pool_job pool_job;
struct pool_job {
    void (*run)(pool_job *job);    /* in a thread; sets error and call on failure */
    void (*release)(napi_env env, pool_job *job); /* in the event loop: frees the job and what it refers to */
    napi_value (*give)(napi_env env, pool_job *job); /* in the event loop, after success; may be NULL */
    int error;
    const char *call;
    /* for the pool itself */
    napi_deferred deferred;
    pool_job *next;
};

/* One of at most 16 threads runs the job. NULL with a pending exception when it could not be started. */
napi_value pool_submit(napi_env env, pool_job *job);
/* A thread of its own runs the job, for calls that may take hours. */
napi_value pool_submit_alone(napi_env env, pool_job *job);

#endif
