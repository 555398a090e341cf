/*
 * pool.c - at most 16 threads, started on demand, beside libuv's four
 *
 * Jobs that wait for the disk gain from company: fsync(2) of many files at once shares journal commits. Finished jobs
 * come back through one uv_async_t, all that are ready in one turn of the event loop.
 */
#include "pool.h"

#include <pthread.h>
#include <signal.h>

#define MAX_THREADS 16
#define STACK_BYTES (256 * 1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_work = PTHREAD_COND_INITIALIZER;
static pool_job *waiting, **waiting_end = &waiting;
static pool_job *finished, **finished_end = &finished;
static int waiting_count, thread_count, idle_count;
static bool is_open;

/* only the event loop touches these */
static uv_async_t wake_up;
static napi_env settle_env;
static napi_async_context settle_context;
static napi_async_cleanup_hook_handle cleanup_hook;
static int outstanding_count;

static void finish(pool_job *job) {
    pthread_mutex_lock(&lock);
    job->next = NULL;
    *finished_end = job;
    finished_end = &job->next;
    if (is_open) uv_async_send(&wake_up);
    pthread_mutex_unlock(&lock);
}

static void *work(void *unused) {
    pthread_mutex_lock(&lock);
    for (;;) {
        while (waiting == NULL) {
            idle_count++;
            pthread_cond_wait(&has_work, &lock);
            idle_count--;
        }
        pool_job *job = waiting;
        waiting = job->next;
        if (waiting == NULL) waiting_end = &waiting;
        waiting_count--;
        pthread_mutex_unlock(&lock);
        job->run(job);
        finish(job);
        pthread_mutex_lock(&lock);
    }
    return NULL;
}

static void *work_alone(void *argument) {
    pool_job *job = argument;
    job->run(job);
    finish(job);
    return NULL;
}

static int start_thread(void *(*body)(void *), void *argument) {
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, &attributes, body, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static void settle(pool_job *job) {
    napi_env env = settle_env;
    napi_value result;
    napi_get_undefined(env, &result);
    if (job->error != 0 && napi_create_array_with_length(env, 2, &result) == napi_ok) {
        napi_set_element(env, result, 0, give_int(env, job->error));
        napi_set_element(env, result, 1, give_text(env, job->call, strlen(job->call)));
    } else if (job->error == 0 && job->give != NULL) {
        result = job->give(env, job);
    }
    napi_resolve_deferred(env, job->deferred, result);
    job->release(env, job);
}

static void on_finished(uv_async_t *handle) {
    pthread_mutex_lock(&lock);
    pool_job *job = finished;
    finished = NULL;
    finished_end = &finished;
    pthread_mutex_unlock(&lock);
    napi_handle_scope scope;
    napi_value resource;
    napi_callback_scope callback_scope;
    if (job == NULL || napi_open_handle_scope(settle_env, &scope) != napi_ok) return;
    napi_create_object(settle_env, &resource);
    if (napi_open_callback_scope(settle_env, resource, settle_context, &callback_scope) == napi_ok) {
        while (job != NULL) {
            pool_job *next = job->next;
            settle(job);
            if (--outstanding_count == 0) uv_unref((uv_handle_t *)&wake_up);
            job = next;
        }
        napi_close_callback_scope(settle_env, callback_scope); /* ticks and microtasks run here */
    }
    napi_close_handle_scope(settle_env, scope);
}

static void on_closed(uv_handle_t *handle) {
    napi_remove_async_cleanup_hook(cleanup_hook);
}

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
    pthread_mutex_lock(&lock);
    is_open = false;
    pthread_mutex_unlock(&lock);
    uv_close((uv_handle_t *)&wake_up, on_closed);
}

static bool open_pool(napi_env env) {
    napi_value name;
    if (settle_env != NULL) return is_open;
    if (napi_create_string_utf8(env, "posthorn-pool", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_async_init(env, NULL, name, &settle_context) != napi_ok ||
        uv_async_init(event_loop(env), &wake_up, on_finished) != 0) {
        return false;
    }
    uv_unref((uv_handle_t *)&wake_up);
    settle_env = env;
    is_open = true;
    napi_add_async_cleanup_hook(env, on_cleanup, NULL, &cleanup_hook);
    return true;
}

/* Opens the pool and makes the job's promise. */
static napi_value prepare(napi_env env, pool_job *job) {
    napi_value promise;
    if (!open_pool(env) || napi_create_promise(env, &job->deferred, &promise) != napi_ok) {
        napi_throw_error(env, NULL, "Cannot start a thread pool job: the process is ending");
        job->release(env, job);
        return NULL;
    }
    if (outstanding_count++ == 0) uv_ref((uv_handle_t *)&wake_up);
    return promise;
}

napi_value pool_submit(napi_env env, pool_job *job) {
    napi_value promise = prepare(env, job);
    if (promise == NULL) return NULL;
    pthread_mutex_lock(&lock);
    job->next = NULL;
    *waiting_end = job;
    waiting_end = &job->next;
    waiting_count++;
    bool needs_thread = idle_count < waiting_count && thread_count < MAX_THREADS;
    if (needs_thread) thread_count++;
    pthread_cond_signal(&has_work);
    pthread_mutex_unlock(&lock);
    if (needs_thread && start_thread(work, NULL) != 0) {
        pthread_mutex_lock(&lock);
        bool is_stranded = --thread_count == 0;
        if (is_stranded) {
            waiting = NULL;
            waiting_end = &waiting;
            waiting_count = 0;
        }
        pthread_mutex_unlock(&lock);
        if (is_stranded) work_alone(job); /* no thread at all: slow is better than never */
    }
    return promise;
}

napi_value pool_submit_alone(napi_env env, pool_job *job) {
    napi_value promise = prepare(env, job);
    if (promise == NULL) return NULL;
    int error = start_thread(work_alone, job);
    if (error != 0) {
        job->error = error;
        job->call = "pthread_create";
        finish(job);
    }
    return promise;
}
