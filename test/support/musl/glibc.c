/*
 * What Debian's libstdc++ wants from its own C library and musl has not. A system that is built on musl, like Alpine, has a
 * libstdc++ of its own and needs none of this.
 */
#include <stddef.h>

char __libc_single_threaded = 0;

/* Destructors of thread-local objects: a test that ends its process does without. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *library) {
  (void)destructor, (void)object, (void)library;
  return 0;
}

size_t strftime_l(char *, size_t, const char *, const void *, void *);
size_t __strftime_l(char *text, size_t size, const char *format, const void *time, void *locale) {
  return strftime_l(text, size, format, time, locale);
}

int _dl_find_object(void *address, void *result) {
  (void)address, (void)result;
  return -1;
}

long getrandom(void *, size_t, unsigned);
unsigned arc4random(void) {
  unsigned number = 0;
  getrandom(&number, sizeof number, 0);
  return number;
}

struct {
  unsigned vendor, type, subtype, features;
} __cpu_model;

int __cpu_indicator_init(void) { return 0; }
