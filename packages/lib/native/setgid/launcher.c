/*
 * launcher - starts one program of ours with the rights of the group that owns this file
 *
 * The kernel ignores the set-gid bit of scripts, and Node with a set-gid bit would give every script its rights. So
 * postdrop(1) and postqueue(1) are installed as this executable: set-gid, one for each, and good for nothing but to
 * execute the pinned Node with that program, in a process that the caller has not prepared.
 *
 * Trusts: nothing that a process inherits. Descriptors above 2 are closed and 0 to 2 are open; signals have their
 * defaults; no core file; a umask that lets nobody else in; of the environment only MAIL_CONFIG (the program checks
 * it against the default main.cf) and a harmless TZ. Arguments are the program's: Node reads none behind its path.
 * Paths:  compiled in (NODE_FILE, PROGRAM_FILE). To find them beside this file one would have to believe /proc and
 *         the name by which we were called, which a hard link or another mount changes.
 * The rights stay for Node's life, as for Postfix's own: its real group is the user's, its effective group ours. The
 * kernel therefore marks Node as secure, too: no tracing, no memory to read, LD_... and NODE_... without effect. The
 * user may still send signals: SIGUSR1 would open Node's inspector, hence --disable-sigusr1.
 *
 * Exit status: the program's; 69 when it cannot be started.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#if !defined(NODE_FILE) || !defined(PROGRAM_FILE)
#error "NODE_FILE and PROGRAM_FILE are the absolute paths of Node and of the program"
#endif

enum { EXIT_UNAVAILABLE = 69, CONFIG_LIMIT = 4096, ZONE_LIMIT = 64 };

static char *const NODE_OPTIONS[] = {"--disable-sigusr1", "--no-global-search-paths"};
enum { OPTION_COUNT = sizeof NODE_OPTIONS / sizeof NODE_OPTIONS[0] };

static void say(char const *text) {
  ssize_t const written = write(STDERR_FILENO, text, strlen(text));
  (void)written; /* nobody is left to tell */
}

static _Noreturn void give_up(char const *what) {
  int const reason = errno;
  say("fatal: cannot start " PROGRAM_FILE ": ");
  say(what);
  say(": ");
  say(strerror(reason));
  say("\n");
  _exit(EXIT_UNAVAILABLE);
}

/* A file that the program opens must not become its standard output. */
static void open_standard_descriptors(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    if (open("/dev/null", O_RDWR) != fd) _exit(EXIT_UNAVAILABLE);
  }
}

/* Before Linux 5.9 there is no close_range(2). */
static void close_listed_descriptors(void) {
  DIR *const directory = opendir("/proc/self/fd");
  if (directory == NULL) give_up("/proc/self/fd");
  for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
    int const fd = atoi(entry->d_name);
    if (fd > STDERR_FILENO && fd != dirfd(directory)) close(fd);
  }
  closedir(directory);
}

static void close_other_descriptors(void) {
#ifdef SYS_close_range
  if (syscall(SYS_close_range, STDERR_FILENO + 1, ~0U, 0) == 0) return;
#endif
  close_listed_descriptors();
}

/* An ignored or blocked signal must not change what the program does. */
static void reset_signals(void) {
  sigset_t none;
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL); /* KILL and STOP say no */
  sigemptyset(&none);
  if (sigprocmask(SIG_SETMASK, &none, NULL) != 0) give_up("sigprocmask");
  alarm(0);
}

static void forbid_core_file(void) {
  struct rlimit const none = {0, 0};
  if (setrlimit(RLIMIT_CORE, &none) != 0) give_up("setrlimit");
}

/* A name below the zone database, or a rule: never a path to somewhere else. */
static bool is_harmless_zone(char const *value) {
  static char const allowed[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-:,.<>";
  size_t const length = strlen(value);
  if (length == 0 || length > ZONE_LIMIT || strspn(value, allowed) != length) return false;
  return value[strspn(value, ":")] != '/' && strstr(value, "..") == NULL;
}

/* "NAME=value" of the caller; NULL when it is not set, too long, or no harmless value. */
static char *imported(char *const environment[], char const *name, size_t limit) {
  size_t const length = strlen(name);
  for (size_t at = 0; environment[at] != NULL; at++) {
    if (strncmp(environment[at], name, length) != 0 || environment[at][length] != '=') continue;
    char const *const value = environment[at] + length + 1;
    if (strlen(value) > limit) return NULL;
    if (strcmp(name, "TZ") == 0 && !is_harmless_zone(value)) return NULL;
    return environment[at];
  }
  return NULL;
}

int main(int argc, char *argv[], char *environment[]) {
  open_standard_descriptors();
  close_other_descriptors();
  reset_signals();
  forbid_core_file();
  umask(077);

  char *kept[5] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C"};
  size_t count = 2;
  char *const config = imported(environment, "MAIL_CONFIG", CONFIG_LIMIT);
  if (config != NULL) kept[count++] = config;
  char *const zone = imported(environment, "TZ", ZONE_LIMIT);
  if (zone != NULL) kept[count++] = zone;
  kept[count] = NULL;

  /* argc can be 0: whoever executes us chooses argv, its first word included. */
  size_t const given = argc > 1 ? (size_t)argc - 1 : 0;
  char **const words = calloc(OPTION_COUNT + given + 3, sizeof *words);
  if (words == NULL) give_up("arguments");
  size_t at = 0;
  words[at++] = NODE_FILE;
  for (size_t option = 0; option < OPTION_COUNT; option++) words[at++] = NODE_OPTIONS[option];
  words[at++] = PROGRAM_FILE;
  for (size_t word = 0; word < given; word++) words[at++] = argv[word + 1];
  words[at] = NULL;
  execve(NODE_FILE, words, kept);
  give_up(NODE_FILE);
}
