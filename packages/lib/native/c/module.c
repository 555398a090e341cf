/*
 * module.c - the addon's entry point, and how values pass between JavaScript and C
 */
#include "native.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>

char shared_octets[SHARED_OCTETS];
const char *failed_call = "";

static napi_async_context async_context;
static bool is_loaded;

int fail(const char *call) {
    failed_call = call;
    return errno > 0 ? -errno : -EIO;
}

int checked(const char *call, int result) {
    return result < 0 ? fail(call) : result;
}

bool take_args(napi_env env, napi_callback_info info, size_t count, napi_value *args) {
    size_t given = count;
    return napi_get_cb_info(env, info, &given, args, NULL, NULL) == napi_ok;
}

bool take_int(napi_env env, napi_value value, int32_t *result) {
    double number;
    if (napi_get_value_double(env, value, &number) == napi_ok && number >= INT32_MIN && number <= INT32_MAX) {
        *result = (int32_t)number;
        return true;
    }
    napi_throw_type_error(env, NULL, "Cannot use argument: want a 32-bit integer");
    return false;
}

bool take_bool(napi_env env, napi_value value, bool *result) {
    if (napi_get_value_bool(env, value, result) == napi_ok) return true;
    napi_throw_type_error(env, NULL, "Cannot use argument: want a boolean");
    return false;
}

bool take_text(napi_env env, napi_value value, char *result, size_t size) {
    size_t length;
    if (napi_get_value_string_latin1(env, value, NULL, 0, &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "Cannot use argument: want a string");
        return false;
    }
    if (length >= size) {
        napi_throw_type_error(env, NULL, "Cannot use argument: the string is too long");
        return false;
    }
    napi_get_value_string_latin1(env, value, result, size, &length);
    if (strlen(result) != length) {
        napi_throw_type_error(env, NULL, "Cannot use argument: the string contains NUL");
        return false;
    }
    return true;
}

static bool take_string_octets(napi_env env, napi_value value, const char **octets, size_t *length, char **owned) {
    if (napi_get_value_string_latin1(env, value, shared_octets, SHARED_OCTETS, length) != napi_ok) return false;
    *octets = shared_octets;
    if (*length < SHARED_OCTETS - 1) return true;
    if (napi_get_value_string_latin1(env, value, NULL, 0, length) != napi_ok) return false;
    char *heap = malloc(*length + 1);
    if (heap == NULL) return false;
    napi_get_value_string_latin1(env, value, heap, *length + 1, length);
    *octets = *owned = heap;
    return true;
}

bool take_octets(napi_env env, napi_value value, const char **octets, size_t *length, char **owned) {
    *owned = NULL;
    if (take_string_octets(env, value, octets, length, owned)) return true;
    bool is_buffer = false;
    void *data = NULL;
    if (napi_is_buffer(env, value, &is_buffer) == napi_ok && is_buffer &&
        napi_get_buffer_info(env, value, &data, length) == napi_ok) {
        *octets = data;
        return true;
    }
    napi_throw_type_error(env, NULL, "Cannot use argument: want a string or a Buffer");
    return false;
}

napi_value give_int(napi_env env, int64_t value) {
    napi_value result = NULL;
    napi_create_int64(env, value, &result);
    return result;
}

napi_value give_text(napi_env env, const char *octets, size_t length) {
    napi_value result = NULL;
    napi_create_string_latin1(env, octets, length, &result);
    return result;
}

bool set_text(napi_env env, napi_value object, const char *name, const char *value) {
    napi_value text = give_text(env, value, strlen(value));
    return text != NULL && napi_set_named_property(env, object, name, text) == napi_ok;
}

bool set_int(napi_env env, napi_value object, const char *name, int64_t value) {
    napi_value number = give_int(env, value);
    return number != NULL && napi_set_named_property(env, object, name, number) == napi_ok;
}

