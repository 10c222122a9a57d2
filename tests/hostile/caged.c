// A plugin that does what a record's `deed` says: nothing, something that ends or stops its process, or something that a plugin has no
// business to do. It answers 0.25, or an error that says how the deed went. Built by tests/tests/isolation.
#define _GNU_SOURCE
#include "foretell.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scores.h"

extern char **environ;

// A file that is there, in a place that the test may write to; the manifest's setting `file`.
static char file[1024];

static int find_file(ForetellBytes settings) {
  const char *key = "\"file\":\"";
  char config[2048] = {0};
  memcpy(config, settings.data, settings.length < sizeof config ? settings.length : sizeof config - 1);
  const char *begin = strstr(config, key);
  if (begin == NULL) return 0;
  begin += strlen(key);
  snprintf(file, sizeof file, "%.*s", (int)strcspn(begin, "\""), begin);
  return 1;
}

static int32_t caged_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                          ForetellError *error) {
  (void)host;
  if (!find_file(request->config)) return fail(error, "no setting `file`");
  state_scores(request->predictions);
  *instance = (ForetellInstance *)1;
  return FORETELL_STATUS_OK;
}

static void *thread(void *seen) {
  *(int *)seen = 1;
  return NULL;
}

// Does a deed. Below zero is what the system said to it, and anything else that it was done.
static long do_deed(const char *deed) {
#define DEED(name) if (strcmp(deed, name) == 0)
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  pid_t child = 0;
  char *arguments[] = {"/bin/true", NULL};
  DEED("socket") return socket(AF_INET, SOCK_STREAM, 0);
  DEED("unix-socket") return socket(AF_UNIX, SOCK_STREAM, 0);
  DEED("netlink-socket") return socket(AF_NETLINK, SOCK_RAW, 0);
  DEED("socket-pair") return socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0, 0});
  DEED("connect") return connect(0, (struct sockaddr *)&address, sizeof address);
  DEED("ring") {
    struct io_uring_params parameters = {0};
    return syscall(SYS_io_uring_setup, 4, &parameters);
  }
  DEED("write-file") return open(file, O_WRONLY);
  DEED("append-file") return open(file, O_WRONLY | O_APPEND);
  DEED("truncate-file") return truncate(file, 0);
  DEED("make-file") {
    char another[sizeof file + 4];
    snprintf(another, sizeof another, "%s.new", file);
    return open(another, O_WRONLY | O_CREAT, 0600);
  }
  DEED("make-temporary-file") return open("/tmp", O_TMPFILE | O_RDWR, 0600);
  DEED("make-directory") return mkdir("/tmp/foretell-caged", 0700);
  DEED("remove-file") return unlink(file);
  DEED("rename-file") return rename(file, "/tmp/foretell-caged");
  DEED("link-file") return symlink(file, "/tmp/foretell-caged");
  DEED("change-rights") return chmod(file, 0777);
  DEED("change-rights-of-open-file") return fchmod(2, 0777);
  DEED("change-owner") return chown(file, 0, 0);
  DEED("change-times") return utimensat(AT_FDCWD, file, NULL, 0);
  DEED("read-file") return open(file, O_RDONLY);
  DEED("read-users") return open("/etc/passwd", O_RDONLY);
  DEED("fork") {
    child = fork();
    if (child == 0) _exit(0);
    return child;
  }
  DEED("vfork") {
    child = vfork();
    if (child == 0) _exit(0);
    return child;
  }
  DEED("execute") return execve(arguments[0], arguments, environ);
  DEED("spawn") {
    errno = posix_spawn(&child, arguments[0], NULL, NULL, arguments, environ);
    return errno == 0 ? 0 : -1;
  }
  DEED("system") return system("true") == 0 ? 0 : -1;
  DEED("trace") return ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
  DEED("read-parent") {
    char name[64];
    snprintf(name, sizeof name, "/proc/%d/mem", getppid());
    return open(name, O_RDONLY);
  }
  DEED("kill-parent") return kill(getppid(), SIGKILL);
  DEED("kill-group") return kill(0, SIGKILL);
  DEED("kill-parent-as-a-thread") return syscall(SYS_tgkill, getppid(), getppid(), SIGKILL);
  DEED("outlive-parent") return prctl(PR_SET_PDEATHSIG, 0);
  DEED("shared-memory") return shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  DEED("memory-file") return syscall(SYS_memfd_create, "caged", 0);
  DEED("uncounted-memory") return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0;
  DEED("raise-limit") return setrlimit(RLIMIT_DATA, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
  DEED("new-namespace") return unshare(CLONE_NEWUSER);
  DEED("type-into-terminal") return syscall(SYS_ioctl, 0, 0x5412 /* TIOCSTI */, "x");
  // What a library may do.
  DEED("thread") {
    pthread_t made;
    int seen = 0;
    if (pthread_create(&made, NULL, thread, &seen) != 0) return -1;
    pthread_join(made, NULL);
    return seen ? 0 : -1;
  }
  DEED("nowhere") return open("/dev/null", O_WRONLY);
  DEED("random") return open("/dev/urandom", O_RDONLY);
  DEED("ask-limit") return getrlimit(RLIMIT_DATA, &(struct rlimit){0, 0});
  errno = EINVAL;
  return -1;
}

