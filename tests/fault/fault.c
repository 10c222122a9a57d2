// Makes the disk fail for one database. Loaded before the C library of a program, and of the programs that it starts, it
// lets the first writes to files whose path contains a name pass, and refuses all that follow. Built by tests/src/lib.rs.
//
//   FAULT_NAME    part of the path of the files that are meant
//   FAULT_AFTER   how many calls pass
//   FAULT_ERRNO   the error of those that don't
//   FAULT_COUNT   file of 8 bytes in which all processes count the calls together
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t *count;
static const char *name;
static uint64_t after;
static int error;

static const char *variable(const char *key) {
  const char *value = getenv(key);
  if (value == NULL) abort();
  return value;
}

__attribute__((constructor)) static void start(void) {
  name = variable("FAULT_NAME");
  after = strtoull(variable("FAULT_AFTER"), NULL, 10);
  error = atoi(variable("FAULT_ERRNO"));
  int file = open(variable("FAULT_COUNT"), O_RDWR);
  if (file < 0) abort();
  void *shared = mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared == MAP_FAILED) abort();
  close(file);
  count = shared;
}

// Whether a call on this file is to fail; errno says why.
static int fails(int file) {
  char link[64], path[4096];
  if (count == NULL) return 0;
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  if (strstr(path, name) == NULL || atomic_fetch_add(count, 1) < after) return 0;
  errno = error;
  return 1;
}

#define WRAP(result, function, parameters, arguments)            \
  result function parameters {                                   \
    static result(*next) parameters;                             \
    if (next == NULL) *(void **)&next = dlsym(RTLD_NEXT, #function); \
    return fails(file) ? -1 : next arguments;                    \
  }

WRAP(ssize_t, write, (int file, const void *bytes, size_t length), (file, bytes, length))
WRAP(ssize_t, pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at))
WRAP(ssize_t, pwrite64, (int file, const void *bytes, size_t length, off64_t at), (file, bytes, length, at))
WRAP(int, fsync, (int file), (file))
WRAP(int, fdatasync, (int file), (file))
WRAP(int, ftruncate, (int file, off_t length), (file, length))
WRAP(int, ftruncate64, (int file, off64_t length), (file, length))
