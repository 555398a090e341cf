/*
 * pass.c - descriptors over a Unix-domain socket: one NUL octet with SCM_RIGHTS
 */
#include "native.h"

#include <sys/socket.h>

/* sendDescriptor(fd, passed): 1, or -EAGAIN */
static napi_value send_descriptor(napi_env env, napi_callback_info info) {
    napi_value args[2];
    int32_t fd, passed;
    if (!take_args(env, info, 2, args) || !take_int(env, args[0], &fd) || !take_int(env, args[1], &passed)) return NULL;
    char octet = 0;
    struct iovec data = { .iov_base = &octet, .iov_len = 1 };
    union {
        char octets[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.octets, .msg_controllen = sizeof control.octets };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed, sizeof(int));
    ssize_t count;
    do count = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (count < 0 && errno == EINTR);
    return give_int(env, count < 0 ? fail("sendmsg") : count);
}

/* The descriptor in a received message, or -1; should more than one have come, the others are closed. */
static int received_descriptor(struct msghdr *message) {
    int found = -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
            if (found < 0) found = fd;
            else close(fd);
        }
    }
    return found;
}

/* receiveDescriptor(fd): a descriptor; -ECONNRESET at end of file, -EBADMSG when the octet came without one */
static napi_value receive_descriptor(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t fd;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &fd)) return NULL;
    char octet;
    struct iovec data = { .iov_base = &octet, .iov_len = 1 };
    union {
        char octets[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { { 0 } };
    /* CMSG_LEN, not the size with padding: the padding has room for a second descriptor */
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.octets, .msg_controllen = CMSG_LEN(sizeof(int)) };
    ssize_t count;
    do count = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (count < 0 && errno == EINTR);
    if (count < 0) return give_int(env, fail("recvmsg"));
    int passed = received_descriptor(&message);
    if (passed >= 0) return give_int(env, passed);
    errno = count == 0 ? ECONNRESET : EBADMSG;
    return give_int(env, fail("recvmsg"));
}

static const native_function functions[] = {
    { "sendDescriptor", send_descriptor },
    { "receiveDescriptor", receive_descriptor },
};

bool define_pass(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
