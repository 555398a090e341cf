/*
 * epoll.c - one epoll instance per process, watched by libuv as a single descriptor
 *
 * A connection is registered once, edge-triggered, and not touched again until it is unwatched: no epoll_ctl(2) per
 * wait. Interest in output is added only after a write would have blocked, because a Unix-domain socket reports an
 * edge for output each time that its peer reads. Listeners are level-triggered and exclusive, so that a connection
 * wakes one of the processes that share the listener.
 *
 * Each registration has a token of its own; events carry tokens, not descriptor numbers, so that a number that was
 * closed and used again never gets an old event. One wake-up makes one call into JavaScript.
 */
#include "native.h"

#include <sys/epoll.h>

#define MAX_READY 256
#define READABLE 1
#define WRITABLE 2
#define HANGUP 4

enum watch_kind { WATCH_INPUT, WATCH_BOTH, WATCH_LISTENER, WATCH_LEVEL };

static int epoll_fd = -1;
static uv_poll_t poll_handle;
static int watched_count;
static bool is_closing;
static napi_env dispatch_env;
static napi_ref dispatcher;
static napi_ref event_array;
static napi_async_cleanup_hook_handle cleanup_hook;

static int32_t ready_bits(uint32_t events) {
    int32_t bits = 0;
    if (events & EPOLLIN) bits |= READABLE;
    if (events & EPOLLOUT) bits |= WRITABLE;
    if (events & EPOLLRDHUP) bits |= READABLE | HANGUP;
    if (events & (EPOLLHUP | EPOLLERR)) bits |= READABLE | WRITABLE | HANGUP;
    return bits;
}

static void on_ready(uv_poll_t *handle, int status, int events) {
    struct epoll_event ready[MAX_READY];
    napi_env env = dispatch_env;
    napi_handle_scope scope;
    if (napi_open_handle_scope(env, &scope) != napi_ok) return;
    napi_value array;
    napi_typedarray_type type;
    size_t length = 0;
    void *data = NULL;
    if (napi_get_reference_value(env, event_array, &array) == napi_ok && array != NULL &&
        napi_get_typedarray_info(env, array, &type, &length, &data, NULL, NULL) == napi_ok && length >= 2) {
        int room = length / 2 < MAX_READY ? (int)(length / 2) : MAX_READY;
        int count = epoll_wait(epoll_fd, ready, room, 0);
        int32_t *pairs = data;
        for (int i = 0; i < count; i++) {
            pairs[2 * i] = ready[i].data.fd;
            pairs[2 * i + 1] = ready_bits(ready[i].events);
        }
        if (count > 0) {
            napi_value argument = give_int(env, count);
            call_javascript(env, dispatcher, 1, &argument);
        }
    }
    napi_close_handle_scope(env, scope);
}

static void on_closed(uv_handle_t *handle) {
    close(epoll_fd);
    epoll_fd = -1;
    napi_remove_async_cleanup_hook(cleanup_hook);
}

static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
    is_closing = true;
    uv_close((uv_handle_t *)&poll_handle, on_closed);
}

static int open_epoll(napi_env env) {
    int fd = epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return fail("epoll_create1");
    int status = uv_poll_init(event_loop(env), &poll_handle, fd);
    if (status < 0) {
        close(fd);
        errno = -status;
        return fail("uv_poll_init");
    }
    epoll_fd = fd;
    uv_poll_start(&poll_handle, UV_READABLE, on_ready);
    uv_unref((uv_handle_t *)&poll_handle);
    napi_add_async_cleanup_hook(env, on_cleanup, NULL, &cleanup_hook);
    return 0;
}

/* setDispatcher(events, dispatch): events is an Int32Array for (token, bits) pairs, dispatch gets their number */
static napi_value set_dispatcher(napi_env env, napi_callback_info info) {
    napi_value args[2];
    bool is_typed_array = false;
    napi_typedarray_type array_type;
    napi_valuetype type;
    if (!take_args(env, info, 2, args)) return NULL;
    if (napi_is_typedarray(env, args[0], &is_typed_array) != napi_ok || !is_typed_array ||
        napi_get_typedarray_info(env, args[0], &array_type, NULL, NULL, NULL, NULL) != napi_ok ||
        array_type != napi_int32_array || napi_typeof(env, args[1], &type) != napi_ok || type != napi_function) {
        napi_throw_type_error(env, NULL, "Cannot set dispatcher: want an Int32Array and a function");
        return NULL;
    }
    if (event_array != NULL) napi_delete_reference(env, event_array);
    if (dispatcher != NULL) napi_delete_reference(env, dispatcher);
    napi_create_reference(env, args[0], 1, &event_array);
    napi_create_reference(env, args[1], 1, &dispatcher);
    dispatch_env = env;
    return NULL;
}

static uint32_t interest_of(int32_t kind) {
    switch (kind) {
    case WATCH_BOTH: return EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    case WATCH_LISTENER: return EPOLLIN | EPOLLEXCLUSIVE;
    case WATCH_LEVEL: return EPOLLIN;
    default: return EPOLLIN | EPOLLRDHUP | EPOLLET;
    }
}

static napi_value control(napi_env env, napi_callback_info info, int operation) {
    napi_value args[3];
    int32_t fd, token, kind;
    if (!take_args(env, info, 3, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &token) ||
        !take_int(env, args[2], &kind)) {
        return NULL;
    }
    if (dispatcher == NULL || is_closing) {
        errno = EINVAL;
        return give_int(env, fail("epoll_ctl"));
    }
    int status = epoll_fd < 0 ? open_epoll(env) : 0;
    if (status < 0) return give_int(env, status);
    struct epoll_event event = { .events = interest_of(kind), .data = { .fd = token } };
    if (epoll_ctl(epoll_fd, operation, fd, &event) < 0) return give_int(env, fail("epoll_ctl"));
    if (operation == EPOLL_CTL_ADD && watched_count++ == 0) uv_ref((uv_handle_t *)&poll_handle);
    return give_int(env, 0);
}

/* watch(fd, token, kind) */
static napi_value watch(napi_env env, napi_callback_info info) {
    return control(env, info, EPOLL_CTL_ADD);
}

/* rewatch(fd, token, kind): other interest; readiness at this moment is reported anew */
static napi_value rewatch(napi_env env, napi_callback_info info) {
    return control(env, info, EPOLL_CTL_MOD);
}

/* unwatch(fd): before the descriptor is closed, because another process may share it and keep it registered */
static napi_value unwatch(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    if (epoll_fd < 0 || is_closing) return give_int(env, 0);
    int status = checked("epoll_ctl", epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL));
    /* on failure the descriptor was closed behind our back, and the registration went with it */
    if (watched_count > 0 && --watched_count == 0) uv_unref((uv_handle_t *)&poll_handle);
    return give_int(env, status);
}

static const native_function functions[] = {
    { "setDispatcher", set_dispatcher },
    { "watch", watch },
    { "rewatch", rewatch },
    { "unwatch", unwatch },
};

bool define_epoll(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