// Takes memory for ever, and writes to it.
static void eat(void) {
  const size_t bytes = 1 << 20;
  for (;;) {
    char *piece = malloc(bytes);
    if (piece == NULL) abort();
    memset(piece, 1, bytes);
  }
}

static int32_t one(const char *deed, ForetellError *error) {
  if (strcmp(deed, "none") == 0) return FORETELL_STATUS_OK;
  if (strcmp(deed, "crash") == 0) *(volatile int *)NULL = 1;
  if (strcmp(deed, "hang") == 0)
    for (;;) pause();
  if (strcmp(deed, "spin") == 0)
    for (volatile int i = 0;;) i = i + 1;
  if (strcmp(deed, "eat") == 0) eat();
  if (strcmp(deed, "leave") == 0) _exit(7);
  if (strcmp(deed, "print") == 0) {
    for (int i = 0; i < 100000; i++) printf("%s", "\x02\x00\x00\x00 no frame");
    fflush(stdout);
    return FORETELL_STATUS_OK;
  }
  if (strcmp(deed, "read-input") == 0) return getchar() == EOF ? FORETELL_STATUS_OK : fail(error, "read-input: there is some");
  if (strcmp(deed, "close-everything") == 0) {
    for (int i = 0; i < 64; i++) close(i);
    return FORETELL_STATUS_OK;
  }
  if (strcmp(deed, "forge") == 0) {
    // An answer before the answer, into every pipe that there is.
    for (int i = 0; i < 64; i++) (void)!write(i, "forged forged forged forged forged", 34);
    return FORETELL_STATUS_OK;
  }
  char words[256];
  long done = do_deed(deed);
  int found = errno;
  if (done < 0) {
    snprintf(words, sizeof words, "%s: refused: %s", deed, strerror(found));
  } else {
    snprintf(words, sizeof words, "%s: done", deed);
  }
  return fail(error, words);
}

static int32_t all(const struct ArrowArray *records, ForetellError *error) {
  const struct ArrowArray *deeds = records->children[0];
  const int32_t *offsets = (const int32_t *)deeds->buffers[1] + deeds->offset;
  const char *texts = deeds->buffers[2];
  for (int64_t row = 0; row < records->length; row++) {
    char deed[64];
    snprintf(deed, sizeof deed, "%.*s", (int)(offsets[row + 1] - offsets[row]), texts + offsets[row]);
    int32_t status = one(deed, error);
    if (status != FORETELL_STATUS_OK) return status;
  }
  return FORETELL_STATUS_OK;
}

static int32_t caged_predict(ForetellInstance *instance, const struct ArrowArray *records, struct ArrowArray *predictions,
                             ForetellError *error) {
  (void)instance;
  int64_t rows = records->length;
  int32_t status = all(records, error);
  if (status != FORETELL_STATUS_OK) return status;
  size_t room = rows > 0 ? (size_t)rows : 1;
  float *scores = malloc(room * sizeof *scores);
  for (size_t i = 0; i < room; i++) scores[i] = 0.25f;
  answer_scores(predictions, scores, rows);
  return FORETELL_STATUS_OK;
}

// Learns how many records it was told, unless one of them tells it to do something else.
static int64_t learned;

static int32_t caged_begin(const ForetellHost *host, const ForetellFitRequest *request, ForetellFitting **fitting,
                           ForetellError *error) {
  (void)host;
  learned = 0;
  if (!find_file(request->config)) return fail(error, "no setting `file`");
  *fitting = (ForetellFitting *)&learned;
  return FORETELL_STATUS_OK;
}

static int32_t caged_learn(ForetellFitting *fitting, const struct ArrowArray *records, ForetellError *error) {
  (void)fitting;
  learned += records->length;
  return all(records, error);
}

static int32_t caged_finish(ForetellFitting *fitting, const ForetellFitOutput *output, ForetellError *error) {
  (void)fitting;
  char digits[32];
  ForetellBytes name = {(const uint8_t *)"learned", 7};
  ForetellBytes content = {(const uint8_t *)digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)learned)};
  return output->write(output->context, name, content, error);
}

static void caged_end(ForetellFitting *fitting) { (void)fitting; }

static void caged_close(ForetellInstance *instance) { (void)instance; }

static const void *caged_capability(ForetellBytes id) {
  static ForetellFit fit = {
      .size = sizeof fit, .begin = caged_begin, .learn = caged_learn, .finish = caged_finish, .end = caged_end};
  size_t length = strlen(FORETELL_FIT_CAPABILITY);
  return id.length == length && memcmp(id.data, FORETELL_FIT_CAPABILITY, length) == 0 ? &fit : NULL;
}

const ForetellPlugin *foretell_plugin(void);
const ForetellPlugin *foretell_plugin(void) {
  static ForetellPlugin table;
  table.size = sizeof table;
  table.abi_major = FORETELL_ABI_MAJOR;
  table.abi_minor = FORETELL_ABI_MINOR;
  table.name.data = (const uint8_t *)"caged";
  table.name.length = 5;
  table.version.data = (const uint8_t *)"1.0.0";
  table.version.length = 5;
  table.open = caged_open;
  table.predict = caged_predict;
  table.close = caged_close;
  table.capability = caged_capability;
  return &table;
}
