/*
 * socket.c - stream sockets: connect, listen, accept, addresses, options
 *
 * Addresses come in as three arguments: family (4, 6, or 0 for Unix), address or path, port.
 */
#include "native.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in inet;
    struct sockaddr_in6 inet6;
    struct sockaddr_un local;
    struct sockaddr_storage storage;
} socket_address;

static bool parse_inet6(char *text, struct sockaddr_in6 *address) {
    char *scope = strchr(text, '%');
    if (scope != NULL) {
        *scope++ = '\0';
        address->sin6_scope_id = if_nametoindex(scope);
    }
    return inet_pton(AF_INET6, text, &address->sin6_addr) == 1;
}

/* Takes family, address and port from three arguments. */
static bool take_address(napi_env env, const napi_value *args, socket_address *address, socklen_t *length) {
    char text[sizeof address->local.sun_path];
    int32_t family, port;
    if (!take_int(env, args[0], &family) || !take_text(env, args[1], text, sizeof text) ||
        !take_int(env, args[2], &port)) {
        return false;
    }
    memset(address, 0, sizeof *address);
    bool is_good = port >= 0 && port <= 65535;
    if (family == 0) {
        address->local.sun_family = AF_UNIX;
        memcpy(address->local.sun_path, text, strlen(text) + 1);
        *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(text) + 1);
    } else if (family == 4) {
        address->inet.sin_family = AF_INET;
        address->inet.sin_port = htons((uint16_t)port);
        is_good = is_good && inet_pton(AF_INET, text, &address->inet.sin_addr) == 1;
        *length = sizeof address->inet;
    } else {
        address->inet6.sin6_family = AF_INET6;
        address->inet6.sin6_port = htons((uint16_t)port);
        is_good = is_good && family == 6 && parse_inet6(text, &address->inet6);
        *length = sizeof address->inet6;
    }
    if (!is_good) napi_throw_type_error(env, NULL, "Cannot use socket address: want a numeric address and a port");
    return is_good;
}

/* A JavaScript SocketAddress. */
static napi_value give_address(napi_env env, const socket_address *address, socklen_t length) {
    napi_value object;
    if (napi_create_object(env, &object) != napi_ok) return NULL;
    char text[INET6_ADDRSTRLEN + IF_NAMESIZE + 1] = "";
    if (address->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &address->inet.sin_addr, text, sizeof text);
        set_text(env, object, "family", "inet");
        set_text(env, object, "address", text);
        set_int(env, object, "port", ntohs(address->inet.sin_port));
    } else if (address->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &address->inet6.sin6_addr, text, sizeof text);
        char scope[IF_NAMESIZE];
        if (address->inet6.sin6_scope_id != 0 && if_indextoname(address->inet6.sin6_scope_id, scope) != NULL) {
            strcat(text, "%");
            strcat(text, scope);
        }
        set_text(env, object, "family", "inet6");
        set_text(env, object, "address", text);
        set_int(env, object, "port", ntohs(address->inet6.sin6_port));
    } else {
        char path[sizeof address->local.sun_path + 1] = "";
        size_t start = offsetof(struct sockaddr_un, sun_path);
        if (address->any.sa_family == AF_UNIX && length > start) memcpy(path, address->local.sun_path, length - start);
        set_text(env, object, "family", "unix");
        set_text(env, object, "path", path);
    }
    return object;
}

static int set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value);
}

/* Before connect or listen: the peer is told then how its window scales. */
static int set_window(int fd, int octets) {
    int result = set_option(fd, SOL_SOCKET, SO_SNDBUF, octets);
    return result < 0 ? result : set_option(fd, SOL_SOCKET, SO_RCVBUF, octets);
}

static int close_failed(int fd, const char *call) {
    int result = fail(call);
    close(fd);
    return result;
}

/* connect(family, address, port, bindFamily, bindAddress, bindPort, windowBytes): a descriptor; bindFamily -1 = no bind.
   The connection may be in progress. */
