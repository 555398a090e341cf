/*
 * spare.c - queue files that are used again, and queue files made ahead: jobs of a thread
 *
 * retireFile() empties a file that nobody needs and leaves it under a name where another process finds it;
 * prepareFiles() takes such files, or creates them, and opens them. On ext4 a new file costs a look at every inode that
 * was freed in the last minutes, which a file used again does not.
 */
#include "pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>

#define MODE_SPARE 0600
/* of a path below the queue directory */
#define MAX_NAME 300
/* Of one job, at empty slots: 2 us each. */
#define MAX_VAIN_LOOKS 16

typedef struct {
    pool_job job;
    char path[MAX_NAME], parked[MAX_NAME], slot[MAX_NAME];
} retire_job;

typedef struct {
    char path[MAX_NAME];
    int fd; /* or -errno */
    uint64_t inode;
} prepared_file;

typedef struct {
    pool_job job;
    char directory[MAX_NAME];
    uint32_t slot, slots; /* where the next spare file may be, in a ring */
    size_t count;
    prepared_file files[];
} prepare_job;

/* Ours alone, and nobody else knows another name of it. */
static bool is_private(int fd, struct stat *status) {
    return fstat(fd, status) == 0 && S_ISREG(status->st_mode) && status->st_nlink == 1 && status->st_uid == geteuid();
}

/* A delivery agent that has not quite finished still holds its lock. */
static bool make_spare(const char *path) {
    struct stat status;
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return false;
    bool is_done = is_private(fd, &status) && flock(fd, LOCK_EX | LOCK_NB) == 0 && ftruncate(fd, 0) == 0 &&
        fchmod(fd, MODE_SPARE) == 0;
    close(fd);
    return is_done;
}

/*
 * It leaves its queue first and is emptied then: whatever a crash undoes, no message is left without its content. It
 * comes into its slot last, when we are done with it.
 */
static void run_retire(pool_job *job) {
    retire_job *retire = (retire_job *)job;
    const char *place = rename(retire->path, retire->parked) < 0 ? retire->path : retire->parked;
    if (place == retire->parked && make_spare(place) && rename(place, retire->slot) == 0) return;
    if (unlink(place) == 0) return;
    job->error = errno;
    job->call = "unlink";
}

static void release_retire(napi_env env, pool_job *job) {
    free(job);
}

/* Looks on in the ring until a slot is full. */
static bool take_spare(prepare_job *prepare, const char *path, int *looks) {
    char slot[MAX_NAME + 12];
    while ((*looks)-- > 0) {
        snprintf(slot, sizeof slot, "%s/%u", prepare->directory, prepare->slot);
        prepare->slot = (prepare->slot + 1) % prepare->slots;
        if (rename(slot, path) == 0) return true;
    }
    return false;
}

static bool open_spare(prepared_file *file) {
    struct stat status;
    file->fd = open(file->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (file->fd >= 0 && is_private(file->fd, &status) && status.st_size == 0 && (status.st_mode & 07777) == MODE_SPARE) {
        file->inode = status.st_ino;
        return true;
    }
    if (file->fd >= 0) close(file->fd);
    unlink(file->path);
    return false;
}

static void create_file(prepared_file *file) {
    struct stat status;
    file->fd = open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, MODE_SPARE);
    if (file->fd < 0) {
        file->fd = -errno;
    } else if (fstat(file->fd, &status) < 0) {
        int error = errno;
        close(file->fd);
        unlink(file->path);
        file->fd = -error;
    } else {
        file->inode = status.st_ino;
    }
}

static void run_prepare(pool_job *job) {
    prepare_job *prepare = (prepare_job *)job;
    int looks = MAX_VAIN_LOOKS + (int)prepare->count;
    for (size_t i = 0; i < prepare->count; i++) {
        prepared_file *file = &prepare->files[i];
        if (!take_spare(prepare, file->path, &looks) || !open_spare(file)) create_file(file);
    }
}

static void release_prepare(napi_env env, pool_job *job) {
    free(job);
}

static napi_value give_prepared(napi_env env, pool_job *job) {
    prepare_job *prepare = (prepare_job *)job;
    napi_value result;
    napi_create_array_with_length(env, 2 * prepare->count + 1, &result);
    napi_set_element(env, result, 0, give_int(env, prepare->slot));
    for (size_t i = 0; i < prepare->count; i++) {
        napi_set_element(env, result, (uint32_t)(2 * i + 1), give_int(env, prepare->files[i].fd));
        napi_set_element(env, result, (uint32_t)(2 * i + 2), give_int(env, (int64_t)prepare->files[i].inode));
    }
    return result;
}

static bool take_name(napi_env env, napi_value value, char name[MAX_NAME]) {
    return take_text(env, value, name, MAX_NAME);
}

static bool take_element(napi_env env, napi_value array, uint32_t index, char name[MAX_NAME]) {
    napi_value value;
    return napi_get_element(env, array, index, &value) == napi_ok && take_name(env, value, name);
}

/* retireFile(path, parked, slot): a promise */
static napi_value retire_file(napi_env env, napi_callback_info info) {
    napi_value args[3];
    if (!take_args(env, info, 3, args)) return NULL;
    retire_job *retire = malloc(sizeof *retire);
    if (retire == NULL) {
        napi_throw_error(env, NULL, "Cannot retire file: out of memory");
        return NULL;
    }
    retire->job = (pool_job){ .run = run_retire, .release = release_retire };
    if (!take_name(env, args[0], retire->path) || !take_name(env, args[1], retire->parked) ||
        !take_name(env, args[2], retire->slot)) {
        free(retire);
        return NULL;
    }
    return pool_submit(env, &retire->job);
}

/* prepareFiles(directory, slot, slots, [path, ...]): a promise for [next slot, fd or -errno, inode, ...] */
static napi_value prepare_files(napi_env env, napi_callback_info info) {
    napi_value args[4];
    bool is_array = false;
    uint32_t length = 0;
    int32_t slot, slots;
    if (!take_args(env, info, 4, args) || !take_int(env, args[1], &slot) || !take_int(env, args[2], &slots)) return NULL;
    if (napi_is_array(env, args[3], &is_array) != napi_ok || !is_array || slot < 0 || slots < 1 ||
        napi_get_array_length(env, args[3], &length) != napi_ok) {
        napi_throw_type_error(env, NULL, "Cannot prepare files: want a slot, a number of slots and an array");
        return NULL;
    }
    prepare_job *prepare = calloc(1, sizeof *prepare + length * sizeof prepare->files[0]);
    if (prepare == NULL) {
        napi_throw_error(env, NULL, "Cannot prepare files: out of memory");
        return NULL;
    }
    prepare->job = (pool_job){ .run = run_prepare, .release = release_prepare, .give = give_prepared };
    prepare->slot = (uint32_t)slot % (uint32_t)slots;
    prepare->slots = (uint32_t)slots;
    prepare->count = length;
    bool is_taken = take_name(env, args[0], prepare->directory);
    for (uint32_t i = 0; is_taken && i < length; i++) is_taken = take_element(env, args[3], i, prepare->files[i].path);
    if (!is_taken) {
        free(prepare);
        return NULL;
    }
    return pool_submit(env, &prepare->job);
}

static const native_function functions[] = { { "retireFile", retire_file }, { "prepareFiles", prepare_files } };

bool define_spare(napi_env env, napi_value exports) {
    return define_functions(env, exports, functions, sizeof functions / sizeof functions[0]);
}
