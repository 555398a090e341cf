/*
 * datagram.c - Unix-domain datagram sockets, the way log lines reach postlogd(8) and syslogd(8)
 */
#include "native.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static int open_datagram(const char *path, bool is_bound) {
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, path, strlen(path) + 1); /* open_path() checked the length */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return fail("socket");
    const char *call = is_bound ? "bind" : "connect";
    const struct sockaddr *name = (const struct sockaddr *)&address;
    if ((is_bound ? bind(fd, name, sizeof address) : connect(fd, name, sizeof address)) == 0) return fd;
    int result = fail(call);
    close(fd);
    return result;
}

static napi_value open_path(napi_env env, napi_callback_info info, bool is_bound) {
    napi_value args[1];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    if (!take_args(env, info, 1, args) || !take_text(env, args[0], path, sizeof path)) return NULL;
    return give_int(env, open_datagram(path, is_bound));
}

static napi_value connect_datagram(napi_env env, napi_callback_info info) {
    return open_path(env, info, false);
}

static napi_value bind_datagram(napi_env env, napi_callback_info info) {
    return open_path(env, info, true);
}

/* sendDatagram(fd, octets, waitMs): octets sent; waits that long for room in the receiver's queue */
static napi_value send_datagram(napi_env env, napi_callback_info info) {
    napi_value args[3];
    int32_t fd, wait_ms;
    const char *octets;
    size_t length;
    char *owned;
    if (!take_args(env, info, 3, args) || !take_int(env, args[0], &fd) || !take_int(env, args[2], &wait_ms) ||
        !take_octets(env, args[1], &octets, &length, &owned)) {
        return NULL;
    }
    struct pollfd writable = { .fd = fd, .events = POLLOUT };
    ssize_t count;
    for (;;) {
        count = send(fd, octets, length, MSG_NOSIGNAL);
        if (count >= 0 || (errno != EAGAIN && errno != EINTR)) break;
        if (errno == EAGAIN && (wait_ms <= 0 || poll(&writable, 1, wait_ms) <= 0)) {
            errno = EAGAIN;
            break;
        }
    }
    int64_t result = count < 0 ? fail("send") : count;
    free(owned);
    return give_int(env, result);
}

/* receiveDatagram(fd): a string, empty for an empty datagram, or -errno */
static napi_value receive_datagram(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    ssize_t count;
    do count = recv(fd, shared_octets, SHARED_OCTETS, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? give_int(env, fail("recv")) : give_text(env, shared_octets, (size_t)count);
}

static const native_function functions[] = {
    { "connectDatagram", connect_datagram },
    { "bindDatagram", bind_datagram },
    { "sendDatagram", send_datagram },
    { "receiveDatagram", receive_datagram },
};

bool define_datagram(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
