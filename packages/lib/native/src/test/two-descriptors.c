/*
 * two-descriptors - a rude peer: sends on its standard input, a Unix-domain socket, what the first argument says
 *
 *   two     one octet with two descriptors
 *   many    one octet with 200 descriptors
 *   other   one octet with credentials instead of a descriptor
 *   none    one octet, in a message with an empty control part
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "none";
    size_t count = strcmp(what, "two") == 0 ? 2 : strcmp(what, "many") == 0 ? 200 : 0;
    int is_other = strcmp(what, "other") == 0;
    size_t size = is_other ? sizeof(struct ucred) : count * sizeof(int);
    char octet = 0;
    struct iovec data = { &octet, 1 };
    struct msghdr message = { .msg_iov = &data, .msg_iovlen = 1 };
    if (size > 0) {
        message.msg_control = calloc(1, CMSG_SPACE(size));
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = is_other ? SCM_CREDENTIALS : SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        if (is_other) {
            struct ucred me = { getpid(), getuid(), getgid() };
            memcpy(CMSG_DATA(header), &me, sizeof me);
        } else {
            int fd = 1;
            for (size_t i = 0; i < count; i++) memcpy(CMSG_DATA(header) + i * sizeof fd, &fd, sizeof fd);
        }
    }
    return sendmsg(0, &message, 0) == 1 ? 0 : 1;
}
