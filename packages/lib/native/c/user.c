/*
 * user.c - accounts, and becoming one
 *
 * glibc applies setgid(2), setgroups(2) and setuid(2) to all threads of the process.
 */
#include "native.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>

#define ENTRY_OCTETS 65536
#define PATH_OCTETS 4096

static char entry_octets[ENTRY_OCTETS];

/* A UserEntry, undefined when there is none, -errno when the lookup failed. */
static napi_value give_user(napi_env env, int error, const struct passwd *user) {
    napi_value object = NULL;
    if (error != 0 && error != ENOENT && error != ESRCH) {
        errno = error;
        return give_int(env, fail("getpwnam"));
    }
    if (user == NULL || napi_create_object(env, &object) != napi_ok) return NULL;
    set_text(env, object, "name", user->pw_name);
    set_int(env, object, "uid", user->pw_uid);
    set_int(env, object, "gid", user->pw_gid);
    set_text(env, object, "home", user->pw_dir);
    set_text(env, object, "shell", user->pw_shell);
    set_text(env, object, "gecos", user->pw_gecos == NULL ? "" : user->pw_gecos);
    return object;
}

static napi_value find_user(napi_env env, napi_callback_info info) {
    napi_value args[1];
    char name[1024];
    struct passwd entry, *found = NULL;
    if (!take_args(env, info, 1, args) || !take_text(env, args[0], name, sizeof name)) return NULL;
    int error = getpwnam_r(name, &entry, entry_octets, sizeof entry_octets, &found);
    return give_user(env, error, found);
}

static bool take_id(napi_env env, napi_value value, uint32_t *id) {
    double number;
    if (napi_get_value_double(env, value, &number) == napi_ok && number >= 0 && number < UINT32_MAX) {
        *id = (uint32_t)number;
        return true;
    }
    napi_throw_type_error(env, NULL, "Cannot use argument: want a user or group id");
    return false;
}

static napi_value find_user_by_id(napi_env env, napi_callback_info info) {
    napi_value args[1];
    uint32_t uid;
    struct passwd entry, *found = NULL;
    if (!take_args(env, info, 1, args) || !take_id(env, args[0], &uid)) return NULL;
    int error = getpwuid_r(uid, &entry, entry_octets, sizeof entry_octets, &found);
    return give_user(env, error, found);
}

static napi_value find_group(napi_env env, napi_callback_info info) {
    napi_value args[1], object;
    char name[1024];
    struct group entry, *found = NULL;
    if (!take_args(env, info, 1, args) || !take_text(env, args[0], name, sizeof name)) return NULL;
    int error = getgrnam_r(name, &entry, entry_octets, sizeof entry_octets, &found);
    if (error != 0 && error != ENOENT && error != ESRCH) {
        errno = error;
        return give_int(env, fail("getgrnam"));
    }
    if (found == NULL || napi_create_object(env, &object) != napi_ok) return NULL;
    set_text(env, object, "name", found->gr_name);
    set_int(env, object, "gid", found->gr_gid);
    return object;
}

/* becomeUser(name, uid, gid): in this order, for each takes away the right to do the one before */
static napi_value become_user(napi_env env, napi_callback_info info) {
    napi_value args[3];
    char name[1024];
    uint32_t uid, gid;
    if (!take_args(env, info, 3, args) || !take_text(env, args[0], name, sizeof name) ||
        !take_id(env, args[1], &uid) || !take_id(env, args[2], &gid)) {
        return NULL;
    }
    if (setgid(gid) < 0) return give_int(env, fail("setgid"));
    if (initgroups(name, gid) < 0) return give_int(env, fail("initgroups"));
    return give_int(env, checked("setuid", setuid(uid)));
}

/* changeRoot(path): and into it */
static napi_value change_root(napi_env env, napi_callback_info info) {
    napi_value args[1];
    char path[PATH_OCTETS];
    if (!take_args(env, info, 1, args) || !take_text(env, args[0], path, sizeof path)) return NULL;
    if (chroot(path) < 0) return give_int(env, fail("chroot"));
    return give_int(env, checked("chdir", chdir("/")));
}

static napi_value start_session(napi_env env, napi_callback_info info) {
    return give_int(env, checked("setsid", setsid()));
}

static napi_value make_fifo(napi_env env, napi_callback_info info) {
    napi_value args[2];
    char path[PATH_OCTETS];
    int32_t mode;
    if (!take_args(env, info, 2, args) || !take_text(env, args[0], path, sizeof path) || !take_int(env, args[1], &mode)) {
        return NULL;
    }
    return give_int(env, checked("mkfifo", mkfifo(path, (mode_t)mode)));
}

static const native_function functions[] = {
    { "findUser", find_user },     { "findUserById", find_user_by_id }, { "findGroup", find_group },
    { "becomeUser", become_user }, { "changeRoot", change_root },       { "startSession", start_session },
    { "makeFifo", make_fifo },
};

bool define_user(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
