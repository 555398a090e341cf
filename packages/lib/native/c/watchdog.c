/*
 * watchdog.c - alarm(2), which ends a process that no longer winds it up
 */
#include "native.h"

/* setAlarm(seconds): SIGALRM after that time, whose default effect ends the process; 0 = never */
static napi_value set_alarm(napi_env env, napi_callback_info info) {
    napi_value args[1];
    int32_t seconds;
    if (!take_args(env, info, 1, args) || !take_int(env, args[0], &seconds)) return NULL;
    return give_int(env, alarm(seconds < 0 ? 0 : (unsigned)seconds));
}

static const native_function functions[] = { { "setAlarm", set_alarm } };

bool define_watchdog(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