void call_javascript(napi_env env, napi_ref function, size_t argc, const napi_value *argv) {
    napi_value callee, receiver, error;
    if (napi_get_reference_value(env, function, &callee) != napi_ok || callee == NULL) return;
    if (napi_get_global(env, &receiver) != napi_ok) return;
    if (napi_make_callback(env, async_context, receiver, callee, argc, argv, NULL) != napi_pending_exception) return;
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
}

uv_loop_t *event_loop(napi_env env) {
    uv_loop_t *loop = NULL;
    napi_get_uv_event_loop(env, &loop);
    return loop;
}

bool define_functions(napi_env env, napi_value exports, const native_function *functions, size_t count) {
    for (size_t i = 0; i < count; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function) != napi_ok ||
            napi_set_named_property(env, exports, functions[i].name, function) != napi_ok) {
            return false;
        }
    }
    return true;
}

static napi_value failed_call_name(napi_env env, napi_callback_info info) {
    return give_text(env, failed_call, strlen(failed_call));
}

static napi_value error_text(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t number;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &number)) return NULL;
    char buffer[256];
    const char *text = strerror_r(number, buffer, sizeof buffer);
    return give_text(env, text, strlen(text));
}

/* Threads of the pool run our code for ever: it must stay where it is when a worker that loaded it ends. */
static void stay_loaded(void) {
    Dl_info self;
    if (dladdr(&is_loaded, &self) != 0) dlopen(self.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

/* v8::V8::SetFlagsFromString(const char *): node:v8 has it too, for 1.6 ms and 2 MB more */
extern void set_v8_flag(const char *flag) __asm__("_ZN2v82V818SetFlagsFromStringEPKc") __attribute__((weak));

/* setCompilerFlag("--name=value") */
static napi_value set_compiler_flag(napi_env env, napi_callback_info info) {
    napi_value args[1];
    char flag[128];
    if (!take_args(env, info, 1, args) || !take_text(env, args[0], flag, sizeof flag)) return NULL;
    if (set_v8_flag != NULL) set_v8_flag(flag);
    return NULL;
}

/* v8::Isolate::GetCurrent(), v8::Isolate::LowMemoryNotification() */
extern void *current_isolate(void) __asm__("_ZN2v87Isolate10GetCurrentEv") __attribute__((weak));
extern void note_low_memory(void *isolate) __asm__("_ZN2v87Isolate21LowMemoryNotificationEv") __attribute__((weak));

/* collectGarbage(): all of it, at once */
static napi_value collect_garbage(napi_env env, napi_callback_info info) {
    if (current_isolate != NULL && note_low_memory != NULL) note_low_memory(current_isolate());
    return NULL;
}

static const native_function functions[] = {
    { "collectGarbage", collect_garbage },
    { "setCompilerFlag", set_compiler_flag },
    { "failedCall", failed_call_name },
    { "errorText", error_text },
};

NAPI_MODULE_INIT() {
    if (is_loaded) {
        napi_throw_error(env, NULL, "Cannot load posthorn-native twice: it serves one thread of a process");
        return NULL;
    }
    napi_value name;
    if (napi_create_string_utf8(env, "posthorn", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_async_init(env, NULL, name, &async_context) != napi_ok ||
        !define_functions(env, exports, functions, sizeof functions / sizeof functions[0]) ||
        !define_descriptor(env, exports) || !define_epoll(env, exports) || !define_socket(env, exports) ||
        !define_pass(env, exports) || !define_datagram(env, exports) || !define_store(env, exports) ||
        !define_spare(env, exports) || !define_lock(env, exports) || !define_user(env, exports) || !define_watchdog(env, exports)) {
        napi_throw_error(env, NULL, "Cannot initialise posthorn-native");
        return NULL;
    }
    is_loaded = true;
    stay_loaded();
    /* node opens its inspector on this signal, to which every local user could then connect; other daemons end by it */
    signal(SIGUSR1, SIG_DFL);
    return exports;
}
