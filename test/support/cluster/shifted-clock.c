/*
 * Loaded before the C library: the wall clock of one process is off by CLOCK_SHIFT_SECONDS. Waits until a time of the wall
 * clock end by the clock of the process too, as they do where a machine's is wrong. The clock that only runs on stands still
 * for the main thread while the file CLOCK_STANDSTILL_FILE exists, and runs on from there; other threads keep theirs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Times of the clocks that only run on are seconds since the machine started. */
#define EARLIEST_WALL_TIME 1000000000

static long shift(void) {
  static long seconds;
  static int is_read;
  if (!is_read) {
    const char *text = getenv("CLOCK_SHIFT_SECONDS");
    seconds = text ? atol(text) : 0;
    is_read = 1;
  }
  return seconds;
}

/* How far the clock of the main thread is behind, with what it has stood still so far; nanoseconds. */
static long long behind(const struct timespec *real) {
  static const char *file;
  static int is_read;
  static long long lost, since;
  if (!is_read) {
    file = getenv("CLOCK_STANDSTILL_FILE");
    is_read = 1;
  }
  if (!file || syscall(SYS_gettid) != getpid()) return 0;
  long long now = real->tv_sec * 1000000000LL + real->tv_nsec;
  if (access(file, F_OK) == 0) {
    if (!since) since = now;
  } else if (since) {
    lost += now - since;
    since = 0;
  }
  return lost + (since ? now - since : 0);
}

int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*original)(clockid_t, struct timespec *);
  if (!original) original = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int result = original(id, at);
  if (result == 0 && (id == CLOCK_MONOTONIC || id == CLOCK_MONOTONIC_COARSE || id == CLOCK_MONOTONIC_RAW)) {
    long long shown = at->tv_sec * 1000000000LL + at->tv_nsec - behind(at);
    at->tv_sec = shown / 1000000000LL;
    at->tv_nsec = shown % 1000000000LL;
  }
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += shift();
  return result;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
  static int (*original)(struct timeval *, void *);
  if (!original) original = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  int result = original(at, zone);
  if (result == 0) at->tv_sec += shift();
  return result;
}

time_t time(time_t *out) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  if (out) *out = at.tv_sec;
  return at.tv_sec;
}

int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
  static int (*original)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!original) {
    /* x86-64 keeps one with another layout under the same name. */
    void *found = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!found) found = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    original = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))found;
  }
  struct timespec at = *until;
  if (at.tv_sec > EARLIEST_WALL_TIME) at.tv_sec -= shift();
  return original(cond, mutex, &at);
}
