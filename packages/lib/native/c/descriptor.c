/*
 * descriptor.c - read(2), write(2), close(2) and fcntl(2) on one descriptor
 *
 * Reads and writes never wait: the caller gets -EAGAIN and learns from epoll.c when to try again.
 */
#include "native.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* adopt(fd): makes it non-blocking and close-on-exec; the flags are asked for first, since most have them already */
static napi_value adopt(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)) {
        return give_int(env, fail("fcntl"));
    }
    flags = fcntl(fd, F_GETFD);
    if (flags < 0 || (!(flags & FD_CLOEXEC) && fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)) {
        return give_int(env, fail("fcntl"));
    }
    return give_int(env, 0);
}

/* setBlocking(fd): for a program that inherits it and knows no better */
static napi_value set_blocking(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0) return give_int(env, fail("fcntl"));
    return give_int(env, 0);
}

static napi_value close_descriptor(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    return give_int(env, checked("close", close(fd)));
}

/* read(fd, buffer): octets, 0 at the end */
static napi_value read_buffer(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd;
    bool is_buffer = false;
    void *data = NULL;
    size_t length = 0;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd)) return NULL;
    if (napi_is_buffer(env, args[1], &is_buffer) != napi_ok || !is_buffer ||
        napi_get_buffer_info(env, args[1], &data, &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "Cannot read into argument: want a Buffer");
        return NULL;
    }
    ssize_t count;
    do count = read(fd, data, length);
    while (count < 0 && errno == EINTR);
    return give_int(env, count < 0 ? fail("read") : count);
}

/* readText(fd, limit): a string, or -errno */
static napi_value read_text(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd, limit;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &limit)) return NULL;
    size_t length = limit < 0 || limit > SHARED_OCTETS ? SHARED_OCTETS : (size_t)limit;
    ssize_t count;
    do count = read(fd, shared_octets, length);
    while (count < 0 && errno == EINTR);
    return count < 0 ? give_int(env, fail("read")) : give_text(env, shared_octets, (size_t)count);
}

/* write(fd, octets): octets accepted; node ignores SIGPIPE, so a closed peer is EPIPE */
static napi_value write_octets(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd;
    const char *octets;
    size_t length;
    char *owned;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) ||
        !take_octets(env, args[1], &octets, &length, &owned)) {
        return NULL;
    }
    ssize_t count;
    do count = write(fd, octets, length);
    while (count < 0 && errno == EINTR);
    int64_t result = count < 0 ? fail("write") : count;
    free(owned);
    return give_int(env, result);
}

/* bytesReadable(fd): what FIONREAD says */
static napi_value bytes_readable(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    int count = 0;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    return give_int(env, ioctl(fd, FIONREAD, &count) < 0 ? fail("ioctl") : count);
}

static const native_function functions[] = {
    { "adopt", adopt },           { "setBlocking", set_blocking }, { "close", close_descriptor },
    { "read", read_buffer },
    { "readText", read_text },    { "write", write_octets },     { "bytesReadable", bytes_readable },
};

bool define_descriptor(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