static napi_value connect_socket(napi_env env, napi_callback_info info) {
    napi_value args[7];
    socket_address remote, local;
    socklen_t remote_length, local_length = 0;
    int32_t bind_family, window;
    if (!take_args(env, info, 7, args) || !take_address(env, args, &remote, &remote_length) ||
        !take_int(env, args[3], &bind_family) || !take_int(env, args[6], &window)) {
        return NULL;
    }
    if (bind_family >= 0 && !take_address(env, args + 3, &local, &local_length)) return NULL;
    int fd = socket(remote.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return give_int(env, fail("socket"));
    if (window > 0 && remote.any.sa_family != AF_UNIX && set_window(fd, window) < 0) {
        return give_int(env, close_failed(fd, "setsockopt"));
    }
    if (bind_family >= 0 && bind(fd, &local.any, local_length) < 0) return give_int(env, close_failed(fd, "bind"));
    if (connect(fd, &remote.any, remote_length) < 0 && errno != EINPROGRESS) {
        return give_int(env, close_failed(fd, "connect"));
    }
    return give_int(env, fd);
}

/* connectResult(fd): 0, or why the connection failed */
static napi_value connect_result(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    int error = 0;
    socklen_t length = sizeof error;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return give_int(env, fail("getsockopt"));
    errno = error;
    return give_int(env, error == 0 ? 0 : fail("connect"));
}

/* listen(family, address, port, backlog, reusePort, windowBytes): a descriptor */
static napi_value listen_socket(napi_env env, napi_callback_info info) {
    napi_value args[6];
    socket_address address;
    socklen_t length;
    int32_t backlog, window;
    bool reuse_port;
    if (!take_args(env, info, 6, args) || !take_address(env, args, &address, &length) ||
        !take_int(env, args[3], &backlog) || !take_bool(env, args[4], &reuse_port) || !take_int(env, args[5], &window)) {
        return NULL;
    }
    int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return give_int(env, fail("socket"));
    if (address.any.sa_family != AF_UNIX &&
        (set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1) < 0 ||
            (reuse_port && set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1) < 0) ||
            (address.any.sa_family == AF_INET6 && set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1) < 0) ||
            (window > 0 && set_window(fd, window) < 0))) {
        return give_int(env, close_failed(fd, "setsockopt"));
    }
    if (bind(fd, &address.any, length) < 0) return give_int(env, close_failed(fd, "bind"));
    if (listen(fd, backlog) < 0) return give_int(env, close_failed(fd, "listen"));
    return give_int(env, fd);
}

static socket_address accepted_address;
static socklen_t accepted_length;

/* accept(fd): a descriptor; acceptedPeer() has its address */
static napi_value accept_socket(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    accepted_length = sizeof accepted_address;
    accepted_address.any.sa_family = AF_UNSPEC;
    return give_int(env, checked("accept",
        accept4(fd, &accepted_address.any, &accepted_length, SOCK_NONBLOCK | SOCK_CLOEXEC)));
}

static napi_value accepted_peer(napi_env env, napi_callback_info info) {
    return give_address(env, &accepted_address, accepted_length);
}

static napi_value give_name(napi_env env, napi_callback_info info, const char *call,
    int (*get_name)(int, struct sockaddr *, socklen_t *)) {
    napi_value args[1];
    int32_t fd;
    socket_address address = { .any = { .sa_family = AF_UNSPEC } };
    socklen_t length = sizeof address;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    if (get_name(fd, &address.any, &length) < 0) return give_int(env, fail(call));
    return give_address(env, &address, length);
}

static napi_value local_address(napi_env env, napi_callback_info info) {
    return give_name(env, info, "getsockname", getsockname);
}

static napi_value peer_address(napi_env env, napi_callback_info info) {
    return give_name(env, info, "getpeername", getpeername);
}

/* socketPair() and pipePair(): [descriptor, descriptor], or -errno */
static napi_value give_pair(napi_env env, const int *pair) {
    napi_value array;
    if (napi_create_array_with_length(env, 2, &array) != napi_ok) return NULL;
    napi_set_element(env, array, 0, give_int(env, pair[0]));
    napi_set_element(env, array, 1, give_int(env, pair[1]));
    return array;
}

static napi_value socket_pair(napi_env env, napi_callback_info info) {
    int pair[2];
    int result = socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
    return result < 0 ? give_int(env, fail("socketpair")) : give_pair(env, pair);
}

static napi_value pipe_pair(napi_env env, napi_callback_info info) {
    int pair[2];
    return pipe2(pair, O_NONBLOCK | O_CLOEXEC) < 0 ? give_int(env, fail("pipe2")) : give_pair(env, pair);
}

static napi_value switch_on(napi_env env, napi_callback_info info, int level, int name) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    return give_int(env, checked("setsockopt", set_option(fd, level, name, 1)));
}

static napi_value set_keep_alive(napi_env env, napi_callback_info info) {
    return switch_on(env, info, SOL_SOCKET, SO_KEEPALIVE);
}

static napi_value set_no_delay(napi_env env, napi_callback_info info) {
    return switch_on(env, info, IPPROTO_TCP, TCP_NODELAY);
}

/* peerCredentials(fd): { pid, uid, gid } of who connected, or -errno */
static napi_value peer_credentials(napi_env env, napi_callback_info info) {
    napi_value args[1], object;
    int32_t fd;
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return give_int(env, fail("getsockopt"));
    if (napi_create_object(env, &object) != napi_ok) return NULL;
    set_int(env, object, "pid", peer.pid);
    set_int(env, object, "uid", peer.uid);
    set_int(env, object, "gid", peer.gid);
    return object;
}

static const native_function functions[] = {
    { "connect", connect_socket },      { "connectResult", connect_result },
    { "listen", listen_socket },        { "accept", accept_socket },
    { "acceptedPeer", accepted_peer },  { "localAddress", local_address },
    { "peerAddress", peer_address },    { "socketPair", socket_pair },
    { "pipePair", pipe_pair },          { "setKeepAlive", set_keep_alive },
    { "setNoDelay", set_no_delay },     { "peerCredentials", peer_credentials },
};

bool define_socket(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
