/*
 * native.h - what the files of the addon share
 *
 * Conventions. A function that JavaScript calls returns a number: 0 or more is success, less than 0 is -errno, and
 * `failed_call` names the system call. Wrong argument types throw TypeError; nothing that JavaScript passes may end
 * the process. The addon keeps process-wide state (one epoll instance, one thread pool) and loads once, on the main
 * thread.
 */
#ifndef POSTHORN_NATIVE_H
#define POSTHORN_NATIVE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define NAPI_VERSION 9
#include <node_api.h>
#include <uv.h>

#define SHARED_OCTETS 65536

/* module.c: one buffer for reads and small writes; only the main thread touches it */
extern char shared_octets[SHARED_OCTETS];
extern const char *failed_call;

/* Notes which system call failed; gives -errno. */
int fail(const char *call);
/* The same for a call that returns -1 on failure: its result, or -errno. */
int checked(const char *call, int result);

bool take_args(napi_env env, napi_callback_info info, size_t count, napi_value *args);
bool take_int(napi_env env, napi_value value, int32_t *result);
bool take_bool(napi_env env, napi_value value, bool *result);
/* A name or path without NUL that fits into size octets, terminator included. */
bool take_text(napi_env env, napi_value value, char *result, size_t size);

/*
 * The octets of a latin1 string or a Buffer. Small strings lie in shared_octets (until its next use), large ones on
 * the heap: then *owned is set and the caller frees it. A Buffer's octets are borrowed.
 */
bool take_octets(napi_env env, napi_value value, const char **octets, size_t *length, char **owned);

napi_value give_int(napi_env env, int64_t value);
napi_value give_text(napi_env env, const char *octets, size_t length);
bool set_text(napi_env env, napi_value object, const char *name, const char *value);
bool set_int(napi_env env, napi_value object, const char *name, int64_t value);

/* Calls JavaScript from the event loop: ticks and microtasks run after it, an exception is an uncaught one. */
void call_javascript(napi_env env, napi_ref function, size_t argc, const napi_value *argv);
uv_loop_t *event_loop(napi_env env);

typedef struct {
    const char *name;
    napi_callback call;
} native_function;

bool define_functions(napi_env env, napi_value exports, const native_function *functions, size_t count);

bool define_descriptor(napi_env env, napi_value exports);
bool define_epoll(napi_env env, napi_value exports);
bool define_socket(napi_env env, napi_value exports);
bool define_pass(napi_env env, napi_value exports);
bool define_datagram(napi_env env, napi_value exports);
bool define_store(napi_env env, napi_value exports);
bool define_spare(napi_env env, napi_value exports);
bool define_lock(napi_env env, napi_value exports);
bool define_user(napi_env env, napi_value exports);
bool define_watchdog(napi_env env, napi_value exports);

#endif
